"""The records of a spool: what a run did, as small tuples in MessagePack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

POINTS = 1  # run, micros, step or steps, {key: value}
LOG = 2  # run, {param: value}, {tag: value}
CREATE = 3  # run, {field: value} of `Tracking.create_run`, whether it is taken up again
FINISH = 4  # run, state, error, micros
ARTIFACT = 5  # run, name, kind, file, size
UPDATE = 6  # run, {field: value} of `Tracking.update_run`
OPEN = 7  # [runs that this process has begun and not ended]
BLOB = 8  # file
CALL = 9  # run, service, verb, {argument: value}
REFUSED = 10  # code, message, the record that was refused

Entry = list[Any]
"""A record as it is read back: its kind, then its fields."""


def _plain(value: object) -> object:
    # Libraries give versions and numbers of classes of their own, which are texts and numbers all the same.
    for kind in (str, int, float):
        if isinstance(value, kind):
            return str.__str__(value) if kind is str else kind(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    raise TypeError(f"A value of type {type(value).__name__} cannot be kept.")


encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


def decode(payload: bytes) -> Entry:
    """The record that the bytes hold.

    Raises:
        ValueError: they hold none.
    """
    try:
        return _decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def points(run: str, micros: int, step: int | Sequence[int], metrics: Mapping[str, float | None]) -> bytes:
    """Values of metrics at one moment; a step for all of them, or one for each."""
    return encode((POINTS, run, micros, step, metrics))


def log(run: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> bytes:
    """Params and tags."""
    return encode((LOG, run, params, tags))


def create(run: str, fields: Mapping[str, Any], *, again: bool) -> bytes:
    """The beginning of a run, or of its next part."""
    return encode((CREATE, run, fields, again))


def finish(run: str, state: str, error: str, micros: int) -> bytes:
    """The end of a run."""
    return encode((FINISH, run, state, error, micros))


def artifact(run: str, name: str, kind: str, file: str, size: int) -> bytes:
    """Something that a run leaves behind; the file lies in the spool."""
    return encode((ARTIFACT, run, name, kind, file, size))


def update(run: str, fields: Mapping[str, str]) -> bytes:
    """Another name or other notes."""
    return encode((UPDATE, run, fields))


def still_open(runs: Sequence[str]) -> bytes:
    """The runs that this process is in."""
    return encode((OPEN, runs))


def blob(file: str) -> bytes:
    """Bytes that later records name by their digest."""
    return encode((BLOB, file))


def call(run: str, service: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
    """A call of another room's verb; it must be safe to repeat."""
    return encode((CALL, run, service, verb, arguments))


def refused(code: str, message: str, payload: bytes) -> bytes:
    """A record that was refused, and why."""
    return encode((REFUSED, code, message, payload))
