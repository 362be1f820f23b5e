"""The network, rewritten to be faster: not a bit of its sound is another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from lineread.engines.kokoro import graph, model, pack
from lineread.engines.kokoro.model import Network
from loopback.hub import data_dir, weights

STYLE = np.random.default_rng(2).normal(0, 0.1, (1, 256)).astype(np.float32)


def voiced(session: ort.InferenceSession, count: int) -> np.ndarray:
    ids = np.random.default_rng(count).integers(43, 140, count)
    inputs = {"tokens": np.array([[0, *ids, 0]], np.int64), "style": STYLE, "speed": np.ones(1, np.float32)}
    return np.asarray(session.run(None, inputs)[0])


def test_the_rewritten_network_makes_the_same_bits() -> None:
    """Products of matrices stand for nearly all convolutions, and the samples are equal, for short and long inputs."""
    original = weights()
    rewritten = graph.with_products(original)
    assert rewritten.count(b"\x22\x0bConvInteger") < original.count(b"\x22\x0bConvInteger") / 5
    plain, fast = model._session(original), model._session(rewritten)
    for count in (1, 7, 30):
        assert np.array_equal(voiced(plain, count), voiced(fast, count))


def test_what_is_kept_is_used_and_replaced_when_it_is_broken(tmp_path: Path) -> None:
    """The network is kept as it was set up; a broken one is made anew; where nothing can be kept it speaks as well."""
    place = tmp_path / "kokoro"
    shutil.copytree(pack.directory(data_dir()), place, ignore=shutil.ignore_patterns("*.fast"))
    table = Network(str(place)).table("af_heart")
    sounds = [Network(str(place)).speak([50, 83, 54], table[2], 1.0)]
    (kept,) = place.rglob("*.fast")
    kept.write_bytes(kept.read_bytes()[:1_000_000])
    sounds.append(Network(str(place)).speak([50, 83, 54], table[2], 1.0))
    assert kept.stat().st_size > 90_000_000
    kept.unlink()
    kept.mkdir()
    (kept / "in the way").touch()
    sounds.append(Network(str(place)).speak([50, 83, 54], table[2], 1.0))
    assert all(np.array_equal(sounds[0], sound) for sound in sounds)
    assert not list(place.rglob("*.part"))


def test_a_processor_that_cuts_sums_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe knows the exact product, beyond what a cut-off sum can be; where it differs nothing is changed."""
    _, sound, product = graph.probe()
    assert product.tolist() == [[64 * 255 * 127, -64 * 255 * 128]]
    monkeypatch.setattr(model, "_is_exact", lambda: False)
    assert model._rewritten("no such file") is None
    assert sound.dtype == np.uint8


@pytest.mark.parametrize("broken", [b"", b"no model", weights()[:5_000_000]], ids=["empty", "text", "cut off"])
def test_what_is_no_network_is_left_to_who_loads_it(broken: bytes) -> None:
    """Rewriting either fails with its documented error, or leaves something that no session is made of."""
    try:
        made = graph.with_products(broken)
    except ValueError:
        return
    with pytest.raises(Exception, match=r"(?i)onnx"):
        model._session(made)
