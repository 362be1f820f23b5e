"""Programs that play: which one is taken, what it gets, and what happens when it fails or is stopped.

The players are small scripts that write down what they get.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from lineread import players
from lineread.audio.container import read_wav, wav_header
from lineread.errors import OutputError
from lineread.sinks import Player

SOUND = bytes(range(256)) * 100
RUN_OUT = bytes(round(0.2 * 24_000) * 2)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the players are scripts")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory that is searched for players."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def install(directory: Path, name: str, script: str = "") -> Path:
    """A player that writes its arguments and its input to files, and then runs the script."""
    told = directory / f"{name}.told"
    code = f"#!{sys.executable}\nimport os, sys, time\ntold = {str(told)!r}\n"
    code += script or "open(told, 'wb').write(' '.join(sys.argv[1:]).encode() + b'\\n' + sys.stdin.buffer.read())"
    program = directory / name
    program.write_text(code, encoding="utf-8")
    program.chmod(0o755)
    return told


def play(command: str | None = None, sound: bytes = SOUND) -> None:
    with Player(24_000, command=command) as player:
        player.write(sound[:1000])
        player.write(sound[1000:])


def test_the_first_program_found_plays(programs: Path) -> None:
    """Players are tried in order; one that is told the rate gets plain samples, and all of them."""
    told = install(programs, "aplay")
    install(programs, "play")
    assert Player.find()[0] == "aplay"
    play()
    arguments, _, sound = told.read_bytes().partition(b"\n")
    assert b"--rate=24000" in arguments
    assert sound == SOUND + RUN_OUT


def test_a_program_that_is_not_told_the_rate_gets_a_wav(programs: Path) -> None:
    """A player whose arguments have no rate finds it in a WAV header."""
    told = install(programs, "ffplay")
    play()
    assert told.read_bytes().partition(b"\n")[2] == wav_header(None, 24_000) + SOUND + RUN_OUT


def test_the_users_own_player_comes_first(programs: Path) -> None:
    """A command replaces the search, with quotes as in a shell, and gets the rate where it asks for it."""
    install(programs, "ffplay")
    told = install(programs, "mine")
    play("mine --as 'two words' -r {rate}")
    assert told.read_bytes().startswith(b"--as two words -r 24000\n" + SOUND)


def test_a_player_of_files_gets_a_file(programs: Path) -> None:
    """A player that cannot read a pipe gets a whole WAV file, which is gone afterwards."""
    told = install(programs, "afplay", "open(told, 'wb').write(open(sys.argv[1], 'rb').read() + sys.argv[1].encode())")
    play()
    data = told.read_bytes()
    assert read_wav(data) == (SOUND, 24_000)
    name = data.rpartition(SOUND)[2].decode()
    assert name.endswith(".wav")
    assert not os.path.exists(name)


@pytest.mark.parametrize(("command", "says"), [(None, "No program"), ("nowhere -x", "nowhere"), ("  ", "no player")])
def test_without_a_player_there_is_a_way_out(programs: Path, command: str | None, says: str) -> None:
    """When nothing can play, the error says what to install or what to correct."""
    for attempt in (lambda: Player.find(command), lambda: play(command)):
        with pytest.raises(OutputError, match=says) as caught:
            attempt()
        assert caught.value.remedy


@pytest.mark.parametrize("script", ["sys.stdin.buffer.read()", "pass"])
def test_a_player_that_fails_is_told_with_its_reason(programs: Path, script: str) -> None:
    """A player that ends with an error, late or at once, becomes one line with what it said last."""
    install(programs, "ffplay", f"{script}\nprint('no\\ndevice here\\n', file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(OutputError, match="ffplay failed: device here"):
        play(sound=bytes(1_000_000))


def test_a_player_that_fails_without_a_word(programs: Path) -> None:
    """What is known is told: who it was, and its status."""
    install(programs, "ffplay", "sys.exit(3)")
    with pytest.raises(OutputError, match="ffplay ended with status 3 and did not say why") as caught:
        play()
    assert "sound device" in caught.value.remedy


ALSA = "ALSA lib confmisc.c:855:(parse_card) cannot find card '0'"


@pytest.mark.parametrize("size", [1000, 1_000_000])
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        # what they say, and return, on a machine without a sound device
        (f"print({ALSA!r}, 'Nothing to try, audio open failed', 'Failed to open file', sep='\\n', file=sys.stderr)",
         "audio open failed"),
        (f"print('aplay: main:831: audio open error', {ALSA!r}, sep='\\n', file=sys.stderr); sys.exit(1)",
         "aplay: main:831: audio open error"),
        (f"print('Could not open/initialize audio device -> no sound.'); print({ALSA!r}, file=sys.stderr); sys.exit(2)",
         "Could not open/initialize audio device"),
        (f"print({ALSA!r}, file=sys.stderr); os.kill(os.getpid(), 8)", "cannot find card"),
        ("print('x' * 100_000 + '\\nat last', file=sys.stderr); sys.exit(1)", "at last"),
    ],
)  # fmt: skip
def test_no_sound_device_is_told(programs: Path, script: str, reason: str, size: int) -> None:
    """A player that cannot be heard is an error whatever status it ends with, and its own words say why."""
    install(programs, "ffplay", script)
    with pytest.raises(OutputError, match=reason) as caught:
        play(sound=bytes(size))
    assert "sound device" in caught.value.remedy


def test_noise_of_a_player_that_plays_is_no_fault(programs: Path) -> None:
    """What a player says while it plays is kept from the terminal, and is no error."""
    install(programs, "ffplay", f"sys.stdin.buffer.read(); print({ALSA!r}, 'underrun', sep='\\n', file=sys.stderr)")
    play()


def test_a_player_that_was_closed_is_no_fault(programs: Path) -> None:
    """A player that ends by itself, without an error, stops the speech quietly."""
    install(programs, "ffplay", "sys.stdin.buffer.read(100)")
    with pytest.raises(BrokenPipeError):
        play(sound=bytes(1_000_000))


def test_a_program_that_cannot_run_is_told(programs: Path) -> None:
    """A file that is no program is an error like any other."""
    broken = programs / "ffplay"
    broken.write_bytes(b"\0\1\2")
    broken.chmod(0o755)
    with pytest.raises(OutputError, match="cannot be started"):
        play()


def sleeper(programs: Path, before: str) -> Path:
    """A player that does something, tells its process id to whoever reads the pipe returned, and plays on and on."""
    pipe = install(programs, "ffplay", f"{before}\nopen(told, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    os.mkfifo(pipe)
    return pipe


def test_an_error_silences_the_player(programs: Path) -> None:
    """After an error nothing is played to its end: the program is killed, also one that ignores its input."""
    pipe = sleeper(programs, "pass")
    identities: list[int] = []

    def interrupted() -> None:
        with Player(24_000) as player:
            player.write(SOUND)
            identities.append(int(pipe.read_text(encoding="utf-8")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(identities[0], 0)


def test_ctrl_c_ends_the_wait_for_the_last_sound(programs: Path) -> None:
    """An interrupt while the player still has sound to play ends both processes at once."""
    pipe = sleeper(programs, "sys.stdin.buffer.read()")
    code = """
