"""Server-sent events: the standard's rules, DashScope's own, and independence from how the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.errors import BadReply
from lineread.wire.sse import Decoder, Event, encode

#: What the service's gateway writes, taken from a recording.
RECORDED = (
    "id:1\nevent:result\n:HTTP_STATUS/200\n"
    'data:{"output":{"finish_reason":"null","audio":{"data":"UklGRr+="}},"request_id":"R"}\n\n'
    "id:2\nevent:error\n:HTTP_STATUS/429\nstatus:429\n"
    'data:{"code":"Throttling.BurstRate","message":"超限","request_id":"R"}\n\n'
).encode()

#: Text with everything that a decoder may trip over.
tricky = st.lists(
    st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\ufeff", " ", "x", "声", "🎧"])
    | st.sampled_from(["data:", "data", "event:", "id:", "status:429", ":HTTP_STATUS/400", ": ping", "retry:9"]),
    max_size=40,
).map("".join)


def decode(pieces: list[bytes]) -> list[Event]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.flush()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@given(text=tricky, places=st.lists(st.integers(0, 500), max_size=30))
@settings(derandomize=True, max_examples=500)
def test_any_chunking_gives_the_same_events(text: str, places: list[int]) -> None:
    """However the bytes are cut (inside CRLF, BOM or a character), the events are those of the bytes at once."""
    data = text.encode()
    whole = decode([data])
    assert decode(cut(data, places)) == whole
    assert decode([data[i : i + 1] for i in range(len(data))]) == whole


@given(
    events=st.lists(
        st.builds(
            Event,
            data=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
            event=st.sampled_from(["result", "error", " odd"]),
            id=st.sampled_from(["", "1", " 2"]),
            status=st.none() | st.integers(100, 999),
        )
    )
)
@settings(derandomize=True)
def test_what_is_encoded_is_decoded_again(events: list[Event]) -> None:
    """Decoding undoes encoding, for any data, status, id and name."""
    assert decode([b"".join(map(encode, events))]) == events


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_recording_is_read_with_any_line_end(line_end: str, bom: bytes) -> None:
    """DashScope's frames give id, name, data and the status from the comment or the field."""
    data = bom + RECORDED.replace(b"\n", line_end.encode())
    result, error = decode([data])
    assert (result.id, result.event, result.status) == ("1", "result", 200)
    assert result.data.startswith('{"output"')
    assert (error.id, error.event, error.status) == ("2", "error", 429)
    assert "超限" in error.data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event: error\ndata: x\n\n", Event("x", "error")),
        ("data:  two spaces\n\n", Event(" two spaces")),
        ("data:a\ndata\ndata:b\n\n", Event("a\n\nb")),
        ("event:error\n\n", Event("", "error")),
        ("event:error\n: HTTP_STATUS/503\n\n", Event("", "error", status=503)),
        ("data:x\nstatus:okay\nstatus:029\nunknown:field\nretry:5\n\n", Event("x")),
        ("data:no blank line", Event("no blank line")),
        (": ping\n\n:\n\nid:7\n\n\n\ndata:x\n\n", Event("x")),
        ("data:\ufeff\n\n", Event("\ufeff")),
    ],
)
def test_odd_blocks(text: str, expected: Event) -> None:
    """Optional spaces, several data lines, comments, unknown fields and a missing last blank line read as told."""
    assert decode([text.encode()]) == [expected]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    """A broken character costs that character, not the stream."""
    assert decode([b"data:a\xffb\n\n"]) == [Event("a\ufffdb")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_is_bounded_and_a_stream_is_not(size: int) -> None:
    """Many events of the permitted size pass; one larger by a byte is refused, line by line or in one line."""
    decoder = Decoder(max_event=40)
    fits = b"data:" + b"x" * 35 + b"\n\n"
    stream = fits * 50
    events = [event for i in range(0, len(stream), size) for event in decoder.feed(stream[i : i + size])]
    assert len(events) == 50
    for too_large in (b"data:" + b"x" * 36, b"data:123\n" * 6):
        with pytest.raises(BadReply):
            Decoder(max_event=40).feed(too_large)


@pytest.mark.parametrize("event", [Event("x", "a\nb"), Event("x", id="1\r")])
def test_what_the_format_cannot_carry_is_refused(event: Event) -> None:
    """A line end in an id or name would forge another field, so encoding refuses it."""
    with pytest.raises(ValueError, match="one line"):
        encode(event)


def test_time_grows_with_the_bytes_and_not_with_their_square() -> None:
    """A large event that arrives in tiny pieces joins its bytes once, not at each piece."""
    decoder = Decoder()
    piece = b"A" * 16
    assert decoder.feed(b"data:") == []
    for _ in range(100_000):  # 1.6 MB; joining at each piece would copy 80 GB
        assert decoder.feed(piece) == []
    (event,) = decoder.feed(b"\n\n")
    assert len(event.data) == 1_600_000
