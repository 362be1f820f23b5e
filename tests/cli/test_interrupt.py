"""Ctrl-C: the command ends at once, in silence, with status 130, and leaves neither half a file nor a process.

What was killed in the middle, and paid for, is found again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from loopback.customization import VoiceCloud, make
from loopback.dashscope import Call
from support import install, lineread, python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is no signal to send")

#: Seconds in which an interrupted command has to be gone, on a busy machine.
SOON = 5

SLOW = """
import asyncio
from pathlib import Path
from lineread import Chunk, Engine

class Slow(Engine):
    name = "slow"

    async def stream(self, segment):
        yield Chunk(b"\\x00\\x10" * 24000, 24000, 0, segment.span)
        Path("begun").touch()
        await asyncio.sleep(3600)
"""

#: Takes all sound, and goes on "playing" for ever.
PLAYER = """
import os, sys, time
from pathlib import Path
Path("player.pid").write_text(str(os.getpid()))
while sys.stdin.buffer.read(1000):
    Path("playing").touch()
Path("heard").touch()
time.sleep(3600)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A place with an engine that never comes to an end."""
    install(tmp_path / "site", "slow_engine", SLOW, slow="slow_engine:Slow")
    return tmp_path / "site"


@pytest.fixture
def player() -> str:
    Path("player.py").write_text(PLAYER)
    return f"{sys.executable} player.py"


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def interrupted(
    *arguments: str, site: Path, sign: str = "begun", signals: int = 1, number: int = signal.SIGINT, **environ: str
) -> bytes:
    """Run a command, interrupt it once a sign has appeared, and see that it ends as it should. Gives its output."""
    environment = {**os.environ, "PYTHONPATH": str(site), **environ}
    with subprocess.Popen(
        [sys.executable, "-m", "lineread", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    ) as process:  # fmt: skip
        try:
            until(lambda: Path(sign).exists())
            for _ in range(signals):
                process.send_signal(number)
            output, errors = process.communicate(timeout=SOON)
        finally:
            process.kill()
    assert errors == b""
    assert process.returncode == 130
    return output


def sounds() -> list[Path]:
    return [path for path in Path().rglob("*") if path.is_file() and path.suffix in {".wav", ".part", ".mp3"}]


@pytest.mark.parametrize("target", [[], ["-o", "x.wav"], ["-o", "x.mp3"]])
def test_while_speaking(target: list[str], site: Path) -> None:
    """No file appears, neither under its name nor beside it, and nothing is printed."""
    assert interrupted("say", "-e", "slow", *target, "Hello there.", site=site) == b""
    assert sounds() == []


def test_while_streaming(site: Path) -> None:
    """What was streamed until then has arrived; the end of a stream that breaks off is not made up."""
    errors, rest = _interrupted_reader("say", "-e", "slow", "-o", "-", "--format", "pcm", "Hello there.", site=site)
    assert (errors, len(rest) <= 48_000) == (b"", True)


def _interrupted_reader(*arguments: str, site: Path | None = None) -> tuple[bytes, bytes]:
    """Interrupt a command once the first bytes of its output have come. Gives its errors and the rest of its output."""
    environment = {**os.environ, "PYTHONPATH": str(site or "")}
    command = [sys.executable, "-m", "lineread", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            assert len(process.stdout.read(64)) == 64
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=SOON)
        finally:
            process.kill()
    assert process.returncode == 130
    return errors, rest


def test_a_polite_end(site: Path) -> None:
    """SIGTERM, as service managers and ``kill`` send it, cleans up like Ctrl-C."""
    interrupted("say", "-e", "slow", "-o", "x.wav", "Hello there.", site=site, number=signal.SIGTERM)
    assert sounds() == []


def test_an_impatient_user(site: Path) -> None:
    """Pressing the keys several times does not make it noisy."""
    interrupted("say", "-e", "slow", "-o", "x.wav", "Hello there.", site=site, signals=2)


def test_a_generated_request(site: Path) -> None:
    """``generate`` ends the same way, without a response."""
    request = '{"text": "Hello there.", "voice": "Cherry"}'
    assert interrupted("generate", "-e", "slow", "--request", request, "--print-response", site=site) == b""
    assert sounds() == []


@pytest.mark.parametrize(("engine", "sign"), [("slow", "playing"), ("fake", "heard")])
def test_while_playing(engine: str, sign: str, site: Path, player: str) -> None:
    """The player falls silent at once, whether sound is still to come or all of it was handed over."""
    interrupted("say", "-e", engine, "--play", "Hello there.", site=site, sign=sign, LINEREAD_PLAYER=player)
    pid = int(Path("player.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert sounds() == []


def test_a_file_is_safe_before_its_playing_ends(site: Path, player: str) -> None:
    """Interrupting the playing does not take away the file that was written whole before."""
    interrupted("say", "-e", "fake", "--play", "-o", "x.wav", "Hello there.", site=site, sign="heard",
                LINEREAD_PLAYER=player)  # fmt: skip
    assert Path("x.wav").stat().st_size == 44 + 2 * round(0.6 * 24_000)


def test_the_neural_voice_can_be_interrupted() -> None:
    """The built-in voice renders in threads of its own; they do not hold up the end."""
    text = "Here is a sentence that takes a while to say, and then there is more of it. " * 40
    errors, _ = _interrupted_reader("say", "-e", "builtin", "--no-cache", "--stream", "--json", text)
    assert errors == b""


def test_an_interrupt_where_the_interpreter_hears_nothing_is_not_lost() -> None:
    """Python prints an error that arises in ``__del__``, and goes on; Ctrl-C there ends the command all the same."""
    code = (
        "import signal, sys, time\n"
        "from lineread.cli import door\n"
        "class Dropped:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "def command():\n"
        "    Dropped()\n"
        "    time.sleep(60)\n"
        "    return 0\n"
        "sys.exit(door.guard(command, json_wanted=False))\n"
    )
    done = python(code, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


COMMAND = ("-m", "lineread", "voices", "design", "A dry guide.", "--name", "guide", "--text", "This way.")
LIBRARY = ("-c", "from lineread import tts; tts.voice_design('A dry guide.', voice_name='guide', text='This way.')")


async def insist(process: asyncio.subprocess.Process) -> None:
    """Press Ctrl-C again until it is heard: two at once are one."""
    while process.returncode is None:
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.2)


def test_two_signals_at_once_are_one() -> None:
    """``timeout`` sends the same signal to the command and to its group: that is nobody who insists."""
    code = (
        "import signal, sys, time\n"
        "from lineread.cli import door\n"
        "def command():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    finally:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        print('whole', flush=True)\n"
        "sys.exit(door.guard(command, json_wanted=False))\n"
    )
    done = python(code, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"whole\n", b"")


@pytest.mark.parametrize("program", [COMMAND, LIBRARY], ids=["command", "library"])
@pytest.mark.parametrize("patient", [True, False])
async def test_while_a_voice_is_made(program: tuple[str, ...], patient: bool) -> None:  # noqa: FBT001 - a case
    """It is paid for, so it is waited for and kept, which one line says; who insists does not have to wait."""
    gate, begun = asyncio.Event(), asyncio.Event()
    made = make()

    async def slowly(call: Call) -> web.StreamResponse:
        begun.set()
        await gate.wait()
        return await made(call)

    async with VoiceCloud() as cloud:
        cloud.script(slowly)
        environ = {**os.environ, "DASHSCOPE_API_KEY": cloud.key, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, env=environ, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30):
                await begun.wait()
                process.send_signal(signal.SIGINT)
                while b"the voice guide is still being made" not in (said := await process.stderr.readline()):
                    assert said  # the traceback of the library's caller
                if patient:
                    gate.set()
                else:
                    await insist(process)
                _, rest = await process.communicate()
        finally:
            gate.set()
            if process.returncode is None:
                process.kill()
        assert rest == b""
        assert process.returncode in (130, -signal.SIGINT)
        listed = lineread("voices", "list", "--json", "--own") if patient else None
        assert listed is None or [each["id"] for each in json.loads(listed.stdout)] == ["guide"]
        assert len(cloud.voices) == patient


async def test_a_clone_whose_command_was_killed() -> None:
    """What the next run says to do is done to the letter: the voice is taken, and was paid for once."""
    begun = asyncio.Event()

    async def unheard(call: Call) -> web.StreamResponse:
        cloud.carry_out(call)
        begun.set()
        await asyncio.sleep(3600)
        return web.Response()

    speech = "This is my own voice, as it sounds on any day. I read a few lines, so that a copy of it can be made."
    assert lineread("say", "-e", "builtin", "-v", "Ethan", "-o", "me.wav", speech).returncode == 0
    clone = ("voices", "clone", "me.wav", "--name", "narrator", "--consent", "myself", "-q")
    async with VoiceCloud() as cloud:
        environ = {**os.environ, "DASHSCOPE_API_KEY": cloud.key, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url}

        async def run(*arguments: str) -> tuple[int, str]:
            done = await asyncio.to_thread(lineread, *arguments, env=environ)
            return done.returncode, (done.stdout + done.stderr).decode()

        cloud.script(unheard)
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "lineread", *clone, env=environ)
        try:
            async with asyncio.timeout(30):
                await begun.wait()
        finally:
            process.kill()
            await process.wait()
        (lost,) = cloud.voices
        status, said = await run(*clone)
        assert status == 2
        remedy = re.search(r"take it: lineread (voices add .*?)\. ", said)
        assert remedy is not None
        assert await run(*shlex.split(remedy[1])) == (0, "narrator is in the voice book.\n")
        assert await run(*clone) == (0, f"narrator is {lost}, for qwen3-tts-vc-2026-01-22\n")
        assert [each["input"]["action"] for each in cloud.asked].count("create") == 1

        stray = "qwen-tts-vc-narrator-voice-20261118000000009-0009"
        cloud.voices[stray] = cloud.voices[lost] | {"voice": stray}
        assert f"delete it: lineread voices delete {lost}." in said
        assert await run("voices", "delete", stray) == (0, f"{stray} is deleted.\n")
        assert [*cloud.voices] == [lost]
