"""Loading the heavy half of the engine.

Owns the order of it, and nothing else. A first line waits for all of it, so nothing here waits for another part: the
word tables are unpacked while numpy is imported, and hibari's rules are read while onnxruntime sets up the network.
Unpacking and setting up leave the interpreter to others, so both overlap on two cores. That is why what is imported
when is written out here, and nowhere else. Threads are plain ones: ``concurrent.futures`` takes 12 ms to import.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from lineread.english import hibari, tables
from lineread.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.engines.builtin.speaker import Speaker

T = TypeVar("T")


class Loading:
    """A load under way. Making one takes as long as importing numpy and onnxruntime; then the rest has begun.

    Raises:
        ConfigError: A package of the engine is missing.
    """

    def __init__(self) -> None:
        self._model = _Task(lambda: hibari.asset("hibari.onnx"))
        self._tables = _Task(tables.unpack)
        try:
            from lineread.engines.builtin.model import Network  # noqa: PLC0415 - numpy and onnxruntime
        except ImportError as error:
            raise ConfigError(
                f"The built-in voice lacks a package: {error.name or 'onnxruntime'}.",
                remedy="Reinstall with `pip install --force-reinstall lineread`.",
            ) from error
        self._network = _Task(lambda: Network(self._model.result()))

    def result(self) -> Speaker:
        """The loaded voice, once it is.

        Raises:
            ConfigError: hibari-tts is broken, or of an unknown version.
        """
        from lineread.engines.builtin.speaker import Speaker  # noqa: PLC0415
        from lineread.english.phonemes import Phonemizer  # noqa: PLC0415 - beside the set-up of the network

        phonemizer = Phonemizer(self._tables.result())
        return Speaker(self._network.result(), phonemizer)


class _Task(threading.Thread, Generic[T]):
    """A call on a thread of its own, which the interpreter waits for at its end: onnxruntime would abort it."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="lineread-load")
        self._work = work
        self._outcome: list[T] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error

    def result(self) -> T:
        """What the call returns, or raises."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._outcome[0]
