"""Which engines there are.

Owns the table of lineread's own engines and the entry-point group by which other packages bring theirs:

    [project.entry-points."lineread.engines"]
    mine = "my_package:MyEngine"
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from lineread import catalogue
from lineread.engines.base import Engine
from lineread.errors import EngineUnknown, shortened

if TYPE_CHECKING:
    from lineread.config import Settings

GROUP: Final = "lineread.engines"
OWN: Final = {
    "dashscope": "lineread.engines.dashscope:DashScope",
    "local": "lineread.engines.local:Local",
    "builtin": "lineread.engines.builtin:Builtin",
    "kokoro": "lineread.engines.kokoro:Kokoro",
    "espeak": "lineread.engines.espeak:Espeak",
    "fake": "lineread.engines.fake:Fake",
}


def create(name: str, settings: Settings) -> Engine:
    """An engine of that name, set up.

    Raises:
        EngineUnknown: There is none.
        ConfigError: It lacks something that it needs, such as a key.
    """
    return _find(name).configured(settings)


def names() -> list[str]:
    """All engines that could be asked for, lineread's own first."""
    return [*OWN, *sorted(_brought().keys() - OWN.keys())]


def _find(name: str) -> type[Engine]:
    path = OWN.get(name) or _brought().get(name)
    if path is None:
        hint = catalogue.suggestion(name, names(), f"Choose one of {', '.join(names())}.")
        raise EngineUnknown(f"There is no engine {shortened(name)!r}.", remedy=hint)
    try:
        return _loaded(path)
    except Exception as error:  # another package may fail in any way when it is imported
        raise EngineUnknown(
            f"The engine {name!r} cannot be loaded from {path}.",
            remedy="Install or repair the package that brings it.",
        ) from error


def _loaded(path: str) -> type[Engine]:
    module, _, attribute = path.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise TypeError(f"{path} is no Engine")
    return found


def _brought() -> dict[str, str]:
    """Engines of other packages. Asked only for names that are not our own: the look-up takes 50 ms."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return {point.name: point.value for point in entry_points(group=GROUP)}
