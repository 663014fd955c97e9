"""Distribution: the Jensen-Shannon distance to a `reference` (bins or levels with their shares) is at most `at_most`.

The distance is the square root of the divergence in bits, between 0 (the same) and 1 (nothing in common); see Endres and
Schindelin 2003. Missing values do not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.data import _sql
from flyball.data.checks._statistic import as_double, is_number, known
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How the values of a column were spread.

    Attributes:
        edges: Ends of the bins of a numeric column, ascending; a bin holds its lower end, the last one both.
        levels: The values of any other column.
        shares: Of each bin or level; what is missing to 1 are others.
    """

    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()


class Distribution:
    """Values must be spread as they were."""

    params: Mapping[str, bool] = {"reference": True, "at_most": True}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the values in the reference's bins or levels."""
        if isinstance(params["reference"], str):
            raise InvalidInput(
                f"The profile '{params['reference']}' of '{column}' was not handed over.", hint="Give profiles={...}."
            )
        reference = convert(params["reference"], Shares)
        limit = convert(params["at_most"], float)
        cells = max(len(reference.levels), len(reference.edges) - 1)
        if not cells or len(reference.shares) != cells:
            raise InvalidInput(f"The reference of '{column}' has no bins or levels that fit its shares.")
        is_a_number = is_number(rows, column) and rows.schema.column(column).type != "bool"
        if reference.edges and not is_a_number:
            return wrong(-1, f"'{column}' is of type {rows.arrow_type(column)}, and its reference is of numbers")
        counts = _bins(rows, column, reference.edges) if reference.edges else _levels(rows, column, reference.levels)

        def read(seen: Mapping[str, Any]) -> Finding:
            return _judge(column, reference.shares, [seen[name] for name in counts], seen["known"], limit)

        return Plan(aggregates={**counts, "known": f"count_if({known(rows, column)})"}, read=read)


def _bins(rows: Rows, column: str, edges: Sequence[float]) -> dict[str, str]:
    value, there, counts = as_double(rows, column), known(rows, column), {}
    for place in range(len(edges) - 1):
        is_last = place == len(edges) - 2
        upper = f"{value} {'<=' if is_last else '<'} {_sql.number(edges[place + 1])}"
        counts[f"cell{place}"] = f"count_if({value} >= {_sql.number(edges[place])} AND {upper} AND {there})"
    return counts


def _levels(rows: Rows, column: str, levels: Sequence[str]) -> dict[str, str]:
    value = f"CAST({rows.ref(column)} AS VARCHAR)"
    return {f"cell{place}": f"count_if({value} = {_sql.text(level)})" for place, level in enumerate(levels)}


def _judge(column: str, expected: Sequence[float], counts: Sequence[int], known: int, limit: float) -> Finding:
    if not known:
        return Finding(found=f"'{column}' holds no value to compare", failing=0, total=0)
    found = [count / known for count in counts]
    distance = jensen_shannon([*expected, max(0.0, 1 - math.fsum(expected))], [*found, max(0.0, 1 - math.fsum(found))])
    passed = distance <= limit
    told = f"the values of '{column}' lie {distance:.3f} from their reference (Jensen-Shannon)"
    told += "" if passed else f"; at most {limit:g} is expected"
    return Finding(found=told, failing=0 if passed else known, total=known, passed=passed)


def jensen_shannon(one: Sequence[float], other: Sequence[float]) -> float:
    """The Jensen-Shannon distance of two distributions over the same cells, from 0 to 1.

    >>> jensen_shannon([1, 0], [0, 1])
    1.0
    """

    def divergence(p: float, q: float) -> float:
        return p * math.log2(p / ((p + q) / 2)) if p else 0.0

    total = math.fsum(divergence(p, q) + divergence(q, p) for p, q in zip(one, other, strict=True)) / 2
    return math.sqrt(min(1.0, max(0.0, total)))


plugin: SqlCheck = Distribution()
