"""Bytes to nouns and back: the one place where what comes in at a border is checked.

Nouns are frozen dataclasses of the standard library. `msgspec` reads and writes them; were it to go, this file changes
and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import blake3
import msgspec

from flyball.errors import FlyballError, InvalidInput, by_code

T = TypeVar("T")

# What JSON can say. A plain alias: msgspec cannot decode into a recursive one.
JsonValue = Any

pack = msgspec.msgpack.Encoder().encode
"""Plain values as MessagePack (https://msgpack.org): smaller than JSON, read faster, and exact for 64-bit numbers and bytes."""
unpack = msgspec.msgpack.Decoder().decode
"""The plain values that MessagePack holds."""


def to_json(value: object) -> bytes:
    """JSON of a noun or of plain values; NaN and infinities become null."""
    return msgspec.json.encode(value, enc_hook=_encode_unknown)


def from_json(data: bytes | str, kind: type[T]) -> T:
    """The noun that the JSON describes.

    Raises:
        InvalidInput: it is no JSON, or does not fit `kind`; the message names the field.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The JSON does not fit: {error}.") from error


def unpack_as(data: bytes, kind: type[T]) -> T:
    """The noun, or the values of that type, that MessagePack holds.

    Raises:
        InvalidInput: it is no MessagePack, or does not fit `kind`.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The bytes are not what is wanted here: {error}.") from error


def convert(value: object, kind: type[T], *, strict: bool = True) -> T:
    """The noun that plain values (dicts, lists, strings, numbers) describe.

    Args:
        strict: Without it, strings are also read as numbers and booleans, as query parameters need.

    Raises:
        InvalidInput: the values do not fit `kind`; the message names the field.
    """
    try:
        return msgspec.convert(value, type=kind, strict=strict)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(f"What was given does not fit: {error}.") from error


def to_plain(value: object) -> JsonValue:
    """Plain values (dicts, lists, strings, numbers) of a noun."""
    return msgspec.to_builtins(value, enc_hook=_encode_unknown)


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys: equal values give equal bytes, so it can be hashed."""
    return msgspec.json.encode(value, enc_hook=_encode_unknown, order="sorted")


def digest(data: bytes) -> str:
    """BLAKE3 of the bytes, 64 hexadecimal digits."""
    return str(blake3.blake3(data).hexdigest())


def json_schema(kinds: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """JSON schemas of types and the shared components they refer to, as OpenAPI 3.1 wants them."""
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return list(schemas), components


def error_to_plain(error: FlyballError) -> dict[str, JsonValue]:
    """An error as plain values: what goes over the wire and into the database."""
    facts = {key: _plain_fact(fact) for key, fact in error.facts.items()}
    return {"code": error.code, "message": error.message, "hint": error.hint, "facts": facts}


def error_from_plain(found: Mapping[str, Any]) -> FlyballError:
    """The error again, of the class that its code names.

    Raises:
        KeyError: it is none.
    """
    facts = {str(key): value for key, value in dict(found.get("facts") or {}).items()}
    facts = {key: value for key, value in facts.items() if key not in ("message", "hint")}
    return by_code(str(found["code"]))(str(found["message"]), hint=str(found.get("hint", "")), **facts)


def _plain_fact(fact: object) -> JsonValue:
    try:
        return to_plain(fact)
    except (InvalidInput, TypeError, RecursionError):
        return str(fact)


def _encode_unknown(value: object) -> object:
    # numpy scalars reach us in metrics; asking for `.item` keeps numpy out of the imports.
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    raise InvalidInput(f"A value of type {type(value).__name__} cannot be written as JSON.")
