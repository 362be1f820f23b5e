"""The network: phonemes in, samples out.

Owns the use of onnxruntime and of the voice tables. Both exports of the weights are accepted; they differ in the names
of their inputs.

One thread for each call: two sentences at a time on two cores take 0.8 of the time that one sentence on both takes.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime as ort

from lineread.engines.kokoro import pack
from lineread.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

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
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                os.path.join(place, pack.MODEL), options, providers=["CPUExecutionProvider"]
            )
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
