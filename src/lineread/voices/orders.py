"""Voices that a service was asked for and has not been heard to have made: they may be paid for, and there.

Owns one file for each order: it is written before the order goes out and removed once its end is known. What is still
there later was cut off: by a power cut, a killed process, a lost answer. The file's name says whose order it is and of
what; the file holds the voice with its sample, as an exported book does, so that the voice can still be had when it is
found at the service.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from lineread import durable
from lineread.errors import ConfigError, OptionError
from lineread.voices.record import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineread.voices.record import OwnVoice

_SUFFIX: Final = ".zip"


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered.

    Attributes:
        name: What the voice shall be called.
        content: What it is to be made of.
        place: Where it was ordered; see ``engines.enroller``, like the account.
        account: For whom.
        target_model: The model that shall speak it.
    """

    name: str
    content: tuple[str, ...]
    place: str
    account: str
    target_model: str

    @classmethod
    def of(cls, voice: OwnVoice, place: str, account: str, target_model: str) -> Order:
        """The order of a voice."""
        return cls(voice.name.casefold(), content(voice), place, account, target_model)

    @property
    def file(self) -> str:
        """What its file is called: the same for the same order."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]
        return f"{self.name}.{digest}{_SUFFIX}"


class Orders:
    """The orders that are open. Whoever writes here has the right to make a voice of that name.

    Args:
        directory: Where they are kept; made with the first one.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def is_open(self, order: Order) -> bool:
        """Whether an order's end is not known, whatever became of its file's content."""
        return os.path.lexists(self._path(order.file))

    def find(
        self, name: str, place: str, account: str, targets: Iterable[str]
    ) -> tuple[Order, OwnVoice, Mapping[str, bytes]] | None:
        """An open order, the voice that was ordered, without ids, and its files; None if there is none like that.

        Args:
            name: What the voice was to be called.
            place: Where it was ordered.
            account: For whom.
            targets: The models of which one was to speak it.
        """
        from lineread.voices import archive  # noqa: PLC0415 - zipfile, 10 ms that few need

        for file in self._files(f"{name.casefold()}."):
            with suppress(OptionError):  # a damaged one tells nothing but that it is open
                ((voice, files),) = archive.unpack(self._path(file))
                orders = (Order.of(voice, place, account, target) for target in targets)
                found = next((order for order in orders if order.file == file), None)
                if found is not None:
                    return found, voice, files
        return None

    def open(self, order: Order, voice: OwnVoice, files: Mapping[str, bytes]) -> None:
        """Note an order before it goes out. It is there after a power cut.

        Args:
            order: The order.
            voice: What is ordered.
            files: The files that a new voice would have, from the start.

        Raises:
            ConfigError: It cannot be written.
        """
        from lineread.voices import archive  # noqa: PLC0415 - as in `find`

        plain = replace(voice, ids=(), replaced=(), preview="")
        whole = io.BytesIO()
        archive.pack(whole, [(plain, files)])
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            self._sweep(order)
            with durable.replacing(self._path(order.file), whole.getvalue()):
                pass
        except OSError as error:
            raise ConfigError(
                f"That a voice is ordered cannot be noted in {self._directory}: {error.strerror}.",
                remedy="Free it, or set LINEREAD_DATA_DIR to a place that can be written.",
            ) from error

    def close(self, order: Order) -> None:
        """Forget an order: what became of it is known."""
        with suppress(OSError):
            os.unlink(self._path(order.file))

    def _sweep(self, order: Order) -> None:
        """Remove what a killed process left half written of the same order."""
        for file in self._files(f"{order.file}."):
            os.unlink(self._path(file))

    def _files(self, beginning: str) -> list[str]:
        with suppress(OSError):
            return sorted(file for file in os.listdir(self._directory) if file.startswith(beginning))
        return []

    def _path(self, file: str) -> str:
        return os.path.join(self._directory, file)
