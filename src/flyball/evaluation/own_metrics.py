"""Declaring metrics of one's own: `fb.metric`, on a function of rows or with an expression of SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from flyball.errors import InvalidInput
from flyball.evaluation.row_metrics import RowMetric
from flyball.evaluation.scores import METRICS

Function = TypeVar("Function", bound=Callable[..., Any])
_LONGEST = 2_000


@overload
def metric(given: Function) -> Function: ...
@overload
def metric(given: str, expression: str, *, greater_is_better: bool = True) -> str: ...
@overload
def metric(*, greater_is_better: bool = True) -> Callable[[Function], Function]: ...
def metric(given: Any = None, expression: str = "", *, greater_is_better: bool = True) -> Any:
    """A metric of one's own, to be named where metrics are named.

    A decorated function is given the rows as an Arrow table and gives a number; its name is the metric's. With a name and an
    expression of SQL it gives the text that stands for the metric everywhere, also in monitors and gates of a server:

        profit = fb.metric("profit", "avg(case when prediction and truth then 90.0 when prediction then -10.0 else 0 end)")

    Args:
        given: The function, or the name of the expression.
        expression: An aggregate over `truth`, `prediction`, `probability` and the inputs.
        greater_is_better: Whether more is better.

    Raises:
        InvalidInput: the name or the expression is none.
    """
    if isinstance(given, str):
        return _named(given, expression, greater_is_better=greater_is_better)
    if given is None:
        return lambda function: metric_of(function, greater_is_better=greater_is_better)
    return metric_of(given, greater_is_better=greater_is_better)


def metric_of(function: Function, *, greater_is_better: bool) -> Function:
    """Makes the function known as a metric; gives the function.

    Raises:
        InvalidInput: one of the house is called so.
    """
    name = function.__name__
    if METRICS.is_own(name):
        raise InvalidInput(f"There is a metric '{name}' already.", hint="Give the function another name.")
    METRICS.add(name, RowMetric(function, greater_is_better=greater_is_better))
    return function


def _named(name: str, expression: str, *, greater_is_better: bool) -> str:
    if not name.isidentifier():
        raise InvalidInput(
            f"'{name[:60]}' cannot be the name of a metric.", hint="Use letters, digits and underscores."
        )
    if METRICS.is_own(name):
        raise InvalidInput(f"There is a metric '{name}' already.", hint="Give another name.")
    text = " ".join(expression.split())
    if not text or len(text) > _LONGEST or ";" in text:
        raise InvalidInput(
            "The expression of a metric is empty, too long, or holds a semicolon.", hint="Give one aggregate."
        )
    return f"{name} {'=' if greater_is_better else '<'} {text}"
