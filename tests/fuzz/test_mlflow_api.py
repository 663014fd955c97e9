"""No request to MLflow's addresses makes the server fail or hang: fields as they are meant, and with anything else in them."""

from __future__ import annotations

import json
import re
import time
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flyball.server.protocols.mlflow import wire
from tests.fuzz.conftest import Planted
from tests.fuzz.planted import NUMBERS

MOST_SECONDS = 20.0
NOT_OURS = ("TEMPORARILY_UNAVAILABLE", "NOT_IMPLEMENTED", "INVALID_STATE")
_ADDRESSES = re.compile(r"\(\?P<(\w+)>[^)]*\)")


def addresses() -> list[tuple[str, str, Any]]:
    """Method, address and form of all that is answered below `/api/`; parameters of a path as `{name}`."""
    wire.load_endpoints()
    exact = [(method, path, made.given) for (method, path), made in wire._exact.items()]
    exact += [
        (method, _ADDRESSES.sub(r"{\1}", pattern.pattern).strip("^$").replace("\\", ""), made.given)
        for method, pattern, made in wire._templates
    ]
    return sorted((one for one in exact if not one[1].startswith("/ajax-api")), key=lambda one: one[:2])


@st.composite
def filled(draw: st.DrawFn, hint: Any, names: list[str], depth: int = 0) -> Any:
    """A value of that type as JSON has it; now and then another one."""
    if draw(st.integers(0, 11)) == 0:
        return draw(junk(names))
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return draw(filled(draw(st.sampled_from(parts)), names, depth))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        hints = typing.get_type_hints(hint)
        required = len(hint.__struct_fields__) - len(hint.__struct_defaults__)
        fields = zip(hint.__struct_encode_fields__, hint.__struct_fields__, strict=True)
        chosen = [field for place, field in enumerate(fields) if place < required or draw(st.booleans())]
        return {name: draw(filled(hints[field], names, depth + 1)) for name, field in chosen}
    if origin in (list, tuple) and depth < 4:
        return [draw(filled(parts[0], names, depth + 1)) for _ in range(draw(st.integers(0, 3)))]
    if origin is dict and depth < 4:
        return {
            draw(st.sampled_from(names)): draw(filled(parts[1], names, depth + 1))
            for _ in range(draw(st.integers(0, 2)))
        }
    if hint in (int, float):
        return draw(st.sampled_from(NUMBERS))
    return draw(st.sampled_from(names)) if hint is str else draw(junk(names))


def junk(names: list[str]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(names) | st.text(max_size=20)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )


def fuzz(planted: Planted, method: str, path: str, form: Any, examples: int) -> list[str]:
    failed: list[str] = []

    def ask(data: st.DataObject) -> None:
        address = re.sub(r"{\w+}", lambda _: _quoted(data.draw(st.sampled_from(planted.names))), path)
        body = data.draw(filled(form, planted.names)) if form is not None else data.draw(junk(planted.names))
        sent = json.dumps(body).encode("utf-8", "surrogatepass")
        began = time.monotonic()
        if method in ("GET", "DELETE") and isinstance(body, dict):
            query = {
                _clean(name): _clean(value if isinstance(value, str) else json.dumps(value))
                for name, value in body.items()
            }
            answer = planted.http.request(method, address, params=query)
        else:
            answer = planted.http.request(method, address, content=sent)
        took = time.monotonic() - began
        excused = answer.status_code in (501, 503) or any(code in answer.text for code in NOT_OURS)
        if (answer.status_code >= 500 and not excused) or took > MOST_SECONDS:
            failed.append(
                f"{method} {address[:200]} {answer.status_code} after {took:.1f} s: {sent[:500]!r}: {answer.text[:200]}"
            )

    settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None,
        derandomize=examples < 10, print_blob=False,
    )(given(data=st.data())(ask))()  # fmt: skip
    return failed


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text.encode("utf-8", "replace"), safe="")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def test_no_request_makes_an_endpoint_fail(planted: Planted) -> None:
    assert [one for method, path, form in addresses() for one in fuzz(planted, method, path, form, 2)] == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_no_request_makes_an_endpoint_fail_for_long(planted: Planted, rounds: int) -> None:
    assert [one for method, path, form in addresses() for one in fuzz(planted, method, path, form, rounds * 4)] == []
