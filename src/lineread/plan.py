"""From a request to segments: everything that can be refused is refused here, before the first byte.

Owns the checks of a request's fields and the cutting of its text. Pure: no I/O, no model, no network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lineread import text as texts
from lineread.errors import OptionError, TextError, shortened
from lineread.fields import GENERATE, REALTIME
from lineread.speech import LiveRequest, Request, Segment, billed_characters
from lineread.text.characters import is_silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineread.budget import Share
    from lineread.engines.base import Engine, Limits
    from lineread.fields import Field


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done for a request.

    Attributes:
        request: The request with everything filled in.
        limits: How its text is cut.
        fingerprint: The engine's mark in every segment's key.
        share: What a budget has set aside for it; None where nothing is.
    """

    request: Request
    limits: Limits
    fingerprint: str
    share: Share | None = None

    def segments(self) -> Iterator[Segment]:
        """The segments in order, cut as they are asked for: a book starts as soon as a line."""
        limits = self.limits
        pieces = texts.split(self.request.text, limits.characters, by_sentence=limits.by_sentence, first=limits.first)
        for index, piece in enumerate(pieces):
            yield Segment(self.request, index, piece.start, piece.end, piece.pause, share=self.share)

    @property
    def characters(self) -> int:
        """What the service would bill for all of it."""
        return billed_characters(self.request.text)

    @property
    def key(self) -> str:
        """The content address of the whole speech."""
        return Segment(self.request, 0, 0, len(self.request.text)).key(self.fingerprint)


def make(request: Request, engine: Engine) -> Plan:
    """Check a request, let the engine fill it in, and say how it will be spoken.

    Raises:
        RequestError: What is asked cannot be done.
        ConfigError: The engine cannot work as it is set up.
    """
    if isinstance(request.format, str):
        request = replace(request, format=request.format.lower())
    check(request)
    if is_silent(request.text):  # it would be paid for
        raise TextError("There is nothing to speak in the text.", remedy="Give some words.", code="nothing_to_speak")
    resolved = engine.resolve(request)
    return Plan(resolved, engine.limits(resolved), engine.fingerprint(resolved))


def check(request: Request | LiveRequest) -> None:
    """Refuse fields that no engine can serve.

    Raises:
        RequestError: Says which field, and what it may be.
    """
    for field in _LIVE_FIELDS if isinstance(request, LiveRequest) else _FIELDS:
        value = getattr(request, field.name)
        if value is None and field.default is None:
            continue
        _CHECKS[field.kind](field, value)


def check_stream(stream: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        OptionError: It is.
    """
    _check_boolean(GENERATE.field("stream"), stream)


def _check_text(field: Field, value: object) -> None:
    _check_string(field, value)
    if field.choices and value not in field.choices:
        raise OptionError(
            f"The {field.name} {shortened(str(value))!r} is not supported.",
            remedy=f"Choose one of {field.limits}.",
            code=f"unknown_{field.name}",
        )


def _check_string(field: Field, value: object) -> None:
    name = field.name
    if value is None:
        raise OptionError(f"{name} must be a string, and is missing.", remedy=_wanted(field))
    if not isinstance(value, str):
        remedy = "Write it in quotes." if isinstance(value, int | float) else _wanted(field)
        raise OptionError(f"{name} must be a string, not {type(value).__name__}.", remedy=remedy)
    if not value.strip():
        if name == "text":
            raise TextError("The text is empty.", remedy=_wanted(field), code="empty_text")
        raise OptionError(f"{name} is empty.", remedy=_wanted(field))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"{name} holds half a character (a lone surrogate) at position {error.start}.",
            remedy="Decode it from the right encoding, most likely UTF-8.",
        ) from error


def _check_number(field: Field, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{field.name} must be a number.", remedy=f"Give a number from {field.limits}.")
    _check_range(field, value, "number")


def _check_integer(field: Field, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"{field.name} must be a whole number.", remedy=f"Give a whole number from {field.limits}.")
    _check_range(field, value, "whole number")


def _check_range(field: Field, value: float, kind: str) -> None:
    assert field.least is not None
    assert field.most is not None
    if not field.least <= value <= field.most:
        raise OptionError(f"{field.name} is out of range.", remedy=f"Give a {kind} from {field.limits}.")


def _wanted(field: Field) -> str:
    """What to do about a string that is none."""
    if field.name == "text":
        return "Give some words to speak."
    return f"Give a {field.name}." if field.required else "Fill it in, or leave it out."


def _check_boolean(field: Field, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionError(f"{field.name} must be true or false.", remedy="Give true or false.")


_FIELDS = tuple(field for field in GENERATE.request if field.name != "stream")
_LIVE_FIELDS = tuple(field for field in REALTIME.request if field.name != "text")
_CHECKS = {"string": _check_text, "number": _check_number, "integer": _check_integer, "boolean": _check_boolean}
