"""Rewrites the network so that the machine's fastest instructions do its convolutions. Not a bit of the sound changes.

Owns the only knowledge of the model file's inside. Two thirds of the time go into convolutions of bytes, which
onnxruntime does with unsigned weights, in a way that has no use for the dot products of newer processors (VNNI). A
convolution is a product of matrices as well: that of the input, with each frame's neighbours written beside it, and of
the weights. With signed weights, laid out beforehand, that product is done at full speed: the network takes 0.7 of its
time. Whole numbers are exact, so both ways give the same bits; but older processors cut the sums of such products off,
and there the network stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

#: Changes whenever the rewritten network would be another one.
VERSION: Final = 1

# Field numbers of ONNX's messages, and numbers of its types.
_MODEL_GRAPH: Final = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_NUMBER, _ATTRIBUTE_NUMBERS, _ATTRIBUTE_TYPE = 1, 3, 8, 20
_TENSOR_SIZES, _TENSOR_TYPE, _TENSOR_SMALL, _TENSOR_NAME, _TENSOR_CONTENT = 1, 2, 5, 8, 9
_UINT8, _INT8, _INT32, _INT64 = 2, 3, 6, 7
_NUMBER_ATTRIBUTE, _NUMBERS_ATTRIBUTE = 2, 7
_WITH_LENGTH: Final = 2  # the wire type of fields that have one

_CONVOLUTION: Final = b"ConvInteger"
#: Narrower ones are products of matrices already.
_LEAST_WIDTH: Final = 2
#: What a slice to the end of an axis ends at.
_END: Final = (1 << 63) - 1
#: The bit by which a signed byte differs from the unsigned one that is 128 more.
_SHIFT: Final = 0x80
_PREFIX: Final = b"lineread/"


class _Convolution(NamedTuple):
    """A node that convolves bytes: names of what it takes and makes, and where its neighbours lie."""

    sound: bytes
    weights: bytes
    sound_zero: bytes
    weights_zero: bytes
    made: bytes
    dilation: int
    pads: tuple[int, int]


def with_products(model: bytes) -> bytes:
    """The network with products of matrices for its wide convolutions.

    Raises:
        ValueError: It has another shape than is known here, or is broken.
    """
    try:
        return _rewritten(model)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("another graph than the one that is known here") from error


def probe() -> tuple[bytes, NDArray[np.uint8], NDArray[np.int32]]:
    """A model of one product with signed weights, an input for it, and what exact arithmetic makes of that."""
    weights = np.repeat(np.array([[127, -128]], np.int8), 64, axis=0)
    sound = np.full((1, 64), 255, np.uint8)
    content = [
        _tensor(b"weights", weights),
        _node(b"MatMulInteger", (b"sound", b"weights"), b"product"),
        _value(_INPUT, b"sound", _UINT8, sound.shape),
        _value(_OUTPUT, b"product", _INT32, (1, 2)),
    ]
    head = _number(1 << 3) + _number(10) + _field(8, _number(2 << 3) + _number(20))
    return head + _field(_MODEL_GRAPH, b"".join(content)), sound, sound.astype(np.int32) @ weights.astype(np.int32)


def _rewritten(model: bytes) -> bytes:
    head, start, end = b"", 0, 0
    for number, field, content, after in _fields(model, 0, len(model)):
        if number == _MODEL_GRAPH:
            start, end = content, after
        else:
            head += model[field:after]
    parts: list[tuple[bytes, bytes]] = []  # each with the name of the weight that it is, if it is one
    tensors: dict[bytes, tuple[int, int]] = {}
    convolutions: list[_Convolution] = []
    for number, field, content, after in _fields(model, start, end):
        whole = model[field:after]
        if number == _INITIALIZER:
            name = _first(model, content, after, _TENSOR_NAME)
            tensors[name] = (content, after)
            parts.append((whole, name))
        elif number == _NODE and _first(model, content, after, _NODE_KIND) == _CONVOLUTION:
            convolution = _convolution(model, content, after)
            if convolution is not None:
                convolutions.append(convolution)
                whole = b""
            parts.append((whole or _PREFIX, b""))
        else:
            parts.append((whole, b""))
    return head + _field(_MODEL_GRAPH, b"".join(_replaced(model, parts, tensors, convolutions)))


def _replaced(
    model: bytes,
    parts: Iterable[tuple[bytes, bytes]],
    tensors: Mapping[bytes, tuple[int, int]],
    convolutions: Iterable[_Convolution],
) -> Iterator[bytes]:
    """The parts of the graph, products in the places of convolutions and signed weights in those of unsigned ones."""
    convolutions = list(convolutions)
    waiting = iter(convolutions)
    weights = {each.weights for each in convolutions}
    zeros = {each.weights_zero for each in convolutions}
    constants = {_PREFIX + b"axis": np.array([1], np.int64)}
    for whole, name in parts:
        if whole == _PREFIX:
            convolution = next(waiting)
            shape = _shape(model, *tensors[convolution.weights])
            yield from _product(convolution, shape[2], constants)
        elif name in weights:
            yield _tensor(name, _signed(_array(model, *tensors[name])))
        else:
            yield whole
        if name in zeros:  # a convolution that stays may have the same one
            yield _tensor(_PREFIX + name, _signed(_array(model, *tensors[name])))
    yield from (_tensor(name, array) for name, array in constants.items())


def _convolution(model: bytes, start: int, end: int) -> _Convolution | None:
    """A convolution that a product can stand for; None for any other."""
    takes: list[bytes] = []
    made = b""
    settings: dict[bytes, list[int]] = {}
    for number, _, content, after in _fields(model, start, end):
        if number == _NODE_INPUT:
            takes.append(model[content:after])
        elif number == _NODE_OUTPUT:
            made = model[content:after]
        elif number == _NODE_ATTRIBUTE:
            name = _first(model, content, after, _ATTRIBUTE_NAME)
            settings[name] = _numbers(model, content, after, (_ATTRIBUTE_NUMBER, _ATTRIBUTE_NUMBERS))
    plain = settings.get(b"strides", [1]) == [1] and settings.get(b"group", [1]) == [1]
    if not plain or settings[b"kernel_shape"][0] < _LEAST_WIDTH:
        return None
    sound, weights, sound_zero, weights_zero = takes
    before, behind = settings.get(b"pads", [0, 0])
    dilation = settings.get(b"dilations", [1])[0]
    return _Convolution(sound, weights, sound_zero, weights_zero, made, dilation, (before, behind))


def _product(each: _Convolution, width: int, constants: dict[bytes, NDArray[np.int64]]) -> Iterator[bytes]:
    """The nodes that do the same: frames first, their neighbours beside them, the product, frames last again."""

    def constant(*values: int) -> bytes:
        name = _PREFIX + b"_".join(b"%d" % value for value in values)
        constants[name] = np.array(values, np.int64)
        return name

    def between(step: int) -> bytes:
        return b"%b%b/%d" % (_PREFIX, each.made, step)

    frames, padded, beside, product = map(between, range(4))
    yield _node(b"Transpose", (each.sound,), frames, perm=(0, 2, 1))
    yield _node(b"Pad", (frames, constant(0, each.pads[0], 0, 0, each.pads[1], 0), each.sound_zero), padded)
    shifted = []
    for place in range(width):
        left = (width - 1 - place) * each.dilation
        end = constant(-left) if left else constant(_END)
        shifted.append(between(4 + place))
        begin = constant(place * each.dilation)
        yield _node(b"Slice", (padded, begin, end, _PREFIX + b"axis"), shifted[-1])
    yield _node(b"Concat", shifted, beside, axis=2)
    yield _node(b"MatMulInteger", (beside, each.weights, each.sound_zero, _PREFIX + each.weights_zero), product)
    yield _node(b"Transpose", (product,), each.made, perm=(0, 2, 1))


def _signed(array: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Weights, or their zero, as signed bytes; weights as a matrix of neighbours and channels by channels."""
    signed = (array ^ np.uint8(_SHIFT)).view(np.int8)
    if not signed.ndim:
        return signed
    made, taken, width = signed.shape
    return signed.transpose(2, 1, 0).reshape(width * taken, made)


