"""Settings with which no agent could ever be served: whoever starts the server is told, in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agents.agent import agent
from lineread.errors import OptionError
from lineread.mcp.folder import Folder
from server.voicemaking import SAMPLE
from support import lineread


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--output", "/proc/voices"], 6, b"cannot be written to: No such file or directory. Name another one"),
        (["--output", "a file"], 6, b"is no directory. Name one with --output."),
        (["--engine", "nosuch"], 3, b"There is no engine 'nosuch'."),
        (["--engine", "dashscope"], 3, b"There is no DashScope key."),
        (["--samples", "nowhere"], 2, b"There is no directory 'nowhere'. Check --samples."),
    ],
)
def test_what_can_never_work_is_refused(options: list[str], status: int, said: bytes) -> None:
    """Not first when an agent has paid for a line."""
    Path("a file").touch()
    done = lineread("mcp", *options, stdin=-3)
    assert (done.returncode, done.stderr.count(b"\n")) == (status, 1)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../up.wav", "it leads out of the folder"),
        ("/etc/up.wav", "begins at another place"),
        (".hidden.wav", "begins with ."),
        ("-o.wav", "begins with -"),
        ("a*.wav", "it has * in it"),
        ("x" * 201, "more than 200 characters"),
        ("a\tb.wav", "cannot be seen"),
        ("a /b.wav", "ends with a space"),
        ("con.wav", "con is a device"),
        ("away/x.wav", "a link leads out of the folder"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_its_reason(name: str, why: str, tmp_path: Path) -> None:
    """An agent that is only told that it may write below the folder would try the same again."""
    (tmp_path / "away").symlink_to("/tmp")
    with pytest.raises(OptionError, match="is no name for a file here") as refused:
        Folder(str(tmp_path)).place(name, "wav")
    assert why in refused.value.message


async def test_a_recording_is_found_by_its_name(tmp_path: Path) -> None:
    """In the output folder, as the refusal of one that lies elsewhere says."""
    async with agent("stdio", tmp_path) as caller:
        elsewhere = tmp_path.parent / "elsewhere.wav"
        elsewhere.write_bytes(SAMPLE)
        said, _ = await caller.refused("clone_voice", voice_sample=str(elsewhere), consent="Me.")
        assert "give its name there" in said
        shutil.copy(elsewhere, tmp_path / "voices" / "me.wav")
        assert await caller.call("clone_voice", voice_sample="me.wav", voice_name="me", consent="Me.", text="")
