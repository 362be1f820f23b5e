"""What somebody can do about an error who is not at the command line.

Owns the remedies of HTTP clients that differ: a client has no ``lineread voices`` to run and no key of the cloud to
set, and what is wrong with the server's own set-up is nothing that it could mend. Owns as well how any such remedy
takes the place of an error's own; agents' tools, also those without a server, have theirs put so. No I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineread.errors import LinereadError

_KEY: Final = (
    "The service does not accept the key that this server has for it; your own key is not at fault. "
    "Tell whoever runs the server."
)
_SET_UP: Final = "This server is not set up right; nothing is wrong with your request. Tell whoever runs it."
_ACCOUNT: Final = "Tell whoever runs this server: it is about the account that it calls the service with."
#: Errors that are this server's own affair: what is said instead of theirs.
SERVER: Final = {
    "unauthorized": _KEY,
    "key_missing": _KEY,
    "bad_config": _SET_UP,
    "unknown_engine": _SET_UP,
    "unknown_workspace": _SET_UP,
    "wrong_address": _SET_UP,
}
_TELL: Final = "Tell whoever runs this server."
_VOICES: Final = "GET /v1/audio/voices lists the voices."
#: What a client can do about an error, by its code, where that is not what the error says.
CLIENT: Final = {
    "unknown_voice": _VOICES,
    "voice_not_found": _VOICES,
    "voice_not_made": "Whoever runs this server can make it for that too: lineread voices extend.",
    "not_here": "Whoever runs this server can start it with an engine that speaks it: builtin or dashscope.",
    "no_room": _TELL,
    "output_failed": _TELL,
    "unreachable": "Try again in a moment; if it stays so, tell whoever runs this server.",
    "unknown_model": "GET /v1/models lists the models.",
    "model_not_opened": "Whoever runs this server can open the model in the Model Studio console.",
    "account_in_debt": _ACCOUNT,
    "quota_exceeded": _ACCOUNT,
    "language_unsupported": "If the text is English, say so in language_type; "
    "whoever runs this server can install a voice that speaks it, or give it a key with which Qwen does.",
}


def remedy(error: LinereadError, remedies: Mapping[str, str] = CLIENT) -> str:
    """What to do about it, with the "did you mean" of a misspelt name.

    Args:
        error: The error.
        remedies: What somebody can do who is not at the command line, by codes; else the error's own holds.
    """
    ours = remedies.get(error.code)
    if ours is None:
        return error.remedy
    guess, found, _ = error.remedy.partition("?")
    return f"{guess}? {ours}" if found and guess.startswith("Did you mean") else ours