def _shape(model: bytes, start: int, end: int) -> list[int]:
    return _numbers(model, start, end, (_TENSOR_SIZES,))


def _array(model: bytes, start: int, end: int) -> NDArray[np.uint8]:
    if _numbers(model, start, end, (_TENSOR_TYPE,)) != [_UINT8]:
        raise ValueError("weights that are no bytes")
    small = _numbers(model, start, end, (_TENSOR_SMALL,))
    flat = np.array(small, np.uint8) if small else np.frombuffer(_first(model, start, end, _TENSOR_CONTENT), np.uint8)
    return flat.reshape(_shape(model, start, end))


def _first(message: bytes, start: int, end: int, wanted: int) -> bytes:
    """The content of the first field of a number; empty without one."""
    for number, _, content, after in _fields(message, start, end):
        if number == wanted:
            return message[content:after]
    return b""


def _numbers(message: bytes, start: int, end: int, wanted: Iterable[int]) -> list[int]:
    """The whole numbers in fields of these numbers, whether they are packed or one by one."""
    found = []
    for number, _, content, after in _fields(message, start, end):
        if number in wanted:
            place = content
            while place < after:
                value, place = _varint(message, place)
                found.append(value - (1 << 64) if value >> 63 else value)
    return found


def _fields(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, where the field begins, where its content begins, where it ends."""
    place = start
    while place < end:
        field = place
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == _WITH_LENGTH:
            length, place = _varint(message, place)
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


def _node(kind: bytes, takes: Iterable[bytes], made: bytes, **settings: int | tuple[int, ...]) -> bytes:
    fields = [*(_field(_NODE_INPUT, name) for name in takes), _field(_NODE_OUTPUT, made), _field(_NODE_KIND, kind)]
    for name, value in settings.items():
        whole = isinstance(value, int)
        place = _ATTRIBUTE_NUMBER if whole else _ATTRIBUTE_NUMBERS
        values = (value,) if isinstance(value, int) else value
        content = _field(_ATTRIBUTE_NAME, name.encode()) + b"".join(
            _number(place << 3) + _number(each) for each in values
        )
        type_ = _NUMBER_ATTRIBUTE if whole else _NUMBERS_ATTRIBUTE
        fields.append(_field(_NODE_ATTRIBUTE, content + _number(_ATTRIBUTE_TYPE << 3) + _number(type_)))
    return _field(_NODE, b"".join(fields))


def _tensor(name: bytes, array: NDArray[np.int8] | NDArray[np.int64]) -> bytes:
    kind = _INT8 if array.dtype == np.int8 else _INT64
    sizes = b"".join(_number(_TENSOR_SIZES << 3) + _number(size) for size in array.shape)
    head = sizes + _number(_TENSOR_TYPE << 3) + _number(kind) + _field(_TENSOR_NAME, name)
    return _field(_INITIALIZER, head + _field(_TENSOR_CONTENT, array.tobytes()))


def _value(place: int, name: bytes, kind: int, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_field(1, _number(1 << 3) + _number(size)) for size in shape)
    tensor = _number(1 << 3) + _number(kind) + _field(2, sizes)
    return _field(place, _field(1, name) + _field(2, _field(1, tensor)))


def _field(number: int, content: bytes) -> bytes:
    """A field that has a length."""
    return _number(number << 3 | _WITH_LENGTH) + _number(len(content)) + content


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
