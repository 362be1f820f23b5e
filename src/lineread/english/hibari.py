"""The installed hibari package: where it lies, which version it is, its text-to-phoneme code without the rest.

Owns the only knowledge of hibari's files. Imports nothing heavy: a fingerprint asks for the version, and a repeated
line must not pay for more.

``import hibari`` itself would run the package's initialiser, which loads its own vocoder, an HTTP client and, where
it is installed, scipy: up to 0.4 s for nothing that is used here. So the subpackage ``hibari.g2p``, which is closed in
itself, is loaded under a private name; an ``import hibari`` elsewhere in the process finds its own, untouched modules.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from lineread.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

REMEDY = "Reinstall it with `pip install --force-reinstall --no-deps 'hibari-tts>=0.2.1,<0.3'`."

_PRIVATE_NAME = "lineread.english._hibari_g2p"


@functools.cache
def root() -> str:
    """The directory of the installed package.

    Raises:
        ConfigError: There is none.
    """
    spec = PathFinder.find_spec("hibari")
    if spec is None or spec.origin is None:
        raise ConfigError("English is read by the package hibari-tts, and that is not installed.", remedy=REMEDY)
    return os.path.dirname(spec.origin)


@functools.cache
def version() -> str:
    """The version of the installed package, from the name of its metadata beside it.

    ``importlib.metadata`` would say the same, for 30 ms.
    """
    prefix, suffix = "hibari_tts-", ".dist-info"
    for name in os.listdir(os.path.dirname(root())):
        if name.startswith(prefix) and name.endswith(suffix):
            return name[len(prefix) : -len(suffix)]
    return "unknown"


def asset(name: str) -> bytes:
    """One of the package's data files.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with open(os.path.join(root(), "assets", name), "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"hibari-tts lacks its file {name}.", remedy=REMEDY) from error


def g2p() -> ModuleType:
    """The module ``hibari.g2p``, as a private copy.

    Raises:
        ConfigError: It cannot be loaded.
    """
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415 - not for a fingerprint

    if _PRIVATE_NAME in sys.modules:
        return sys.modules[_PRIVATE_NAME]
    directory = os.path.join(root(), "g2p")
    spec = spec_from_file_location(
        _PRIVATE_NAME, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_PRIVATE_NAME] = module  # its own relative imports look here
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError, ValueError) as error:
        del sys.modules[_PRIVATE_NAME]
        raise ConfigError("hibari-tts cannot turn text into sounds.", remedy=REMEDY) from error
    return module
