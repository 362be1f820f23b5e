"""Voices of the user's own, made as a tool was asked to.

Owns the way from a tool's arguments to the client's own making of voices, for every workshop that keeps them in the
user's book.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lineread.errors import OptionError
from lineread.voices.making import CloneWish, DesignWish, Wanted

if TYPE_CHECKING:
    from lineread.client import Client
    from lineread.enrolment import Kind
    from lineread.voices.making import Made

#: What a recording begins with that comes with the call.
DATA: Final = "data:"


async def make(client: Client, kind: Kind, wish: dict[str, Any], sample: str | bytes) -> Made:
    """Make a voice, and keep it in the book.

    Args:
        client: Makes it.
        kind: How.
        wish: The arguments of the tool.
        sample: The recording of a clone: a file's path, or its bytes.
    """
    wanted = Wanted(realtime=wish["realtime"])
    name, language = wish["voice_name"], wish["language_type"]
    if kind == "clone":
        return await client.make(CloneWish(sample, name, wish["consent"], wish["transcript"], language, wanted))
    return await client.make(DesignWish(wish["voice_prompt"], name, wish["text"], language, wanted))


def facts(made: Made) -> dict[str, str]:
    """What a tool tells of a voice that was made."""
    told = {
        "voice": made.voice.name,
        "voice_id": made.id.voice,
        "target_model": made.id.target_model,
        "fidelity": made.id.fidelity,
        "request_id": made.request_id,
    }
    return {name: fact for name, fact in told.items() if fact}


def decoded(uri: str) -> bytes:
    """The bytes of a ``data:`` URI.

    Raises:
        OptionError: It is none.
    """
    head, _, data = uri.partition(",")
    if head.lower().endswith(";base64"):
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(data, validate=True)
    raise OptionError(
        "The data: URI of the recording cannot be read.", remedy="It looks like data:audio/wav;base64,UklGR..."
    )
