"""Valid requests made wrong: byte by byte, and field by field.

Both take a `random.Random`, so that a seed, or hypothesis, decides.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_BOUNDS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
_WHOLE: Final = (
    *(-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 4, 7, 9, 14, 16, 19, 20, 21, 31, 64, 100, 101, 107, 254, 255),
    *(1000, 4095, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**53, 2**62, 2**63 - 1, 2**64 - 1),
)
_REAL: Final = (
    *(float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 0.5, 1.0, 10.0, 1e-45, 1e-30, 1e10),
    *(3.4e38, -3.4e38, 1e300),
)
_WORDS: Final = (
    *("", "x", "image", "serving_default", "half", "dream", "transfer", "srcnn", "steps", "tensorflow"),
    *("\0", "é" * 700, "名", "a" * 5000, "{}", "x:0", "../..", "/", "%s%n", "stable"),
)


def damaged(data: bytes, rng: random.Random, *, others: Sequence[bytes] = ()) -> bytes:
    """The bytes with one to four kinds of damage, as a broken cable or a wrong program does it."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_DAMAGES)(data, rng, others)
    return data


def altered(message: Message, rng: random.Random) -> Message:
    """A copy of the message with one to three of its fields changed to something that its type allows."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(rng.randint(1, 3)):
        holder, field = rng.choice(list(_fields(copy)))
        _change(holder, field, rng)
    return copy


def _flip_bits(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    out = bytearray(data)
    # Half of the damage goes to the start, where the names, shapes and lengths are.
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        end = len(out) if rng.random() < 0.5 else min(len(out), 64)
        out[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut_off(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _delete_span(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat_span(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 50)) + data[end:]


def _insert_varint(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """A huge length or number."""
    at = rng.randrange(len(data) + 1)
    varint = b"\xff" * rng.choice((1, 3, 4, 8, 9, 12)) + bytes([rng.randrange(128)])
    return data[:at] + varint + data[at + (rng.random() < 0.5) * len(varint) :]


def _insert_bytes(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 16, 300))) + data[at:]


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Two requests appended: protocol buffers merge them."""
    if not others:
        return data
    other = rng.choice(others)
    if rng.random() < 0.5:
        return data + other
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


_DAMAGES: Final[tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...]] = (
    _flip_bits,
    _flip_bits,
    _cut_off,
    _delete_span,
    _repeat_span,
    _insert_varint,
    _insert_bytes,
    _splice,
)


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 256)))


def _fields(message: Message) -> Iterator[tuple[Message, Any]]:
    """Every field, set or not, of a message and of the messages in it."""
    for field in message.DESCRIPTOR.fields:
        yield message, field
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if _is_map(field):
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in sorted(value):  # a map's own order is another in each process
                    yield from _fields(value[key])
        elif field.is_repeated:
            for inner in value:
                yield from _fields(inner)
        else:
            yield from _fields(value)


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)


def _change(holder: Message, field: Any, rng: random.Random) -> None:
    if rng.random() < 0.1:
        holder.ClearField(field.name)
    elif _is_map(field):
        _change_map(getattr(holder, field.name), field, rng)
    elif field.is_repeated:
        _change_list(getattr(holder, field.name), field, rng)
    elif field.message_type is not None:
        getattr(holder, field.name).SetInParent()
    else:
        setattr(holder, field.name, _value(field, rng, getattr(holder, field.name)))


def _change_map(entries: Any, field: Any, rng: random.Random) -> None:
    value_field = field.message_type.fields_by_name["value"]
    old = rng.choice(sorted(entries)) if entries else None
    if rng.random() < 0.5:
        new = rng.choice(_WORDS)
        if value_field.message_type is None:
            entries[new] = _value(value_field, rng, 0)
        elif old is None:
            entries[new].SetInParent()
        else:
            entries[new].CopyFrom(entries[old])
    elif old is not None:
        del entries[old]


def _change_list(values: Any, field: Any, rng: random.Random) -> None:
    count = rng.choice((1, 1, 2, 70, 300))
    if field.message_type is not None:
        if values and rng.random() < 0.4:
            del values[rng.randrange(len(values)) :]
            return
        for _ in range(count):
            new = values.add()
            if len(values) > 1 and rng.random() < 0.8:
                new.CopyFrom(values[0])
    elif values and rng.random() < 0.6:
        at = rng.randrange(len(values))
        values[at] = _value(field, rng, values[at])
    elif values and rng.random() < 0.4:
        del values[rng.randrange(len(values)) :]
    else:
        values.extend([_value(field, rng, None)] * count)


def _value(field: Any, rng: random.Random, old: Any) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice(_REAL)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type != FieldDescriptor.TYPE_BYTES:
            return rng.choice(_WORDS)
        return _content(old or b"", rng)
    least, most = _BOUNDS[kind]
    return rng.choice([number for number in _WHOLE if least <= number <= most])


def _content(old: bytes, rng: random.Random) -> bytes:
    """Other content: now and then the same length in extreme numbers."""
    if old and rng.random() < 0.6:
        extreme = np.float32(rng.choice(_REAL[:-1])).tobytes()
        whole = rng.choice([number for number in _WHOLE if -(2**31) <= number < 2**31])
        unit = rng.choice((extreme, whole.to_bytes(4, "little", signed=True), rng.randbytes(4)))
        return (unit * (len(old) // 4 + 1))[: len(old)]
    return damaged(old, rng)