from lineread.sinks import Player
try:
    with Player(24_000) as player:
        player.write(bytes(1000))
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        identity = int(pipe.read_text(encoding="utf-8"))
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == b"interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(identity, 0)


def test_a_player_that_reads_slowly_slows_the_speech(programs: Path) -> None:
    """Sound waits in the pipe and not in memory: more than fits there is written only as it is played."""
    install(programs, "ffplay", "time.sleep(60)")
    sound = bytes(1_000_000)
    alarm = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            play(sound=sound)
    finally:
        signal.signal(signal.SIGALRM, alarm)


@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_a_player_that_never_plays_is_given_up(programs: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Whether the pipe takes all of the sound or is full, it is ended soon, and the setting to correct is named."""
    install(programs, "ffplay", "time.sleep(60)")
    monkeypatch.setattr(players, "_PATIENCE", 1)
    with pytest.raises(OutputError, match="neither takes the sound nor ends") as caught:
        play(sound=bytes(size))
    assert "LINEREAD_PLAYER" in caught.value.remedy


def test_windows_plays_by_itself(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no program is found on Windows, Python's own player gets the file, and is stopped at the end."""
    calls: list[tuple[object, int]] = []
    fake = types.ModuleType("winsound")
    fake.SND_FILENAME, fake.SND_ASYNC = 1, 2  # type: ignore[attr-defined]

    def play_sound(name: str | None, flags: int) -> None:
        calls.append((name and read_wav(Path(name).read_bytes()), flags))

    fake.PlaySound = play_sound  # type: ignore[attr-defined]
    slept: list[float] = []
    monkeypatch.setitem(sys.modules, "winsound", fake)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(players.time, "sleep", slept.append)
    assert Player.find() == ("winsound",)
    play()
    assert calls == [((SOUND, 24_000), 3), (None, 1)]
    assert slept[0] >= len(SOUND) / 48_000


def test_every_program_is_told_what_it_gets() -> None:
    """Each known player reads standard input as samples of a stated format or as a WAV, or reads a file."""
    for line in players.PROGRAMS:
        raw = "{rate}" in line
        assert raw == any(word in line for word in ("s16le", "S16_LE", "-t raw"))
        assert raw or "{file}" in line or line.endswith(" -")
    assert "-nodisp" in players.PROGRAMS[0]
