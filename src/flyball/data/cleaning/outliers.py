"""Outliers: numbers far from the others, by the median and its absolute deviation and by the quartiles."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect, numbers

_DEVIATIONS = 8.0  # a skewed but sound column, such as delays, has few values so far out
_QUARTILES = 5.0
_MOST = 0.01  # what is more frequent is a part of the distribution
_LEAST_ROWS = 50


class Outliers:
    """Both must say so. A few wild values do not widen the range that they are measured by (Iglewicz and Hoaglin 1993)."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Values far out."""
        import numpy as np

        for column in suspect.of_type("int", "float", "decimal"):
            values = numbers(suspect.table.column(column.column))
            known = values[~np.isnan(values)]
            if len(known) < _LEAST_ROWS or (column.distinct or 0) < 10:
                continue
            median = float(np.median(known))
            deviation = 1.4826 * float(np.median(np.abs(known - median)))
            first, third = (float(each) for each in np.quantile(known, [0.25, 0.75]))
            if not deviation or third <= first:
                continue
            low = min(median - _DEVIATIONS * deviation, first - _QUARTILES * (third - first))
            high = max(median + _DEVIATIONS * deviation, third + _QUARTILES * (third - first))
            out = known[(known < low) | (known > high)]
            if not 0 < len(out) <= _MOST * len(known):
                continue
            worst = out[np.argsort(-np.abs(out - median))]
            distance = float(abs(worst[0] - median)) / deviation
            yield CleanFinding(
                kind="outliers",
                column=column.column,
                found=f"{len(out):,} values of '{column.column}' lie outside {low:.4g} to {high:.4g}",
                rows=len(out),
                confidence=round(min(0.9, 0.3 + distance / 100), 2),
                examples=suspect.show(column.column, [f"{value:g}" for value in worst.tolist()]),
                fix=f"rows = fb.clean.clip(rows, {column.column!r}, {low:.6g}, {high:.6g})",
            )


plugin: Cleaner = Outliers()
