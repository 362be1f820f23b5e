"""Two paragraphs by Kokoro: lineread's engine, and the library ``kokoro-onnx`` with the same weights and voice."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import texts

VOICE = "af_heart"
RATE = 24_000
TEXT = texts.STORY[:850].rpartition(". ")[0] + "."


class Lineread:
    """lineread, streaming, from nothing stored.

    Args:
        data_dir: Where the pack lies.
    """

    def __init__(self, *, data_dir: str) -> None:
        os.environ["LINEREAD_DATA_DIR"] = data_dir
        from lineread import Client

        self._client = Client(engine="kokoro", cache=False)

    def __call__(self) -> dict[str, float]:
        from lineread import Request

        begin = time.perf_counter()
        first = samples = 0
        for chunk in self._client.generate(Request(TEXT, VOICE, language_type="English"), stream=True):
            first = first or time.perf_counter() - begin
            samples += chunk.samples
        return {"first": first, "audio": samples / chunk.sample_rate}


class KokoroOnnx:
    """The library's own stream, as its documentation shows.

    Args:
        pack: Where the pack lies.
    """

    def __init__(self, *, pack: str) -> None:
        import numpy as np
        from kokoro_onnx import Kokoro

        table = np.fromfile(Path(pack) / "voices" / f"{VOICE}.bin", "<f4").reshape(510, 1, 256)
        np.savez("voices.npz", **{VOICE: table})
        self._voice = Kokoro(str(Path(pack) / "onnx" / "model_quantized.onnx"), "voices.npz")

    def __call__(self) -> dict[str, float]:
        return asyncio.run(self._speak())

    async def _speak(self) -> dict[str, float]:
        begin = time.perf_counter()
        first = samples = 0
        async for chunk, _ in self._voice.create_stream(TEXT, VOICE):
            first = first or time.perf_counter() - begin
            samples += len(chunk)
        return {"first": first, "audio": samples / RATE}
