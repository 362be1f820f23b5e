"""Request bodies in any dialect: one reading of JSON, one check of a field, one error for what is wrong.

Owns what is accepted as a value of a field that ``fields`` declares. How the dialects call and place a field, and the
words in which they refuse it, are theirs. No I/O.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lineread.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.fields import Field

#: Most characters of a model's, a voice's or a language's name; a longer one is nobody's.
LONGEST_NAME: Final = 200
#: Bytes from which on a body is large: it brings a recording, and is read beside the event loop where that can be.
LARGE: Final = 1 << 16
#: Most commas and brackets of a large body. It is large because of one string; what is made of small parts takes
#: seconds to read, and says nothing. A text may be as long as that and have nothing else in it.
_MOST_MARKS: Final = 100_000
#: Samples a second that a format can hold, where it cannot hold all.
SAMPLE_RATES: Final = {
    "ogg": (8_000, 12_000, 16_000, 24_000, 48_000),
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "aac": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}


class FieldError(MalformedRequest):
    """The body, or a field of it, cannot be taken.

    Args:
        place: Which field, as the dialect calls it; empty where the body as a whole is meant.
        kind: What is wrong with it, as OpenAI's codes say it: ``invalid_json``, ``invalid_type``, ``invalid_value``,
            ``missing_required_parameter`` and finer ones.
        remedy: What it may be.
        message: What is wrong, without the field's value, where the kind does not say enough.
    """

    def __init__(self, place: str, kind: str, remedy: str, message: str = "") -> None:
        super().__init__(message or f"{place} {_SAID.get(kind, _SAID['invalid_value'])}.", remedy=remedy)
        self.place = place
        self.kind = kind


_SAID: Final = {
    "invalid_type": "has another type than it should",
    "invalid_value": "has a value that it cannot have",
    "missing_required_parameter": "is missing",
}


def check_parts(body: bytes) -> None:
    """Refuse a large body that is made of small parts, before it is read.

    Raises:
        FieldError: It is.
    """
    if len(body) > LARGE and sum(body.count(mark) for mark in b",[{") > _MOST_MARKS:
        raise FieldError("", "invalid_json", "Send the recording as one string.", "The body has too many parts.")


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        FieldError: There is none in UTF-8, or one that can be read in more than one way.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FieldError("", "invalid_json", "Encode the JSON in UTF-8.", "The body is not UTF-8.") from None
    try:
        fields = json.loads(text, parse_constant=_no_number, object_pairs_hook=unambiguous)
    except (ValueError, RecursionError):
        remedy = "Check its brackets, quotes and commas."
        raise FieldError("", "invalid_json", remedy, "The body is not JSON.") from None
    if not isinstance(fields, dict):
        remedy = "Send an object: { at its beginning, } at its end."
        raise FieldError("", "invalid_type", remedy, "The body is not a JSON object.")
    return fields


def value(field: Field, raw: object, place: str = "") -> Any:  # noqa: ANN401 - as the field's kind says
    """A field's value, or its default. Null is as good as nothing, and so is an empty string where none is needed.

    Args:
        field: What is declared of it.
        raw: What JSON made of it.
        place: Where it stands, if it is not called as declared.

    Raises:
        FieldError: It cannot be taken.
    """
    place = place or field.name
    if raw is None or (raw == "" and field.kind == "string" and not field.required):
        if field.required:
            raise FieldError(place, "missing_required_parameter", _sought(field))
        return field.default
    if not _KINDS[field.kind](raw):
        raise FieldError(place, "invalid_type", f"It must be of the type {_NAMES.get(field.kind, field.kind)}.")
    if isinstance(raw, str):
        _check_string(field, raw, place)
    if field.choices and raw not in field.choices:
        raise FieldError(place, "invalid_value", f"Choose one of {field.limits}.")
    if isinstance(raw, int | float) and not _within(field, raw):
        raise FieldError(place, "invalid_value", f"Give a number from {field.limits}.")
    return int(raw) if field.kind == "integer" and isinstance(raw, float) else raw


def check_name(name: str | None, place: str) -> None:
    """Refuse a name that is too long to be one, so that no answer repeats it.

    Raises:
        FieldError: It is.
    """
    if name is not None and len(name) > LONGEST_NAME:
        raise FieldError(place, "invalid_value", f"No name has more than {LONGEST_NAME} characters.")


def check_rate(sample_rate: int | None, form: str) -> None:
    """Refuse a sample rate that a format cannot hold; None is the rate at which the voice speaks.

    Raises:
        FieldError: It cannot.
    """
    rates = SAMPLE_RATES.get(form)
    if rates and sample_rate is not None and sample_rate not in rates:
        known = ", ".join(map(str, rates))
        raise FieldError("sample_rate", "invalid_value", f"Choose one of {known} for this format.")


def _no_number(constant: str) -> float:
    """Refuse NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)


def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's fields, for ``json.loads`` to build it with.

    Raises:
        FieldError: One of them is there twice: which one counts would be a guess.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise FieldError("", "invalid_json", "Send each field once.", "The JSON has a field twice.")
    return fields


def _sought(field: Field) -> str:
    """What to send where nothing came: a remedy made of what the field means."""
    return f"Choose one of {field.limits}." if field.choices else f"Send {field.meaning[0].lower()}{field.meaning[1:]}"


def _check_string(field: Field, raw: str, place: str) -> None:
    try:
        raw.encode()
    except UnicodeEncodeError:
        remedy = "It holds half a character (a lone surrogate): decode it from the right encoding."
        raise FieldError(place, "invalid_value", remedy) from None
    if field.required and not raw.strip():
        raise FieldError(place, "invalid_value", _sought(field), f"{place} is empty.")


def _within(field: Field, number: float) -> bool:
    return field.least is None or field.most is None or field.least <= number <= field.most


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


#: What people call a kind, where its own name does not say all.
_NAMES: Final = {"array": "array, of strings"}
_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda raw: isinstance(raw, str),
    "array": lambda raw: isinstance(raw, list) and all(isinstance(item, str) for item in raw),
    "boolean": lambda raw: isinstance(raw, bool),
    "number": _is_number,
    # JSON has one kind of number: 50.0 is an integer.
    "integer": lambda raw: _is_number(raw) and (isinstance(raw, int) or raw.is_integer()),
}
