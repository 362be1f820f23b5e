"""The store: what goes in comes out or is missing, whoever writes, dies or damages it, and it stays in its bounds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.cache import BLOCK, Cache, Entry
from lineread.speech import Facts, Word

FACTS = Facts("builtin", "builtin/1/a", "hibari", "a woman of 28", "req-1", 12)
HAS_LOCKS = sys.platform != "win32"


def key(number: int) -> str:
    return f"v1-{random.Random(number).getrandbits(160):040x}"


def entry(size: int = 1000, fill: int = 7) -> Entry:
    return Entry(bytes([fill]) * size, 24_000, (Word((0, 5), 0.1, 0.4), Word((6, 9), 0.4, 0.75)), FACTS)


def files(root: Path, suffix: str = ".seg") -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.name.endswith(suffix))


def backdate(path: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when))


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python with this module at hand."""
    command = [sys.executable, "-c", f"from test_cache import *\n{code}", *map(str, arguments)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True)


# --- one entry -------------------------------------------------------------------------------------------------------

text = st.text(max_size=20)
entries = st.builds(
    Entry,
    pcm=st.binary(max_size=300),
    sample_rate=st.integers(1, 2**32 - 1),
    words=st.lists(
        st.builds(
            Word,
            span=st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
            start=st.floats(allow_nan=False),
            end=st.floats(allow_nan=False),
        ),
        max_size=5,
    ).map(tuple),
    facts=st.builds(Facts, text, text, text, text, text, st.integers()),
)


@given(number=st.integers(0, 2**160 - 1), kept=entries)
def test_what_is_put_is_got(tmp_path_factory: pytest.TempPathFactory, number: int, kept: Entry) -> None:
    """Any entry under any key comes back equal, from another object on the same directory, and is found sound."""
    root = str(tmp_path_factory.getbasetemp() / "roundtrip")
    name = f"v1-{number:040x}"
    Cache(root).put(name, kept)
    assert Cache(root).get(name) == kept
    assert Cache(root).holds(name)
    assert Cache(root).verify().broken == ()


@pytest.mark.parametrize(
    "hostile",
    ["", "a" * 43, "../../../etc/passwd", "v2-" + "a" * 40]
    + [
        "v1-" + end
        for end in ("", "A" * 40, "a" * 39, "a" * 41, "../" + "a" * 37, *("a" * 39 + end for end in "\n/\0g"))
    ],
)
def test_only_keys_are_taken(tmp_path: Path, hostile: str) -> None:
    """Whatever is not a key of ours is refused before it becomes a part of a path."""
    store = Cache(str(tmp_path / "c"))
    for call in (store.get, store.holds, store.claim, lambda name: store.put(name, entry())):
        with pytest.raises(ValueError, match="hexadecimal"):
            call(hostile)
    assert not (tmp_path / "c").exists()


def test_cut_short_at_any_byte_it_is_missing(tmp_path: Path) -> None:
    """A file that ends too early, at whichever byte, or goes on too long is no entry, raises nothing and is removed."""
    store = Cache(str(tmp_path))
    store.put(key(1), entry(100))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for data in [*(whole[:size] for size in range(len(whole))), whole + b"\0", whole * 2]:
        path.write_bytes(data)
        assert store.get(key(1)) is None
        assert not path.exists()
    assert store.trouble is None


def test_a_damaged_head_is_noticed_at_once_and_damaged_sound_by_verify(tmp_path: Path) -> None:
    """A changed byte before the samples makes the entry missing; one in the samples is found by their digest."""
    store = Cache(str(tmp_path))
    store.put(key(1), entry(64))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for change in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
            if at < len(whole) - 64:
                assert store.get(key(1)) is None
                assert not path.exists()
            else:
                assert store.verify(remove=False) == (1, (key(1),))
                assert store.verify() == (1, (key(1),))
                assert store.verify() == (0, ())
    assert store.trouble is None


