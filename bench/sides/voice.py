"""A long text by the voice on the machine: lineread's engine, and the library inside it on its own."""

from __future__ import annotations

import time

import texts


class Lineread:
    """lineread, streaming with all cores, from nothing stored."""

    def __init__(self) -> None:
        from lineread import Client

        self._client = Client(engine="builtin", cache=False)

    def __call__(self) -> dict[str, float]:
        from lineread import Request

        begin = time.perf_counter()
        first = samples = 0
        for chunk in self._client.generate(Request(texts.STORY, "Cherry"), stream=True):
            first = first or time.perf_counter() - begin
            samples += chunk.samples
        return {"first": first, "audio": samples / chunk.sample_rate}


class Hibari:
    """The ``hibari`` library, as its documentation shows."""

    def __init__(self) -> None:
        from hibari import Hibari as Voice

        self._voice = Voice()

    def __call__(self) -> dict[str, float]:
        samples = self._voice(texts.STORY)
        return {"audio": len(samples) / self._voice.sample_rate}
