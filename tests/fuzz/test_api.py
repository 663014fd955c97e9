"""No request that the description allows, and none that it forbids, makes the server fail or hang: every verb of every room."""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from flyball.server.openapi import describe_api
from tests.fuzz.conftest import Planted
from tests.fuzz.planted import bent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

if TYPE_CHECKING:
    from schemathesis.schemas import BaseSchema

MOST_SECONDS = 20.0
TELLS_OF_AN_EXTRA = 501


@pytest.fixture(scope="module")
def described() -> BaseSchema:
    return schemathesis.openapi.from_dict(describe_api())


def operations() -> list[tuple[str, str]]:
    return [(path, method) for path, methods in describe_api()["paths"].items() for method in methods]


def fuzz(planted: Planted, described: BaseSchema, path: str, method: str, examples: int, mode: Any) -> list[str]:
    """Sends examples to an operation; gives those that made it fail or hang."""
    failed: list[str] = []

    def ask(data: st.DataObject) -> None:
        case = data.draw(described[path][method.upper()].as_strategy(generation_mode=mode))
        began = time.monotonic()
        if method == "get":
            query = data.draw(bent(dict(case.query or {}), planted.names))
            asked = json.dumps(query)
            answer = planted.http.get(path, params={name: _text(value) for name, value in query.items()})
        else:
            body = data.draw(bent(case.body, planted.names)) if isinstance(case.body, dict | list) else {}
            asked = json.dumps(body)
            answer = planted.http.post(path, content=asked.encode("utf-8", "surrogatepass"))
        took = time.monotonic() - began
        if (answer.status_code >= 500 and answer.status_code != TELLS_OF_AN_EXTRA) or took > MOST_SECONDS:
            failed.append(f"{path} {answer.status_code} after {took:.1f} s: {asked[:500]}: {answer.text[:200]}")

    quietly = settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None,
        derandomize=examples < 10, print_blob=False,
    )  # fmt: skip
    with contextlib.suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
        quietly(given(data=st.data())(ask))()
    return failed


def _text(value: object) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def test_no_allowed_request_makes_any_verb_fail(planted: Planted, described: BaseSchema) -> None:
    mode = schemathesis.GenerationMode.POSITIVE
    assert [one for path, method in operations() for one in fuzz(planted, described, path, method, 1, mode)] == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_no_request_at_all_makes_any_verb_fail(planted: Planted, described: BaseSchema, mode: Any, rounds: int) -> None:
    assert [one for path, method in operations() for one in fuzz(planted, described, path, method, rounds, mode)] == []
