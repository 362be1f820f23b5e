"""The public face: few names, all of them there, and an import that costs next to nothing."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import lineread
from lineread.cli import COMMANDS
from support import python


def test_the_public_names_are_sorted_complete_and_few() -> None:
    """``__all__`` has every public name once, in order, at most fifteen of them, and ``dir`` shows just these."""
    names = lineread.__all__
    assert names == sorted(set(names))
    assert len(names) <= 15
    assert dir(lineread) == names
    assert {*lineread._HOMES, "__version__"} == set(names)


@pytest.mark.parametrize("name", lineread.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    """Each name loads, is what its home module has, and says what it is for."""
    value = getattr(lineread, name)
    if name != "__version__":
        assert value.__doc__
        home = importlib.import_module(lineread._HOMES[name])
        assert value is getattr(home, name, home)


def test_other_names_are_refused_as_usual() -> None:
    """A wrong name is an AttributeError, and ``import *`` brings the public names."""
    with pytest.raises(AttributeError, match="'nothing'"):
        lineread.nothing  # noqa: B018
    with pytest.raises(ImportError):
        from lineread import nothing  # noqa: F401
    everything: dict[str, object] = {}
    exec("from lineread import *", everything)
    assert set(lineread.__all__) <= everything.keys()


#: The program itself, and what imports a framework that prints and warns as it likes; see adapters.
ELSEWHERE = {"lineread.__main__", "lineread.adapters.livekit", "lineread.adapters.pipecat"}


def test_every_module_can_be_imported_alone() -> None:
    """No module needs another one to have been imported before it."""
    modules = [module.name for module in pkgutil.walk_packages(lineread.__path__, "lineread.")]
    assert "lineread.cli.say" in modules
    code = (
        "import importlib, os, sys\n"
        "import aiohttp, asyncio, hibari, numpy, onnxruntime, soundfile\n"  # theirs: loaded once for all
        "for name in sys.argv[1:]:\n"
        "    if os.fork() == 0:\n"
        "        try: importlib.import_module(name); os._exit(0)\n"
        "        except BaseException as error: print(name, repr(error), flush=True); os._exit(1)\n"
        "for name in sys.argv[1:]: os.wait()\n"
    )
    child = python(code, *(name for name in modules if name not in ELSEWHERE))
    assert (child.stdout.decode(), child.stderr.decode()) == ("", "")


HEAVY = ("numpy", "asyncio", "dataclasses", "inspect", "json", "logging", "tempfile", "subprocess", "socket")
MODELS = ("numpy", "asyncio", "aiohttp", "onnxruntime", "soundfile", "hibari", "logging", "tomllib", "ssl", "socket")


def _loaded(statement: str, unwanted: tuple[str, ...]) -> list[str]:
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*(m for m in {unwanted!r} if m in sys.modules))"
    child = python(code)
    assert child.stderr == b""
    return child.stdout.decode().split()


def test_importing_lineread_is_light() -> None:
    """``import lineread`` loads nothing but its own face."""
    assert _loaded("import lineread", HEAVY) == []
    code = "import sys, lineread; print(*(m for m in sys.modules if m.startswith('lineread')))"
    assert set(python(code).stdout.decode().split()) == {"lineread", "lineread.version"}


def test_the_light_path_loads_neither_a_loop_nor_arrays() -> None:
    """The interface, the client and every command load without asyncio, numpy, a model or a network library."""
    assert _loaded("from lineread import tts, Client, errors", MODELS) == []
    for command in COMMANDS:
        assert _loaded(f"import lineread.cli.{command}", MODELS) == [], command


def test_the_version_is_one() -> None:
    """The version in the package is the one that was installed."""
    from importlib.metadata import version

    assert lineread.__version__ == version("lineread")
