"""Bias: groups that hardly occur, and groups whose rate of the label differs from the others by more than chance."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect
from flyball.data.profile import ColumnProfile

_MOST_GROUPS = 20
_FEW = 0.01
_LEAST_ROWS = 30
_LEAST_GAP = 0.05
_Z = 1.959964


class Bias:
    """Looks at the groups of texts and marks with at most 20 values; label rates with intervals by Wilson (1927)."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Groups that are rare, and groups that fare otherwise."""
        label = suspect.table.label
        for column in suspect.inputs:
            is_asked_for = column.column in suspect.groups
            if suspect.groups and not is_asked_for:
                continue
            if column.type in ("string", "bool", "int") and 1 < (column.distinct or 0) <= _MOST_GROUPS and column.top:
                yield from self._balance(suspect, column)
                if label:
                    yield from self._rates(suspect, column, label)

    def _balance(self, suspect: Suspect, column: ColumnProfile) -> Iterator[CleanFinding]:
        rare = [each for each in column.top if each.rows < _FEW * column.known]
        if rare and column.is_top_exact:
            yield CleanFinding(
                kind="bias",
                column=column.column,
                found=f"{len(rare)} of {len(column.top)} groups of '{column.column}' have less than {_FEW:.0%} of the rows each",
                rows=sum(each.rows for each in rare),
                confidence=0.5,
                examples=suspect.show(column.column, [f"{each.value}: {each.rows:,} rows" for each in rare]),
            )

    def _rates(self, suspect: Suspect, column: ColumnProfile, label: str) -> Iterator[CleanFinding]:
        classes = suspect.profile.column(label).top
        if len(classes) != 2:
            return
        positive = max((each.value for each in classes), key=str)
        counts: dict[object, list[int]] = defaultdict(lambda: [0, 0])
        rows = suspect.table.labelled().arrow
        for group, truth in zip(rows.column(column.column).to_pylist(), rows.column(label).to_pylist(), strict=True):
            if group is not None:
                counts[group][0] += 1
                counts[group][1] += truth == positive
        n, hits = sum(each[0] for each in counts.values()), sum(each[1] for each in counts.values())
        apart, affected = [], 0
        for group, (size, own) in sorted(counts.items(), key=lambda pair: str(pair[0])):
            if size < _LEAST_ROWS or n - size < _LEAST_ROWS:
                continue
            rest = (hits - own) / (n - size)
            low, high = wilson(own, size, len(counts))
            if not low <= rest <= high and abs(own / size - rest) >= _LEAST_GAP:
                apart.append(f"{group}: {own / size:.1%} ({low:.1%} to {high:.1%}), others {rest:.1%}")
                affected += size
        if apart:
            yield CleanFinding(
                kind="bias",
                column=column.column,
                found=f"'{label}' = {positive} is {_LEAST_GAP:.0%} or more apart in {len(apart)} groups of '{column.column}'",
                rows=affected,
                confidence=0.8 if column.column in suspect.groups else 0.4,
                examples=suspect.show(column.column, apart),
            )


def wilson(hits: int, rows: int, tests: int = 1) -> tuple[float, float]:
    """The interval that a rate lies in with 95 %, widened for so many looks (Bonferroni).

    >>> [round(end, 3) for end in wilson(5, 10)]
    [0.237, 0.763]
    """
    from statistics import NormalDist

    z = _Z if tests == 1 else NormalDist().inv_cdf(1 - 0.025 / tests)
    share, square = hits / rows, z * z
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = z / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


plugin: Cleaner = Bias()
