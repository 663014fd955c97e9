"""What comes in at a border becomes the noun it says it is, or is refused with the field's name."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput, NotFound
from flyball.serialization import (
    canonical_json,
    convert,
    digest,
    error_to_plain,
    from_json,
    json_schema,
    to_json,
    to_plain,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    count: int
    kind: Literal["a", "b"] = "a"
    inner: tuple[Inner, ...] = ()
    at: datetime | None = None
    facts: dict[str, Any] | None = None


FULL = Noun(
    count=3,
    kind="b",
    inner=(Inner(name="ü", weight=0.5),),
    at=datetime(2013, 3, 1, 0, 0, 0, 1, tzinfo=UTC),
    facts={"x": [1, None, {"y": True}]},
)
plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)


def test_a_noun_is_read_back() -> None:
    assert from_json(to_json(FULL), Noun) == FULL
    assert convert(to_plain(FULL), Noun) == FULL


@given(plain_values)
def test_plain_values_are_read_back(value: object) -> None:
    assert from_json(to_json(value), Any) == value
    assert from_json(canonical_json(value), Any) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_canonical_json_does_not_depend_on_the_order(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(turned)


def test_canonical_json_is_the_same_in_every_release() -> None:
    assert canonical_json(FULL) == (
        b'{"at":"2013-03-01T00:00:00.000001Z","count":3,"facts":{"x":[1,null,{"y":true}]},'
        b'"inner":[{"name":"\xc3\xbc","weight":0.5}],"kind":"b"}'
    )
    assert digest(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_becomes_null(value: float) -> None:
    assert to_json({"x": value}) == b'{"x":null}'


def test_numbers_of_numpy_are_written() -> None:
    values = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.array(2.0)}
    assert json.loads(to_json(values)) == {"a": 0.5, "b": 3, "c": True, "d": 2.0}
    assert to_plain(values) == {"a": 0.5, "b": 3, "c": True, "d": 2.0}


def test_what_cannot_be_written_is_refused() -> None:
    for value in (object(), np.array([1.0, 2.0]), {"x": json}):
        with pytest.raises(InvalidInput, match="cannot be written as JSON"):
            to_json(value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff", "malformed"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"{}", "count"),
        (b'{"count": "3"}', r"\$\.count"),
        (b'{"count": 3.5}', r"\$\.count"),
        (b'{"count": true}', r"\$\.count"),
        (b'{"count": 3, "kind": "c"}', r"\$\.kind"),
        (b'{"count": 3, "inner": [{"name": "x"}, {}]}', r"\$\.inner\[1\]"),
        (b'{"count": 3, "at": "yesterday"}', r"\$\.at"),
        (b'{"count": NaN}', "malformed"),
        (b'{"kind": "\xff"}', "utf-8"),
        (b'{"count": 3, "facts": {"x": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_field_named(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        from_json(data, Noun)


@given(st.binary())
def test_any_bytes_are_a_noun_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        from_json(data, Noun)


def test_text_is_read_as_a_number_only_where_it_is_asked_for() -> None:
    assert convert("3", int, strict=False) == 3
    assert convert("true", bool, strict=False) is True
    assert convert(["1", "2"], tuple[int, ...], strict=False) == (1, 2)
    with pytest.raises(InvalidInput):
        convert("3", int)
    with pytest.raises(InvalidInput):
        convert("three", int, strict=False)


def test_schemas_refer_to_shared_components() -> None:
    schemas, components = json_schema([Noun, list[Inner], int])
    assert schemas == [
        {"$ref": "#/components/schemas/Noun"},
        {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
        {"type": "integer"},
    ]
    assert set(components) == {"Noun", "Inner"}


def test_an_error_goes_over_the_wire_with_its_facts() -> None:
    error = NotFound("No churn.", hint="Look.", model="churn", version=3, tried=("a", "b"), odd=object)
    assert json.loads(to_json(error_to_plain(error))) == {
        "code": "not_found",
        "message": "No churn.",
        "hint": "Look.",
        "facts": {"model": "churn", "version": 3, "tried": ["a", "b"], "odd": "<class 'object'>"},
    }
