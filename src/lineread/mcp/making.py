"""Voices of the user's own, made as a tool was asked to.

Owns the way from a tool's arguments to the client's own making of voices, for every workshop that keeps them in the
user's book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineread.voices.wishes import CloneWish, DesignWish, Wanted

if TYPE_CHECKING:
    from lineread.client import Client
    from lineread.enrolment import Kind
    from lineread.voices.making import Made


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
