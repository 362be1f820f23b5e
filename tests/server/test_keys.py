"""The keys of a server's clients: how they are written down, recognised, taken over, and never shown."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import pickle
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.errors import ConfigError, KeyRefused, NotAllowed
from lineread.server.access import keys
from lineread.server.access.keys import Key, Keyring

ALICE, BOB = "lineread_alice-0123456789abcdef", "lineread_bob-0123456789abcdef"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def table(name: str, key: str, *lines: str) -> str:
    return "\n".join([f"[{name}]", f'hash = "{keys.hashed(key)}"', *lines, ""])


def test_new_keys_cannot_be_guessed() -> None:
    """A key that we make has 256 random bits, goes into a header as it is, and is like no other."""
    made = {keys.make() for _ in range(100)}
    assert len(made) == 100
    for key in made:
        assert key.isascii()
        assert not set(key) & set(" ,;=\"'\\")
        assert len(key.removeprefix("lineread_")) == 43  # 32 bytes in Base64


def test_a_key_file() -> None:
    """All fields are read; names of voices and models become the catalogue's; dates are the first second of a day."""
    text = table(
        "alice",
        ALICE,
        "requests_per_minute = 3",
        "characters_per_day = 900",
        'voices = ["cherry", "my-own-voice"]',
        'models = ["QWEN3-TTS-FLASH"]',
        "expires = 2999-01-31",
        "disabled = true",
    )
    assert keys.parse(text + table("bob", BOB), "keys.toml") == {
        "alice": Key(
            name="alice",
            digest=hashlib.sha256(ALICE.encode()).digest(),
            requests_per_minute=3,
            characters_per_day=900,
            voices=frozenset({"Cherry", "my-own-voice"}),
            models=frozenset({"qwen3-tts-flash"}),
            expires=datetime(2999, 1, 31, tzinfo=UTC),
            disabled=True,
        ),
        "bob": Key(name="bob", digest=hashlib.sha256(BOB.encode()).digest()),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[bob]\n[alice = 1", "line 2"),
        (f'alice = "{ALICE}"', "table such as [alice]"),
        ("[Alice]\n", "a-z, 0-9"),
        ('["../x"]\n', "a-z, 0-9"),
        (f'[alice]\nhash = "{ALICE}"\n', "no hash of a key"),
        (f'[alice]\nkey = "{ALICE}"\n', "'key', which means nothing"),
        (table("alice", ALICE, "request_per_minute = 1"), "Did you mean requests_per_minute?"),
        (table("alice", ALICE, "requests_per_minute = 0"), "from 1"),
        (table("alice", ALICE, "requests_per_minute = true"), "from 1"),
        (table("alice", ALICE, "characters_per_day = 1.5"), "from 1"),
        (table("alice", ALICE, "voices = []"), "Leave it out to allow all"),
        (table("alice", ALICE, 'voices = "Cherry"'), "a list of names"),
        (table("alice", ALICE, "models = [1]"), "a list of names"),
        (table("alice", ALICE, 'expires = "2027-01-31"'), "without quotes"),
        (table("alice", ALICE, "disabled = 1"), "true or false"),
        (table("alice", ALICE) + table("bob", ALICE), "one key under two names"),
    ],
)
def test_what_is_no_key_file(text: str, words: str) -> None:
    """A mistake is named with its place and its remedy, and the key itself is never quoted."""
    with pytest.raises(ConfigError) as caught:
        keys.parse(text, "keys.toml")
    assert "keys.toml" in str(caught.value)
    assert words in str(caught.value)
    assert ALICE not in str(caught.value)


@given(st.text())
def test_any_text_is_keys_or_a_clear_error(text: str) -> None:
    """Whatever stands in a key file or in the variable, the outcome is keys or one of our errors."""
    with suppress(ConfigError):
        keys.parse(text, "x")
    with suppress(ConfigError):
        keys.from_variable(text)


