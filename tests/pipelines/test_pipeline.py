from __future__ import annotations

from typing import Any, Literal

import pytest

from flyball.errors import InvalidInput
from flyball.pipelines.pipeline import Pipeline, pipeline
from flyball.pipelines.step import Step, step


@pipeline
def many(
    count: int,
    rate: float = 0.1,
    name: str = "a",
    names: list[str] | None = None,
    mode: Literal["x", "y"] = "x",
    is_fast: bool = False,
    free: Any = None,
) -> None:
    """Does much."""


def test_texts_are_read_by_the_parameters_types() -> None:
    given = {
        "count": "3",
        "rate": "1",
        "name": "7",
        "names": '["a", "b"]',
        "is_fast": "true",
        "free": "z",
    }
    bound = many.bind(given)
    assert bound == {
        "count": 3, "rate": 1.0, "name": "7", "names": ["a", "b"], "mode": "x", "is_fast": True, "free": "z",
    }  # fmt: skip


def test_what_is_no_text_stays_as_it_is() -> None:
    assert many.bind({"count": 3, "rate": 2})["rate"] == 2


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "needs the parameter 'count'"),
        ({"count": "x"}, "'count' of pipeline 'many' cannot be 'x'"),
        ({"count": "1", "mode": "z"}, "'mode' of pipeline 'many' cannot be 'z'"),
        ({"count": "1", "rat": "1"}, "no parameter 'rat'. Did you mean 'rate'"),
        ({"count": "1", "names": "[1"}, "'names' of pipeline 'many' cannot be"),
    ],
)
def test_params_that_do_not_fit_are_named(params: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        many.bind(params)


def test_a_parameter_without_a_type_is_read_by_its_default() -> None:
    @pipeline
    def function(count=3):  # type: ignore[no-untyped-def]  # as users write it
        return count

    assert function.bind({"count": "5"}) == {"count": 5}


def test_a_pipeline_is_described_by_its_function() -> None:
    assert (many.name, many.__doc__, many.params["rate"]) == ("many", "Does much.", 0.1)


def test_a_pipeline_may_have_another_name() -> None:
    @pipeline(name="other")
    def function() -> None: ...

    assert function.name == "other"


def test_every_parameter_must_have_a_name() -> None:
    with pytest.raises(InvalidInput):

        @pipeline
        def function(*rows: Any) -> None: ...


def test_a_step_keeps_what_its_function_is() -> None:
    @step(name="other", retries=2, timeout="1m", inputs="a.csv")
    def function(x: int, y: int = 2) -> int:
        """Adds."""
        return x + y

    assert (function.name, getattr(function, "__name__", ""), function.__doc__) == ("other", "function", "Adds.")
    assert (function.timeout, function.inputs, str(function.signature)) == (
        60.0,
        ("a.csv",),
        "(x: 'int', y: 'int' = 2) -> 'int'",
    )
    assert function(1) == 3


@pytest.mark.parametrize(
    ("annotation", "parts"),
    [
        ("tuple[int, str]", 2), ("tuple[int]", 1), ("tuple[int, ...]", None), ("tuple", None), ("int", None),
        ("typing.Tuple[Unknown, Other, 'x']", 3), ("list[tuple[int, int]]", None), (tuple[int, int], 2), (int, None),
        (tuple[int, ...], None), ("no (valid", None),
    ],
)  # fmt: skip
def test_the_outputs_of_a_step_are_told_by_its_annotation(annotation: object, parts: int | None) -> None:
    def function() -> None: ...

    function.__annotations__["return"] = annotation
    assert Step(function).parts == parts


async def _later() -> None: ...


def _bit_by_bit() -> Any:
    yield 1


@pytest.mark.parametrize("wrong", [3, _later, _bit_by_bit])
def test_what_cannot_be_a_step_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        step(wrong)


@pytest.mark.parametrize("settings", [{"retries": -1}, {"timeout": 0}, {"timeout": "soon"}, {"name": "no/slash"}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        step(**settings)(lambda: None)


def test_what_is_no_function_is_no_pipeline() -> None:
    with pytest.raises(InvalidInput):
        Pipeline(3)  # type: ignore[arg-type]  # what is refused
