"""The wire format of Protocol Buffers, as far as the Open Inference Protocol needs it: fields by number.

Written by hand because the library is a heavy thing to bring for nine small messages, and pins what others may install beside us.
Source: "Encoding", the documentation of Protocol Buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flyball.errors import InvalidInput

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MOST_SHIFT = 63


def fields(data: Any) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: int for varints, bytes for whatever else.

    Raises:
        InvalidInput: it is no message.
    """
    data = octets(data)
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise InvalidInput(f"The message has a field of the wire type {kind}.")
        if place + size > end:
            raise InvalidInput("The message ends within a field.")
        yield key >> 3, data[place : place + size]
        place += size


def octets(value: Any) -> bytes:
    """The bytes of a field.

    Raises:
        InvalidInput: it is a number.
    """
    if not isinstance(value, bytes):
        raise InvalidInput("A field that must be bytes is a number.")
    return value


def whole(value: Any) -> int:
    """The whole number of a field, with its sign.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(value, int):
        raise InvalidInput("A field that must be a number is none.")
    return signed(value)


def varints(value: Any) -> list[int]:
    """The values of a repeated field of whole numbers, of which this is one or, packed, several."""
    if isinstance(value, int):
        return [value]
    found, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        found.append(number)
    return found


def signed(number: int) -> int:
    """A varint as the 64-bit whole number that it stands for."""
    return number - (1 << 64) if number >> 63 else number


def text(value: Any) -> str:
    """The text of a field.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return octets(value).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("A field that must be a text is none.") from error


def number_field(number: int, value: int) -> bytes:
    """A field with a whole number or a boolean; nothing for 0, as the format wants it."""
    return _key(number, _VARINT) + _packed(value) if value else b""


def bytes_field(number: int, value: bytes | str) -> bytes:
    """A field with a text, bytes or a message."""
    data = value.encode() if isinstance(value, str) else value
    return _key(number, _BYTES) + _packed(len(data)) + data


def text_field(number: int, value: str) -> bytes:
    """A field with a text; nothing if it is empty."""
    return bytes_field(number, value) if value else b""


def numbers_field(number: int, values: Iterable[int]) -> bytes:
    """A packed field of whole numbers."""
    data = b"".join(map(_packed, values))
    return bytes_field(number, data) if data else b""


def floats_field(number: int, values: Iterable[float]) -> bytes:
    """A packed field of 64-bit floats."""
    found = list(values)
    return bytes_field(number, struct.pack(f"<{len(found)}d", *found)) if found else b""


def map_entries(pairs: Mapping[str, bytes], number: int) -> bytes:
    """A field of the type map, its values being messages."""
    return b"".join(bytes_field(number, bytes_field(1, name) + bytes_field(2, value)) for name, value in pairs.items())


def _varint(data: bytes, place: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        if place >= len(data) or shift > _MOST_SHIFT:
            raise InvalidInput("The message ends within a number.")
        byte = data[place]
        place += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7


def _packed(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _key(number: int, kind: int) -> bytes:
    return _packed(number << 3 | kind)