def test_the_variable() -> None:
    """Keys of the environment are plain or hashed, with names or without; commas and white space part them."""
    found = keys.from_variable(f"alice={ALICE}, {BOB}\n\tcarol={keys.hashed('c' * 20)},")
    assert [key.name for key in found] == ["alice", "key-2", "carol"]
    assert [key.digest for key in found] == [hashlib.sha256(k.encode()).digest() for k in (ALICE, BOB, "c" * 20)]


@pytest.mark.parametrize("text", ["", " , ", "alice=", "alice=short", f"A={ALICE}", "a=sha256:12", "alice=ключ" * 9])
def test_the_variable_with_nothing_usable_closes_the_server(text: str) -> None:
    """A variable that holds no key, a weak one or nonsense stops the start: it never means "let everybody in"."""
    with pytest.raises(ConfigError, match=keys.VARIABLE) as caught:
        keys.from_variable(text)
    assert "short" not in str(caught.value)
    assert ("holds no key" in str(caught.value)) == (not text.strip(" ,"))
    with pytest.raises(ConfigError, match="two names"):
        keys.from_variable(f"a={ALICE},b={ALICE}")


def test_recognition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is compared, all digests, all by ``compare_digest``, whichever one is shown: time tells nothing."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    real = hmac.compare_digest
    ring = Keyring(given=keys.from_variable(f"alice={ALICE},bob={BOB}"))
    monkeypatch.setattr("lineread.server.access.keys.hmac.compare_digest", compare)
    for shown in (ALICE, BOB):
        compared.clear()
        assert ring.recognise(shown).name == ("alice" if shown == ALICE else "bob")
        assert [one for one, _ in compared] == [key.digest for key in ring.all()]
        assert {len(digest) for pair in compared for digest in pair} == {32}
    for wrong in ("", ALICE[:-1], ALICE + "x", ALICE.upper(), keys.hashed(ALICE), "ключ", "\udc80"):
        compared.clear()
        with pytest.raises(KeyRefused):
            ring.recognise(wrong)
        assert len(compared) == 2


def test_a_key_out_of_force_is_refused() -> None:
    """A disabled key and an expired one are refused, and told apart to whoever has them; tomorrow's end is no end."""
    now = datetime.now(UTC)
    digest = hashlib.sha256(ALICE.encode()).digest()
    for fields, words in (({"disabled": True}, "disabled"), ({"expires": now - timedelta(seconds=1)}, "expired")):
        with pytest.raises(KeyRefused, match=words):
            Keyring(given=[Key(name="alice", digest=digest, **fields)]).recognise(ALICE)  # type: ignore[arg-type]
    assert Keyring(given=[Key(name="alice", digest=digest, expires=now + timedelta(days=1))]).recognise(ALICE)


def test_what_a_key_may_use() -> None:
    """Voices and models outside the lists are refused with the list; no list allows all."""
    key = Key(name="a", digest=b"", voices=frozenset({"Cherry", "Ethan"}))
    key.allow(voice="Cherry", model="anything")
    with pytest.raises(NotAllowed, match=r"voice 'Serena'. It may use Cherry, Ethan"):
        key.allow(voice="Serena", model="anything")
    with pytest.raises(NotAllowed, match="model 'qwen-tts'"):
        Key(name="a", digest=b"", models=frozenset({"qwen3-tts-flash"})).allow(voice="Cherry", model="qwen-tts")


def test_no_key_and_no_hash_shows(tmp_path: Path) -> None:
    """Neither a key nor its hash is in any repr or notice, of a key, of the keys in force or of the options."""
    path = tmp_path / "keys.toml"
    path.write_text(table("alice", ALICE))
    given_ = keys.from_variable(f"bob={BOB}")
    ring = Keyring(str(path), given_)
    shown = f"{ring!r} {ring.notice} {[*ring.all()]!r} {given_} {ring.recognise(ALICE)}"
    for secret in (ALICE, BOB, keys.hashed(ALICE), hashlib.sha256(BOB.encode()).hexdigest()):
        assert secret not in shown
        assert secret.encode() not in pickle.dumps(given_)
    assert not any(repr(key.digest)[2:-1] in shown for key in ring.all())
    assert "2 keys" in ring.notice


