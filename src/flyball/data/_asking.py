"""How few questions to the database answer what many checks want to know.

Three ways, the cheapest first: the ends of a column of numbers tell that nothing lies outside; a text that repeats is judged
once for each different value; and all that is left is counted in one pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data import _sql
from flyball.data.checks.base import CheckSpec, Ends, Finding, Plan

if TYPE_CHECKING:
    from flyball.data.scan import Scan

_LOOKED_AT = 100_000
_FEW_VALUES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A check that is ready to be asked: what it is, and how it finds out, or what is clear already."""

    spec: CheckSpec
    way: Plan | Finding

    def aggregates(self, place: int) -> dict[str, str]:
        """What it adds to the one pass."""
        if isinstance(self.way, Finding) or self.way.query:
            return {}
        return {f"{place}.{name}": expression for name, expression in self.way.aggregates.items()}

    @property
    def told_by(self) -> Callable[[Ends], Mapping[str, int] | None] | None:
        """What may tell them before they are asked for."""
        return self.way.told_by if isinstance(self.way, Plan) else None


def answers(scan: Scan, compiled: Sequence[Compiled]) -> dict[str, Any]:
    """The values of all aggregates that the checks want."""
    wanted = aggregates_of(compiled)
    seen = told_by_values(scan, compiled)
    by_ends = {
        place: one.spec.column
        for place, one in enumerate(compiled)
        if one.told_by is not None and scan.schema.column(one.spec.column).type in ("int", "float")
    }
    # What the ends of numbers may tell is asked for only if they do not.
    later = {name for place in by_ends for name in compiled[place].aggregates(place)}
    first = {name: sql for name, sql in without(wanted, seen).items() if name not in later}
    ends, found = scan.ends(list(dict.fromkeys(by_ends.values())), first)
    seen |= found | told_by_ends(compiled, ends)
    return seen | scan.row(without(wanted, seen))


def aggregates_of(compiled: Sequence[Compiled]) -> dict[str, str]:
    """All that the checks want to know, as SQL."""
    return {name: sql for place, one in enumerate(compiled) for name, sql in one.aggregates(place).items()}


def told_by_ends(compiled: Sequence[Compiled], ends: Mapping[str, Ends]) -> dict[str, Any]:
    """The aggregates that need not be asked for, as the ends of the columns tell them."""
    found: dict[str, Any] = {}
    for place, one in enumerate(compiled):
        if one.told_by is not None and one.spec.column in ends:
            told = one.told_by(ends[one.spec.column]) or {}
            found |= {f"{place}.{name}": value for name, value in told.items()}
    return found


def told_by_values(scan: Scan, compiled: Sequence[Compiled]) -> dict[str, Any]:
    """The aggregates about texts that repeat, each different text judged once."""
    found: dict[str, Any] = {}
    asked: dict[str, list[tuple[int, Plan]]] = {}
    for place, one in enumerate(compiled):
        if isinstance(one.way, Plan) and one.way.is_by_value and scan.schema.column(one.spec.column).type == "string":
            asked.setdefault(one.spec.column, []).append((place, one.way))
    for column, plans in asked.items():
        if not _repeats(scan, column):
            continue
        ref = scan.ref(column)
        sums = [f"sum(n) FILTER ({condition})" for _, plan in plans for condition in (plan.bad, f"{ref} IS NOT NULL")]
        groups = _sql.select(f"{ref}, count(*) AS n", "GROUP BY 1")
        counts = iter(scan.query(_sql.select(", ".join(sums), of=f"({groups})"))[0])
        for place, _ in plans:
            found[f"{place}.others"], found[f"{place}.known"] = (int(next(counts) or 0) for _ in range(2))
    return found


def without(wanted: Mapping[str, str], seen: Mapping[str, Any]) -> dict[str, str]:
    """What is not known yet."""
    return {name: sql for name, sql in wanted.items() if name not in seen}


def _repeats(scan: Scan, column: str) -> bool:
    first = _sql.select(f"{scan.ref(column)} AS value", f"LIMIT {_LOOKED_AT}")
    return bool(scan.query(_sql.select("approx_count_distinct(value)", of=f"({first})"))[0][0] < _FEW_VALUES)
