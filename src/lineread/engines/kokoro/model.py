"""The network: phonemes in, samples out.

Owns the use of onnxruntime and of the voice tables. Both exports of the weights are accepted; they differ in the names
of their inputs. The network is rewritten to be faster (``graph``) when it is first loaded, and kept beside the file
that it was made of: the next time it is set up in two thirds of the time.

One thread for each call: two sentences at a time on two cores take 0.8 of the time that one sentence on both takes.
"""

from __future__ import annotations

import functools
import os
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lineread._onnxruntime import ort
from lineread.engines.kokoro import graph, pack
from lineread.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

#: How the file ends that a rewritten network is kept in.
KEPT: Final = ".fast"
#: Most phonemes of one call, the two pads left out.
MOST_PHONEMES: Final = 510
#: A voice table has a row for each number of phonemes.
_ROWS, _WIDTH = 510, 256


class Network:
    """The network, loaded. Safe to call from several threads at once; each call runs on the thread that makes it.

    Args:
        place: Where the pack lies.

    Raises:
        ConfigError: A file of it cannot be used.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._tables: dict[str, Floats] = {}
        self._lock = threading.Lock()
        try:
            self._session = _rewritten(os.path.join(place, pack.MODEL)) or _session(os.path.join(place, pack.MODEL))
            names = [each.name for each in self._session.get_inputs()]
            self._tokens = next(name for name in names if name in ("input_ids", "tokens"))
        except Exception as error:
            raise pack.damaged(pack.MODEL) from error

    def table(self, voice: str) -> Floats:
        """The styles of a voice: a row for each number of phonemes.

        Raises:
            ConfigError: The file is damaged.
        """
        with self._lock:
            if voice not in self._tables:
                path = f"voices/{voice}.bin"
                raw = pack.read(self._place, path)
                if len(raw) != 4 * _ROWS * _WIDTH:
                    raise pack.damaged(path)
                self._tables[voice] = np.frombuffer(raw, "<f4").reshape(_ROWS, 1, _WIDTH)
            return self._tables[voice]

    def speak(self, ids: Sequence[int], style: Floats, pace: float) -> Floats:
        """The sound of some phonemes, with some silence around it.

        Args:
            ids: Their numbers, 1 to 510 of them.
            style: A row of a voice table.
            pace: Factor on the speaking rate.

        Raises:
            ServiceFailed: The network broke.
        """
        inputs: dict[str, NDArray[Any]] = {
            self._tokens: np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([pace], np.float32),
        }
        try:
            sound: Floats = self._session.run(None, inputs)[0]
        except Exception as error:
            raise ServiceFailed("The kokoro voice's network failed.", remedy=f"Try `{pack.INSTALL}`.") from error
        return sound.reshape(-1)


def _session(model: str | bytes, **settings: object) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    for name, value in settings.items():
        setattr(options, name, value)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _rewritten(path: str) -> ort.InferenceSession | None:
    """The faster network; None where it would not be exact, or cannot be made."""
    if not _is_exact():
        return None
    mark = zlib.crc32(f"{ort.__version__} {graph.VERSION}".encode())
    kept = f"{path}.{mark:08x}{KEPT}"
    try:
        return _session(kept, graph_optimization_level=ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    except Exception:  # noqa: BLE001 - it is not there, or another one's; it can be made anew
        with suppress(OSError):
            os.remove(kept)
    try:
        with open(path, "rb") as file:
            model = graph.with_products(file.read())
    except (OSError, ValueError):
        return None
    return _keeping(model, kept)


def _keeping(model: bytes, kept: str) -> ort.InferenceSession | None:
    """A session, kept as it is set up if there is room for it."""
    part = f"{kept}.{os.getpid()}.part"
    level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED  # the next one is for this very processor
    try:
        session = _session(model, graph_optimization_level=level, optimized_model_filepath=part)
        os.replace(part, kept)
    except Exception:  # noqa: BLE001 - no room, no permission
        with suppress(OSError):
            os.remove(part)
        with suppress(Exception):  # a graph that cannot be set up is left as it was
            return _session(model)
        return None
    return session


@functools.cache
def _is_exact() -> bool:
    """Whether this processor adds up products with signed weights without cutting them off."""
    model, sound, product = graph.probe()
    return bool(np.array_equal(_session(model).run(None, {"sound": sound})[0], product))