def test_a_changed_file_is_taken_over_and_a_broken_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A change holds after a second at most; a broken edit, or a file that is gone, changes nothing and says so once,
    in one line without a path or a key; the next good edit holds again.
    """
    path, clock = tmp_path / "keys.toml", Clock()
    path.write_text(table("alice", ALICE))
    ring = Keyring(str(path), clock=clock)

    def names(*, later: float = 1.0) -> list[str]:
        clock.now += later
        return sorted(key.name for key in ring.all())

    path.write_text(table("alice", ALICE) + table("bob", BOB))
    assert names(later=0.5) == ["alice"]
    assert names(later=0.5) == ["alice", "bob"]
    for spoil in (lambda: path.write_text(f'[alice]\nhash = "{BOB}'), path.unlink):
        caplog.clear()
        spoil()
        assert names() == names() == names() == ["alice", "bob"]
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        line = caplog.messages[0]
        assert line.startswith(
            f"The keys stay as they were: The key file is not {'TOML' if path.exists() else 'there.'}"
        )
        assert "\n" not in line
        assert BOB not in line
        assert str(tmp_path) not in line
    path.write_text(table("bob", BOB))
    assert names() == ["bob"]
    with pytest.raises(KeyRefused):
        ring.recognise(ALICE)


def test_a_file_is_not_looked_at_more_than_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand requests in a second cost one look at the file."""
    path, clock = tmp_path / "keys.toml", Clock()
    path.write_text(table("alice", ALICE))
    ring = Keyring(str(path), clock=clock)
    looks: list[object] = []
    real = os.stat
    monkeypatch.setattr("lineread.server.access.keys.os.stat", lambda *given: looks.append(given) or real(*given))
    for _ in range(1000):
        clock.now += 0.001
        ring.recognise(ALICE)
    assert len(looks) <= 1


def test_a_file_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    """Whoever names a key file wants keys: one that holds none is a closed door, which the start says, and one that
    is not there an error.
    """
    path = tmp_path / "my keys.toml"
    with pytest.raises(ConfigError, match="lineread keys new"):
        Keyring(str(path))
    path.write_text("# none yet\n")
    ring = Keyring(str(path))
    assert ring.configured
    assert "No key is accepted yet" in ring.notice
    assert ring.notice.endswith(f"lineread keys new NAME --file '{path}'")
    with pytest.raises(KeyRefused):
        ring.recognise("")
    assert not Keyring().configured
    assert "No keys" in Keyring().notice


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One read that fails does not keep a removed key valid: the next look tries again, though the file is the same.
    Until then there is trouble, which tells nothing of the file.
    """
    path, clock = tmp_path / "keys.toml", Clock()
    path.write_text(table("alice", ALICE) + table("bob", BOB))
    ring = Keyring(str(path), clock=clock)
    assert ring.trouble is None
    path.write_text(table("bob", BOB))
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", Mock(side_effect=PermissionError(13, "Permission denied")))
        clock.now += 1
        assert ring.trouble == "The key file cannot be used."
        assert ring.recognise(ALICE)
    clock.now += 1
    with pytest.raises(KeyRefused):
        ring.recognise(ALICE)
    assert ring.trouble is None


def test_a_change_that_leaves_size_and_date_alone_is_seen(tmp_path: Path) -> None:
    """A file of the same length that is copied over it together with its date is taken over all the same."""
    path, clock = tmp_path / "keys.toml", Clock()
    path.write_text(table("bob", ALICE))
    ring = Keyring(str(path), clock=clock)
    about = path.stat()
    path.write_text(table("bob", BOB))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    clock.now += 1
    assert ring.recognise(BOB)
