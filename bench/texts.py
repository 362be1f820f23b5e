"""The texts that are spoken."""

from __future__ import annotations

import itertools

SHORT = "Hello, this is a short voice line."

_PARAGRAPHS = (
    """\
The ferry leaves the old harbor at 7:45 every morning, and by 8:10 the last of the fishing boats has passed the \
lighthouse on its way out. There are forty-two steps from the quay to the ticket office; a child can climb them in \
a minute, but nobody hurries. In summer the benches fill early. In winter, when the wind turns to the north, most \
people wait inside, drink their coffee standing, and watch the water through windows that have not been opened \
since 1968.""",
    """\
Mrs. Harper, who has sold tickets here for twenty-three years, knows nearly everyone by name. "A single to the \
island," she says before the customer has spoken, "and a return for the dog?" The dog, as it happens, travels free. \
A single costs $4.50, a return $7.20, and a book of ten is $38. She keeps the change in a blue tin, counts it twice \
each evening, and has been wrong only once: on the 3rd of March 2019, by eleven cents.""",
    """\
The crossing itself takes thirty-five minutes. First comes the breakwater, then the long sandbank where the seals \
lie, and finally the open channel, which is 120 feet deep in the middle and never entirely calm. The captain, a tall \
man with a quiet voice, steers with one hand. He learned the route from his father; his father learned it from a \
chart that was drawn by hand in 1911 and still hangs, framed, above the wheel. Two of its soundings are wrong, and \
he is rather proud of knowing which.""",
    """\
On the island there is one road, one shop, and one school with nine pupils. The road is 3.4 miles long and ends, \
without any explanation, at a gate. Visitors often ask what lies behind it. "Sheep," is the answer, and that is all \
there is to say. Still, people walk there and look. Some of them lean on the gate for half an hour, doing nothing; \
others turn back at once, slightly disappointed, and reach the shop again before it closes at 5:30.""",
    """\
What brings them, then? Partly the light, which painters have praised for a century and a half; partly the bread, \
which is baked on Tuesdays and Fridays in an oven that holds sixteen loaves. But mostly, I think, it is the quiet. \
At a quarter past four the engine of the last tractor stops, the gulls settle on the roof of the chapel, and for \
some minutes there is no sound at all. Then a door opens, somebody laughs, and the evening begins.""",
    """\
The return ferry sails at 6:05. Those who miss it must stay the night, and the inn has only five rooms: four small \
ones at $65, and a large one, facing west, at $90. It is said that most of the people who miss the ferry have looked \
at the clock at six exactly, and ordered another cup of tea. Nobody blames them. The kettle is always on, the chairs \
are deep, and the next boat, as the landlord likes to point out, is only fourteen hours away. By then the bread will \
be warm again; the tide will have turned twice, and the sandbank will lie a foot further west. "Come back soon," he \
tells them at the door, and a surprising number do. They carry bread home: two loaves, if the baker allows it, and \
a jar of twelve olives.""",
)
#: A story of exactly 3,000 characters, with numbers, times, prices and direct speech.
STORY = "\n\n".join(_PARAGRAPHS)


def prose(characters: int) -> str:
    """So many characters of prose in which no paragraph comes twice."""
    parts = []
    length = 0
    for number, paragraph in enumerate(itertools.cycle(_PARAGRAPHS), start=1):
        parts.append(f"Part {number}. {paragraph}\n\n")
        length += len(parts[-1])
        if length >= characters:
            return "".join(parts)[:characters]
    raise AssertionError("a cycle does not end")


def line(number: int) -> str:
    """A short line that is like no other."""
    return f"Bus number {number} leaves from platform {number % 9 + 1} at a quarter to twelve."
