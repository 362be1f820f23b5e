"""Voices that a service was asked for and has not been heard to have made: they may be paid for, and there.

Owns one small file for each name that is being made: it is written before the order goes out and removed once its end
is known. What is still there later was cut off: by a power cut, a killed process, a lost answer.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lineread.voices.record import OwnVoice

#: Bytes of a file that are read: more has none.
_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered.

    Attributes:
        place: Where; see ``engines.enroller``, like the account.
        account: For whom.
        target_model: The model that shall speak the voice.
        content: What it is to be made of, as a hash: an order says nothing that is private.
    """

    place: str
    account: str
    target_model: str
    content: str

    @classmethod
    def of(cls, voice: OwnVoice, place: str, account: str, target_model: str) -> Order:
        """The order of a voice."""
        made_of = (voice.kind, voice.sample_sha256, voice.prompt, voice.preview_text)
        return cls(place, account, target_model, hashlib.sha256(json.dumps(made_of).encode()).hexdigest())


class Orders:
    """The orders that are open. Whoever writes here has the right to make a voice of that name.

    Args:
        directory: Where they are kept; made with the first one.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def find(self, name: str) -> Order | None:
        """The order of that name that is open; None if there is none, or none that can be read."""
        with suppress(OSError, ValueError, TypeError, AttributeError), open(self._path(name), "rb") as file:
            return Order(**json.loads(file.read(_MOST_BYTES)))
        return None

    def open(self, name: str, order: Order) -> None:
        """Note an order before it goes out. It is there after a power cut.

        Raises:
            OSError: It cannot be written.
        """
        os.makedirs(self._directory, 0o700, exist_ok=True)
        partial = f"{self._path(name)}.part"
        with open(partial, "wb", opener=_private) as file:
            file.write(json.dumps(asdict(order)).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._path(name))

    def close(self, name: str) -> None:
        """Forget an order: what became of it is known."""
        with suppress(OSError):
            os.unlink(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, f"{name.casefold()}.json")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
