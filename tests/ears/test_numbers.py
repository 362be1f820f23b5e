"""Numbers by the built-in voice: a listener hears the number that is written."""

from __future__ import annotations

import re
from typing import Final

import pytest

from ears.listening import heard_together
from lineread import Client, Request

pytestmark = pytest.mark.ears

#: What is written, and what has to be heard of it. The recogniser writes a decimal in digits, and its point is no word.
LINES: Final = (
    ("It was -40° outside this morning.", "(minus|negative) forty degrees"),
    ("The answer is 10 - 3 = 7, he said.", "ten minus three equals seven"),
    ("The shop is open from 10am-4pm today.", "ten a m to four p m"),
    ("Only .5 percent of them came.", "(point|zero) five"),
    ("The code of the door is 0042 tonight.", "zero zero four two"),
    ("The trip took 1,5 hours in all.", "one (point )?five hours"),
    ("HE WENT HOME AND SLEPT ALL DAY.", "he went home and slept all day"),
    ("The resistor has 10 kΩ, says the label.", "ten kilo ?(ohms|ums|oms)"),
)


@pytest.mark.parametrize("half", [0, 1])
def test_numbers_are_heard_as_they_are_written(half: int) -> None:
    """Signs, zeros, ranges and decimals reach the ear: nothing is left out and nothing is another number."""
    lines = LINES[4 * half : 4 * half + 4]
    with Client(engine="builtin", cache=False) as client:
        spoken = [client.generate(Request(text, "Cherry")) for text, _ in lines]
    words = " ".join(heard_together([line.pcm for line in spoken], spoken[0].sample_rate))
    for _, pattern in lines:
        assert re.search(pattern, words), words
