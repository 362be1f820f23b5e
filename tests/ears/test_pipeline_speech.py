"""Long speech by the built-in voice, through everything: words, joins, pauses."""

from __future__ import annotations

import numpy as np
import pytest

from ears.listening import errors, heard, plain
from lineread import Client, Request
from lineread.plan import make
from lineread.results import Speech

pytestmark = pytest.mark.ears

STORY = """The old lighthouse keeper lived alone on the island, and nobody knew his name. Every evening he climbed the \
stairs; every morning he came down again.

"Is anybody there?" a voice called from the water. He opened the window and looked out. There was a small boat, and in \
it sat a girl with a lantern.

She had rowed for three hours. The wind was strong, the waves were high, and her hands were cold. "Come in," said the \
keeper, "and sit by the fire." They drank hot tea, ate some bread, and talked until the sun came up over the sea.

When the storm was over she went home. He never saw her again, but from that day on there were always two lights in \
the tower: one for the ships, and one for her."""


@pytest.fixture(scope="module")
def story() -> Speech:
    with Client(engine="builtin", cache=False) as client:
        return client.generate(Request(STORY, "Cherry", language_type="English"))


def test_every_word_of_a_long_text_is_heard(story: Speech) -> None:
    """Across all joins a listener hears the text: at most one word in fifty is misheard, none of them at an edge."""
    said, words = plain(STORY), heard(story.pcm, story.sample_rate)
    assert errors(said, words) <= len(said) // 50, " ".join(words)
    assert words[:4] == said[:4]
    assert words[-4:] == said[-4:]


def test_joins_have_no_click_and_no_hole(story: Speech) -> None:
    """Segments begin and end at zero without a step, and between two of them is the pause asked for, to the sample."""
    samples = np.frombuffer(story.pcm, "<i2").astype(np.int32)
    with Client(engine="builtin", cache=False) as client:
        plan = make(Request(STORY, "Cherry", language_type="English"), client.engine())
    pauses = [segment.pause for segment in plan.segments()]
    assert len(story.segments) == len(pauses) > 8
    loudest = np.abs(samples).max()
    for this, following, pause in zip(story.segments, story.segments[1:], pauses, strict=False):
        end, start = round(this.end * story.sample_rate), round(following.start * story.sample_rate)
        assert start - end == round(pause * story.sample_rate)
        assert not samples[end:start].any()
        edges = np.concatenate([samples[end - 40 : end + 1], samples[start - 1 : start + 40]])
        assert np.abs(np.diff(edges)).max() < loudest / 50
        quiet = np.abs(samples[end - 2400 : start + 2400]) < loudest / 50
        longest = max(map(len, "".join("x" if q else " " for q in quiet).split()), default=0)
        assert longest / story.sample_rate < pause + 0.2


def test_a_line_sounds_the_same_from_the_cache(story: Speech) -> None:
    """Spoken for the first time or repeated: the same bytes."""
    with Client(engine="builtin") as client:
        first, again = (client.generate(Request(STORY, "Cherry", language_type="English")) for _ in range(2))
    assert (first.cached, again.cached) == (False, True)
    assert first.pcm == again.pcm == story.pcm
    assert first.words == again.words
