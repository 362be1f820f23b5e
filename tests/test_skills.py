"""The skills for agents are valid and true: whatever they show is executed against a server of the protocol."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skills_ref
import soundfile

from lineread import tts
from lineread.fields import CALLS, Call
from support import serving

ROOT = Path(__file__).parent.parent
SKILLS = {
    ROOT / "skills" / f"alicloud-ai-audio-tts{suffix}": call
    for suffix, call in zip(("", "-realtime", "-voice-clone", "-voice-design"), CALLS, strict=True)
}
every_skill = pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an agent that has a key, where `lineread serve` stands for the service."""
    with serving(tmp_path_factory.mktemp("server"), "--engine", "builtin") as address:
        home = tmp_path_factory.mktemp("home")
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
        yield kept | {
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
            "HOME": str(home),
            "DASHSCOPE_API_KEY": "sk-of-a-test",
            "DASHSCOPE_HTTP_BASE_URL": f"http://{address}/api/v1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


@every_skill
def test_it_is_a_skill(skill: Path) -> None:
    """The format's own validator finds nothing, an agent's context is spared, and whatever it refers to is there."""
    assert skills_ref.validate(skill) == []
    said = (skill / "SKILL.md").read_text(encoding="utf-8")
    assert len(said.splitlines()) < 150
    assert re.fullmatch(r"[a-z0-9-]{1,64}", skill.name)
    for place in re.findall(r"references/\w+\.md", said):
        assert (skill / place).is_file()
    assert set(re.findall(r"`(alicloud-[a-z-]+)`", said)) <= {each.name for each in SKILLS}


@every_skill
def test_its_interface_is_the_declared_one(skill: Path) -> None:
    """The section on the normalized interface names fields of its call, and each that must be given."""
    call: Call = SKILLS[skill]
    said = (skill / "SKILL.md").read_text(encoding="utf-8")
    section = said.partition(f"## Normalized interface: tts.{call.name}\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_0-9]+)`", section))
    fields = (*call.request, *call.response)
    assert named <= {field.name for field in fields}.union(*(field.choices for field in fields))
    assert {field.name for field in fields if field.required} <= named


@every_skill
def test_what_it_shows_runs_and_says_something(skill: Path, environ: dict[str, str]) -> None:
    """Every command and every Python example, as an agent reads them: each file that they name has sound."""
    tts.generate(text="The harbour is quiet in the morning. A few gulls sit on the wall.", voice="Ethan").save("me.wav")
    texts = [path.read_text(encoding="utf-8") for path in (skill / "SKILL.md", *(skill / "references").glob("*.md"))]
    commands = [block for text in texts for block in _blocks(text, "sh")]
    examples = [block for text in texts for block in _blocks(text, "python")]
    assert commands
    assert len(examples) >= 3
    _run(["sh", "-e", "-c", "\n".join(commands)], environ)
    _run([sys.executable, "-c", "import sys\nfor each in sys.argv[1:]: exec(each, {})", *examples], environ)
    named = set(re.findall(r"""(?:-o |save\("|open\(")([\w/.]+)""", "\n".join(commands + examples)))
    assert len(named) >= 3
    for path in (*map(Path, named), *Path().rglob("output/**/*.*")):
        assert _loud_seconds(path) > 0.5, path


def _run(command: list[str], environ: dict[str, str]) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "no DashScope key" not in done.stderr


def _loud_seconds(path: Path) -> float:
    raw = {"samplerate": 24_000, "channels": 1, "subtype": "PCM_16", "format": "RAW"} if path.suffix == ".pcm" else {}
    samples, rate = soundfile.read(path, **raw)
    return float((np.abs(samples) > 0.01).sum() / rate)


def test_the_wheel_brings_them(tmp_path: Path) -> None:
    """What is built for others has all files of all skills, and installs them from there."""
    site, folder = tmp_path / "site", tmp_path / "agents"
    code = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    zipfile.ZipFile(tmp_path / built.stdout.split()[-1]).extractall(site)
    command = [sys.executable, "-m", "lineread", "skill", "install", "--to", str(folder)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(site)}, timeout=60, check=True)
    for home in (site / "lineread" / "skills", folder):
        assert _content(home) == _content(ROOT / "skills")


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*.*") if path.name != ".installed.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
