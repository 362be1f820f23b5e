"""Every stand-in is understood, and so are rate, pitch and the other takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ears.listening import errors, heard, plain
from lineread import Client, Request, catalogue

pytestmark = pytest.mark.ears

LINE = "The train to the coast leaves at nine, so please bring a warm coat and some bread."
PLAIN = Request(LINE, "Cherry")
CHANGED = [
    replace(PLAIN, rate=0.6),
    replace(PLAIN, rate=1.6),
    replace(PLAIN, pitch=0.75),
    replace(PLAIN, pitch=1.35),
    replace(PLAIN, volume=20),
    replace(PLAIN, volume=90),
    replace(PLAIN, take=2),
    replace(PLAIN, take=7, voice="Ethan"),
]


def misheard(client: Client, request: Request) -> int:
    speech = client.generate(request)
    return errors(plain(LINE), heard(speech.pcm, speech.sample_rate))


def test_every_stand_in_is_understood() -> None:
    """A listener who knows no context hears the words of all 48: nobody loses more than one, all together few."""
    with Client(engine="builtin", cache=False) as client:
        lost = {name: misheard(client, replace(PLAIN, voice=name)) for name in catalogue.load().voices}
    assert len(lost) == 48
    assert max(lost.values()) <= 1, lost
    assert sum(lost.values()) <= 5, lost


@pytest.mark.parametrize("request_", CHANGED, ids=lambda request: f"{request.voice} {request.rate} {request.pitch}")
def test_what_is_changed_stays_speech(request_: Request) -> None:
    """Slower, faster, lower, higher, softer, louder, another take: the words stay."""
    with Client(engine="builtin", cache=False) as client:
        assert misheard(client, request_) <= 1


def test_stand_ins_say_so() -> None:
    """No stand-in pretends to be the voice that it stands in for."""
    with Client(engine="builtin", cache=False) as client:
        for name in ("Cherry", "Eldric Sage", "Pip"):
            speech = client.generate(replace(PLAIN, voice=name))
            assert name in speech.stand_in
            assert "hibari" in speech.stand_in
