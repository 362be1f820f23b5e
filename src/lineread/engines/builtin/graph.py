"""Cuts hibari's graph in two, as protobuf: what is spoken when, and how it sounds.

Owns the only knowledge of the model file's inside. The first part of the graph, the reader, decides timing and pitch;
it has to see the whole text. The second one, the decoder, is two thirds of the work. It makes frames of what the
reader says about each of them and looks no further than 27 frames to either side, so that the beginning of a sentence
can be heard before its end is made.

A part is found from its outputs backwards. Values that never change, although the file computes them anew each time
(the sizes of attention heads), are written as constants instead, and a third of the reader's nodes is needed no more:
it is set up in two thirds of the time. Imports nothing heavy.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What the reader says of each frame and the decoder makes its sound of: so many values.
FEATURES: Final = "/Concat_43_output_0"
_FEATURES_EACH: Final = 130
#: Hertz of each frame, and how long each phoneme lasts, in units of two frames.
PITCH: Final = "f0"
DURATIONS: Final = "/Clip_output_0"
#: What the decoder makes: five branches side by side, frame by frame.
BRANCHES: Final = "/head/Add_output_0"

#: Values for each head and position of the ten attention layers, all of them together.
_WIDTHS: Final = (128, 128, 128, 128, 192, 192, 192, 192, 192, 192)
_HEADS: Final = 2

# Field numbers of ONNX's messages, and numbers of its types.
_MODEL_GRAPH: Final = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_SIZES, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_CONTENT = 1, 2, 8, 9
_FLOAT, _INT64 = 1, 7
_WITH_LENGTH: Final = 2  # the wire type of fields that have one


@dataclass(frozen=True, slots=True)
class Parts:
    """Two models.

    Attributes:
        reader: Phonemes and pace in; ``FEATURES``, ``PITCH`` and ``DURATIONS`` out.
        decoder: ``FEATURES`` in, ``BRANCHES`` out.
    """

    reader: bytes
    decoder: bytes


class _Node(NamedTuple):
    """A step of the graph: its bytes and the names of what it takes and makes."""

    whole: bytes
    takes: tuple[bytes, ...]
    makes: tuple[bytes, ...]


class _Graph(NamedTuple):
    """The content of a model file: nodes in the order of computing, weights by name, the graph's own inputs."""

    head: bytes
    nodes: tuple[_Node, ...]
    weights: Mapping[bytes, bytes]
    inputs: tuple[bytes, ...]


def cut(model: bytes) -> Parts:
    """The two parts of hibari's model.

    Raises:
        ValueError: It has another shape, or is broken.
    """
    try:
        graph = _parsed(model)
    except (IndexError, KeyError, StopIteration) as error:
        raise ValueError("not a whole protobuf message") from error
    return Parts(
        _part(graph, graph.inputs, {}, (FEATURES, PITCH, DURATIONS)),
        _part(graph, [_features_input()], {FEATURES.encode()}, (BRANCHES,)),
    )


def _parsed(model: bytes) -> _Graph:
    head, start, end = b"", 0, 0
    for number, field, content, after in _fields(model, 0, len(model)):
        if number == _MODEL_GRAPH:
            start, end = content, after
        else:
            head += model[field:after]
    nodes: list[_Node] = []
    weights: dict[bytes, bytes] = {}
    inputs: list[bytes] = []
    for number, field, content, after in _fields(model, start, end):
        if number > _INPUT:  # fields come in the order of their numbers; what follows is not needed
            break
        if number == _NODE:
            nodes.append(_node(model[field:after], model, content, after))
        elif number == _INITIALIZER:
            weights[_tensor_name(model, content, after)] = model[field:after]
        elif number == _INPUT:
            inputs.append(model[field:after])
    return _Graph(head, tuple(nodes), weights, tuple(inputs))