def test_a_segment_that_no_entry_can_hold_is_not_kept(tmp_path: Path) -> None:
    """An engine that breaks its contract loses its cache, not its request."""
    store = Cache(str(tmp_path))
    for broken in (Entry(b"", -1, (), FACTS), Entry(b"", 1, (), Facts("x", request_id=object()))):  # type: ignore[arg-type]
        store.put(key(1), broken)
        assert store.get(key(1)) is None
        assert store.trouble
    assert files(tmp_path, ".tmp") == []


# --- a bad place -----------------------------------------------------------------------------------------------------


def use_everything(store: Cache, *, kept: int = 0) -> None:
    """Everything that a store can be asked for, where nothing can be changed."""
    store.put(key(1), entry())
    assert store.get(key(1)) is None
    assert not store.holds(key(1))
    claim = store.claim(key(1))
    assert claim is not None
    claim.release()
    claim.release()
    assert store.stats().entries == kept
    assert store.verify() == (kept, ())
    assert store.prune(max_bytes=0) == (0, 0)


def test_a_root_that_is_a_file_breaks_nothing(tmp_path: Path) -> None:
    """Where no directory can be, every operation goes on without one and the reason is remembered."""
    root = tmp_path / "file"
    root.write_text("mine")
    store = Cache(str(root))
    use_everything(store)
    assert str(root) in (store.trouble or "")
    assert Cache(str(root)).check() is not None
    assert root.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_root_that_may_not_be_written_breaks_nothing(tmp_path: Path) -> None:
    """Without permission every operation goes on, and what is readable is still read."""
    root = tmp_path / "c"
    Cache(str(root)).put(key(2), entry())
    for path in (root, *root.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    store = Cache(str(root))
    use_everything(store, kept=1)
    assert store.get(key(2)) == entry()
    assert store.check() is not None


def test_a_full_disk_breaks_nothing(tmp_path: Path) -> None:
    """When writing fails in the middle of an entry, nothing is kept of it, no temporary stays, and it is remembered."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
store = Cache(sys.argv[1])
store.put(key(1), entry(10_000))
assert store.trouble is None and store.get(key(1)) == entry(10_000)
store.put(key(2), entry(60_000))
assert store.get(key(2)) is None and store.get(key(1)) == entry(10_000)
print(store.trouble)
"""
    said, _ = child(code, tmp_path).communicate()
    assert "too large" in said
    assert len(files(tmp_path)) == 1
    assert files(tmp_path, ".tmp") == []


def test_a_root_deleted_while_running_is_made_anew(tmp_path: Path) -> None:
    """Deleting the directory under a running process costs what was in it, nothing more."""
    store = Cache(str(tmp_path / "c"))
    for _ in range(2):
        store.put(key(1), entry())
        assert store.get(key(1)) == entry()
        shutil.rmtree(tmp_path / "c")
        assert store.get(key(1)) is None
        assert store.prune() == (0, 0)
    assert store.trouble is None


def test_the_root_is_private_and_says_what_it_is(tmp_path: Path) -> None:
    """Other users cannot look into it, backups skip it, and a README tells a person that it may go."""
    root = tmp_path / "c"
    assert Cache(str(root)).check() is None
    assert root.stat().st_mode & 0o777 == 0o700
    assert "lineread cache" in (root / "README").read_text()
    assert (root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    (root / "README").write_text("changed")
    Cache(str(root)).put(key(1), entry())
    assert (root / "README").read_text() == "changed"


# --- many processes --------------------------------------------------------------------------------------------------


def test_a_writer_killed_at_any_time_leaves_no_half_entry(tmp_path: Path) -> None:
    """After kill -9 at random moments of writing, every entry is whole; what was left lying is swept up."""
    code = """
store = Cache(sys.argv[1])
for number in range(10**9):
    store.put(key(number % 5), entry(2_000_000 + number, number % 256))
    print(number, flush=True)
"""
    rng = random.Random(1)
    for _ in range(12):
        writer = child(code, tmp_path)
        assert writer.stdout is not None
        for _ in range(rng.randrange(1, 12)):
            writer.stdout.readline()
        rest = rng.random() * 0.002
        end = time.perf_counter() + rest
        while time.perf_counter() < end:
            pass
        writer.kill()
        writer.communicate()
    store = Cache(str(tmp_path))
    assert store.verify() == (5, ())
    for number in range(5):
        assert store.get(key(number)) is not None
    left = files(tmp_path, ".tmp")
    for path in left:
        backdate(path, 3600)
    store.verify()
    assert files(tmp_path, ".tmp") == []


def test_temporaries_in_use_are_left_alone(tmp_path: Path) -> None:
    """Sweeping takes only what is old: another process may be writing right now."""
    store = Cache(str(tmp_path))
    store.put(key(1), entry())
    fresh = files(tmp_path)[0].with_suffix(".abc.tmp")
    old = files(tmp_path)[0].with_suffix(".def.tmp")
    for path in (fresh, old):
        path.write_bytes(b"half")
    backdate(old, 3600)
    store.prune()
    assert files(tmp_path, ".tmp") == [fresh]


HAMMER = """
rng = random.Random(int(sys.argv[2]))
store = Cache(sys.argv[1], max_bytes=40 * BLOCK)
for _ in range(400):
    number = rng.randrange(12)
    action = rng.randrange(20)
    if action == 0:
        store.prune(max_bytes=rng.randrange(40) * BLOCK)
    elif action == 1:
        store.verify()
    elif action < 9:
        fill = rng.randrange(256)
        store.put(key(number), entry(4 + fill * 90, fill))
    else:
        got = store.get(key(number))
        assert got is None or got == entry(4 + got.pcm[0] * 90, got.pcm[0])
assert store.trouble is None, store.trouble
"""


def test_eight_processes_at_once_see_only_whole_entries(tmp_path: Path) -> None:
    """Under concurrent puts, gets, prunes and checks of the same keys, nobody ever sees anything half or mixed up."""
    hammers = [child(HAMMER, tmp_path, seed) for seed in range(8)]
    for hammer in hammers:
        hammer.communicate()
    assert [hammer.returncode for hammer in hammers] == [0] * 8
    store = Cache(str(tmp_path), max_bytes=40 * BLOCK)
    assert store.verify().broken == ()
    assert files(tmp_path, ".tmp") == []
    store.put(key(99), entry())
    assert store.stats().bytes <= (40 + 8) * BLOCK


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_the_store_stays_within_its_bound(tmp_path: Path) -> None:
    """However much is put, by whichever objects, what remains fits; an entry beyond the bound is not kept at all."""
    for number in range(60):
        store = Cache(str(tmp_path), max_bytes=20 * BLOCK)
        store.put(key(number), entry(BLOCK))
        assert store.stats().bytes <= 20 * BLOCK
        assert store.get(key(number)) is not None
    assert store.stats().bytes >= 16 * BLOCK
    store.put(key(99), entry(20 * BLOCK))
    assert store.get(key(99)) is None
    assert store.get(key(59)) is not None
    assert store.trouble is None


def test_a_lost_ledger_is_made_good(tmp_path: Path) -> None:
    """Without its count of bytes the store looks for itself, and the bound holds."""
    store = Cache(str(tmp_path), max_bytes=20 * BLOCK)
    for number in range(9):
        store.put(key(number), entry(BLOCK))
    (tmp_path / "v1" / "ledger").unlink()
    for number in range(9, 20):
        store.put(key(number), entry(BLOCK))
        assert store.stats().bytes <= 20 * BLOCK


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """Pruning removes in the order of last use, and reading counts as use."""
    store = Cache(str(tmp_path))
    for number in range(4):
        before = set(files(tmp_path))
        store.put(key(number), entry())
        (path,) = set(files(tmp_path)) - before
        backdate(path, 90_000 - 10_000 * number)
    assert store.get(key(0)) is not None
    assert store.prune(max_bytes=2 * BLOCK) == (2, 2 * BLOCK)
    assert [number for number in range(4) if store.holds(key(number))] == [0, 3]
    assert store.prune(older_than=50_000) == (1, BLOCK)
    assert [number for number in range(4) if store.holds(key(number))] == [0]


def test_use_is_marked_once_in_a_while(tmp_path: Path) -> None:
    """Reading moves an old mark of use to now and lets a young one be, since marking costs more than reading."""
    store = Cache(str(tmp_path))
    store.put(key(1), entry())
    (path,) = files(tmp_path)
    backdate(path, 600)
    young = path.stat().st_mtime
    store.get(key(1))
    assert path.stat().st_mtime == young
    backdate(path, 4000)
    store.get(key(1))
    assert time.time() - path.stat().st_mtime < 60


def test_stats_tell_what_is_there(tmp_path: Path) -> None:
    """Entries, bytes in whole blocks, and first and last use; clearing leaves nothing."""
    store = Cache(str(tmp_path), max_bytes=10**9)
    assert store.stats() == (str(tmp_path), 0, 0, 10**9, None, None)
    for number in range(3):
        store.put(key(number), entry(BLOCK))
    backdate(files(tmp_path)[0], 5000)
    stats = store.stats()
    assert (stats.entries, stats.bytes) == (3, 6 * BLOCK)
    assert stats.oldest is not None
    assert stats.newest is not None
    assert 4900 < stats.newest - stats.oldest < 5100
    assert store.prune(max_bytes=0) == (3, 6 * BLOCK)
    assert files(tmp_path) == []


# --- claims ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HAS_LOCKS, reason="no flock")
def test_a_claim_is_exclusive_until_it_is_released(tmp_path: Path) -> None:
    """One claim for each key at a time, also within a process; claims of other keys do not matter."""
    store = Cache(str(tmp_path))
    claim = store.claim(key(1))
    assert claim is not None
    assert Cache(str(tmp_path)).claim(key(1)) is None
    other = store.claim(key(2))
    assert other is not None
    store.prune()
    assert Cache(str(tmp_path)).claim(key(1)) is None
    other.release()
    claim.release()
    again = store.claim(key(1))
    assert again is not None
    again.release()


@pytest.mark.skipif(not HAS_LOCKS, reason="no flock")
def test_a_dead_process_holds_no_claim(tmp_path: Path) -> None:
    """After kill -9 of its holder a claim is free at once."""
    code = "claim = Cache(sys.argv[1]).claim(key(1)); print('held', flush=True); signal.pause()"
    holder = child(code, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    store = Cache(str(tmp_path))
    assert store.claim(key(1)) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    claim = store.claim(key(1))
    assert claim is not None
    claim.release()


@pytest.mark.skipif(not HAS_LOCKS, reason="no flock")
def test_no_two_processes_ever_hold_the_same_claim(tmp_path: Path) -> None:
    """However many ask at once, one has it."""
    code = """
store = Cache(sys.argv[1])
held = 0
while held < 150:
    if (claim := store.claim(key(1))) is not None:
        os.close(os.open(sys.argv[1] + "/inside", os.O_CREAT | os.O_EXCL))
        os.unlink(sys.argv[1] + "/inside")
        held += 1
        claim.release()
"""
    crowd = [child(code, tmp_path) for _ in range(4)]
    for one in crowd:
        one.communicate()
    assert [one.returncode for one in crowd] == [0] * 4


# --- cost ------------------------------------------------------------------------------------------------------------


def test_importing_the_store_is_light() -> None:
    """A cache hit loads nothing that it does not need."""
    code = (
        "import lineread.cache; print(*(m for m in ('asyncio', 'logging', 'pathlib', 'tempfile') if m in sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-Sc", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == ""
