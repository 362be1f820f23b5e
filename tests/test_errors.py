"""The error tree: drawn as it is, complete, stable, and mute about keys."""

from __future__ import annotations

import ast
import copy
import inspect
import json
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineread
from lineread import errors
from lineread.errors import LinereadError, Throttled

#: What programs and shells rely on. A change here breaks somebody's script.
CONTRACT = {
    "LinereadError": ("error", 1, 500),
    "RequestError": ("bad_request", 2, 400),
    "TextError": ("bad_text", 2, 400),
    "VoiceError": ("unknown_voice", 2, 400),
    "ModelError": ("unknown_model", 2, 400),
    "OptionError": ("bad_option", 2, 400),
    "OverBudget": ("over_budget", 2, 402),
    "MalformedRequest": ("malformed_request", 2, 400),
    "ConfigError": ("bad_config", 3, 500),
    "EngineUnknown": ("unknown_engine", 3, 500),
    "KeyMissing": ("key_missing", 3, 401),
    "EngineError": ("engine_failed", 4, 502),
    "Unauthorized": ("unauthorized", 3, 401),
    "Refused": ("refused", 4, 400),
    "QuotaExceeded": ("quota_exceeded", 4, 429),
    "Throttled": ("throttled", 5, 429),
    "ServiceFailed": ("service_failed", 5, 502),
    "Unreachable": ("unreachable", 5, 502),
    "TimedOut": ("timed_out", 5, 504),
    "BadReply": ("bad_reply", 4, 502),
    "NoAudio": ("no_audio", 4, 502),
    "SpeechCut": ("speech_cut", 5, 502),
    "OutputError": ("output_failed", 6, 500),
    "TurnedAway": ("turned_away", 1, 400),
    "KeyRefused": ("key_refused", 1, 401),
    "NotAllowed": ("not_allowed", 1, 403),
    "LimitReached": ("limit_reached", 1, 429),
    "Overloaded": ("overloaded", 1, 429),
    "Leaving": ("leaving", 1, 503),
    "NotServed": ("not_served", 1, 404),
    "HttpError": ("bad_http", 1, 400),
}


def classes() -> list[type[LinereadError]]:
    own = (each for each in vars(errors).values() if inspect.isclass(each) and each.__module__ == errors.__name__)
    return [each for each in own if issubclass(each, LinereadError)]


def drawn() -> Iterator[tuple[str, str | None]]:
    """Each class of the docstring's tree, with the one that it hangs on."""
    assert errors.__doc__ is not None
    branch: list[str] = []
    for indent, name in re.findall(r"^ {4}([│├└─ ]*)([A-Z]\w+)", errors.__doc__, re.MULTILINE):
        depth = len(indent) // 4
        branch[depth:] = [name]
        yield name, branch[depth - 1] if depth else None


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """The drawing has each class once, under its real base, and nothing else."""
    tree = list(drawn())
    assert len(tree) == len(dict(tree))
    assert dict(tree) == {
        each.__name__: each.__base__.__name__ if each is not LinereadError else None for each in classes()
    }


def test_codes_and_statuses_are_stable() -> None:
    """Every class has the code, the exit status and the HTTP status that programs were promised."""
    assert {each.__name__: (each.code, each.exit_status, each.http_status) for each in classes()} == CONTRACT


def test_codes_are_unique_words() -> None:
    """A code names one class, in words that fit JSON, shells and URLs."""
    codes = [each.code for each in classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_an_error_keeps_what_it_was_told(kind: type[LinereadError]) -> None:
    """Message and remedy make one line; the facts are attributes; pickling and copying lose nothing."""
    error = kind(
        "It broke.", remedy="Mend it.", code="special", retryable=True, retry_after=1.5, request_id="R-1",
        service_code="Oops",
    )  # fmt: skip
    assert str(error) == "It broke. Mend it."
    for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(each) is kind
        assert (each.message, each.remedy, each.code, each.retryable) == ("It broke.", "Mend it.", "special", True)
        assert (each.retry_after, each.request_id, each.service_code) == (1.5, "R-1", "Oops")
    assert kind.code != "special"
    assert str(kind("It broke.")) == "It broke."


def test_an_error_as_json() -> None:
    """``to_dict`` is ready for JSON, and leaves out what is not known."""
    assert LinereadError("It broke.").to_dict() == {"code": "error", "message": "It broke.", "retryable": False}
    whole = Throttled("Slow.", remedy="Wait.", kind="burst", retryable=True, request_id="R", service_code="S")
    assert json.loads(json.dumps(whole.to_dict())) == {
        "code": "throttled", "message": "Slow.", "remedy": "Wait.", "retryable": True, "request_id": "R",
        "service_code": "S",
    }  # fmt: skip
    assert whole.kind == "burst"


def test_unknown_facts_are_refused() -> None:
    """A misspelt fact is a mistake of the code that raises, also where the facts are passed through."""
    with pytest.raises(TypeError):
        Throttled("Slow.", retriable=True)


def test_an_error_is_one_line() -> None:
    """Whatever a service or a file name put into the message, what is shown stays on one line."""
    error = LinereadError("There is no file 'a\nb\r\nc'.\u2028It is gone.", remedy="Look for it.")
    assert str(error) == "There is no file 'a b c'. It is gone. Look for it."
    assert len("".join(traceback.format_exception_only(error)).splitlines()) == 1
    assert len(repr(error).splitlines()) == 1


@pytest.mark.parametrize("package", ["wire", "engines/dashscope", "live", "adapters"])
def test_remedies_are_for_every_door(package: str) -> None:
    """What the library says of a failed call makes sense in Python as well: no option of the command line is in it."""
    for path in (Path(lineread.__file__).parent / package).rglob("*.py"):
        words = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
        options = [word for word in words if isinstance(word, str) and re.search(r"(?<!\w)--[a-z]", word)]
        assert options == [], path
