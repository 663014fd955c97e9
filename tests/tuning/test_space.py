"""The values that a param may take."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from hyperopt import hp

from flyball.errors import InvalidInput
from flyball.tuning.space import Dimension, choice, integer, number, space_of


def test_hints_name_what_is_searched() -> None:
    hints = {"rate": Annotated[float, number(0.01, 0.3)], "rule": Literal["gini", "entropy"], "rows": list, "seed": int}
    assert space_of(hints) == {"rate": number(0.01, 0.3), "rule": choice("gini", "entropy")}


def test_what_is_given_goes_before_the_hint() -> None:
    assert space_of({"rate": Annotated[float, number(0, 1)]}, {"rate": number(2, 3)}) == {"rate": number(2, 3)}


def test_a_list_is_a_choice() -> None:
    assert space_of({"depth": int}, {"depth": [2, 4, 8]}) == {"depth": choice(2, 4, 8)}


def test_what_is_fixed_is_not_searched() -> None:
    hints = {"a": Annotated[float, number(0, 1)], "b": Annotated[float, number(0, 1)]}
    assert list(space_of(hints, fixed={"a": 0.5})) == ["b"]


@pytest.mark.parametrize(
    ("expression", "dimension"),
    [
        (hp.uniform("a", 0.5, 2.0), number(0.5, 2.0)),
        (hp.loguniform("a", math.log(0.01), math.log(10)), number(0.01, 10, log=True)),
        (hp.quniform("a", 0, 10, 2), number(0, 10, step=2)),
        (hp.uniformint("a", 3, 9), integer(3, 9)),
        (hp.randint("a", 5), integer(0, 4)),
        (hp.randint("a", 2, 5), integer(2, 4)),
        (hp.choice("a", ["gini", "entropy"]), choice("gini", "entropy")),
    ],
    ids=["uniform", "loguniform", "quniform", "uniformint", "randint", "randint-low", "choice"],
)
def test_expressions_of_hyperopt_are_read(expression: Any, dimension: Dimension) -> None:
    [read] = space_of({"a": float}, {"a": expression}).values()
    assert (read.kind, read.log, read.step, read.values) == (
        dimension.kind, dimension.log, dimension.step, dimension.values,
    )  # fmt: skip
    assert (read.low, read.high) == pytest.approx((dimension.low, dimension.high))


@pytest.mark.parametrize(
    "expression", [hp.normal("a", 0, 1), hp.choice("a", [hp.uniform("b", 0, 1), 3])], ids=["normal", "nested"]
)
def test_expressions_that_have_no_bounds_are_refused(expression: Any) -> None:
    with pytest.raises(InvalidInput, match="which is not read"):
        space_of({"a": float}, {"a": expression})


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: number(2, 1), "No number lies between 2 and 1"),
        (lambda: number(0, math.inf), "No number lies between 0 and inf"),
        (lambda: number(0, 1, log=True), "A log scale from 0 cannot be"),
        (lambda: integer(1, 3, step=5), "Steps of 5 do not fit"),
        (lambda: choice(), "between plain values"),
        (lambda: choice([1], [2]), "between plain values"),  # type: ignore[arg-type, list-item, unused-ignore]  # what is refused
        (lambda: choice(1, 1), "one value twice"),
        (lambda: space_of({"a": int}), "nothing to search"),
        (lambda: space_of({"a": int}, {"b": [1]}), "no parameter 'b'"),
        (lambda: space_of({"a": int}, {"a": 3}), "cannot be read"),
    ],
    ids=["turned", "endless", "log", "steps", "none", "lists", "twice", "nothing", "unknown", "number"],
)
def test_what_cannot_be_searched_is_refused(make: Any, found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        make()


def test_true_is_not_one() -> None:
    assert choice(1, 2).has(1)
    assert not choice(1, 2).has(True)
    assert not integer(0, 2).has(True)
    assert not integer(0, 2).has(1.5)