def _part(graph: _Graph, inputs: Iterable[bytes], known: Iterable[bytes], outputs: Iterable[str]) -> bytes:
    """A model that makes some values of a graph, when its inputs and other known values are given."""
    constants = _constants()
    known = {*known, *constants}
    needed = {name.encode() for name in outputs}
    nodes = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.makes) and known.isdisjoint(node.makes):
            nodes.append(node.whole)
            needed.update(node.takes)
    made = {name for node in graph.nodes for name in node.makes}
    if not made.issuperset(name.encode() for name in outputs):
        raise ValueError("another graph than the one that is known here")
    weights = [whole for name, whole in {**graph.weights, **constants}.items() if name in needed]
    content = [*weights, *reversed(nodes), *inputs, *map(_output, outputs)]
    return graph.head + _field(_MODEL_GRAPH, b"".join(content))


def _constants() -> dict[bytes, bytes]:
    """What never changes: where queries, keys and values lie in a layer, and the shapes that heads are put into.

    In a shape, 0 is the size as it is and -1 what is left.
    """
    found: dict[str, tuple[int, ...]] = {}
    for layer, width in enumerate(_WIDTHS):
        found |= {_value("Mul", 6 * layer + place): (width * (place + 1),) for place in range(3)}
        found |= {_value("Concat", 4 * layer + place): (0, 0, _HEADS, -1) for place in range(3)}
        found[_value("Concat", 4 * layer + 3)] = (0, 0, -1)
    return {name.encode(): _tensor(name, values) for name, values in found.items()}


def _value(kind: str, number: int) -> str:
    """What the exporter called the output of a node."""
    return f"/{kind}_{number}_output_0" if number else f"/{kind}_output_0"


def _node(whole: bytes, model: bytes, start: int, end: int) -> _Node:
    names: dict[int, list[bytes]] = {_NODE_INPUT: [], _NODE_OUTPUT: []}
    for number, _, content, after in _fields(model, start, end):
        if number > _NODE_OUTPUT:
            break
        names[number].append(model[content:after])
    return _Node(whole, tuple(names[_NODE_INPUT]), tuple(names[_NODE_OUTPUT]))


def _tensor_name(model: bytes, start: int, end: int) -> bytes:
    fields = _fields(model, start, end)
    return next(model[content:after] for number, _, content, after in fields if number == _TENSOR_NAME)


def _fields(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, where the field begins, where its content begins, where it ends."""
    place = start
    while place < end:
        field = place
        tag = message[place]  # all numbers here are below 16: one byte
        place += 1
        kind = tag & 7
        if kind == _WITH_LENGTH:
            length = message[place]
            place += 1
            if length & 0x80:
                length, place = _varint(message, place - 1)
        elif kind:
            length = {1: 8, 5: 4}[kind]
        else:
            length = _varint(message, place)[1] - place
        yield tag >> 3, field, place, place + length
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    byte = message[place]
    value = byte & 0x7F
    shift = 7
    while byte & 0x80:
        place += 1
        byte = message[place]
        value |= (byte & 0x7F) << shift
        shift += 7
    return value, place + 1


def _output(name: str) -> bytes:
    return _field(_OUTPUT, _field(1, name.encode()))


def _features_input() -> bytes:
    """One text, so many features, any number of frames."""
    dimensions = (_field(1, b"\x08" + _number(size)) for size in (1, _FEATURES_EACH))
    shape = b"".join([*dimensions, _field(1, _field(2, b"frames"))])
    kind = _field(1, b"\x08" + _number(_FLOAT) + _field(2, shape))
    return _field(_INPUT, _field(1, FEATURES.encode()) + _field(2, kind))


def _tensor(name: str, values: tuple[int, ...]) -> bytes:
    """A list of whole numbers as a weight."""
    sizes = _number(_TENSOR_SIZES << 3) + _number(len(values))
    kind = _number(_TENSOR_TYPE << 3) + _number(_INT64)
    content = _field(_TENSOR_CONTENT, struct.pack(f"<{len(values)}q", *values))
    return _field(_INITIALIZER, sizes + kind + _field(_TENSOR_NAME, name.encode()) + content)


def _field(number: int, content: bytes) -> bytes:
    """A field that has a length."""
    return _number(number << 3 | _WITH_LENGTH) + _number(len(content)) + content


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
