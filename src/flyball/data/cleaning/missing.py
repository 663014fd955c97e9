"""Missing: columns with many missing values, or with values that stand for missing ones."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect

_MUCH = 0.05
_NEARLY_ALL = 0.95
_STAND_FOR = {
    "",
    "-",
    "--",
    "?",
    ".",
    "na",
    "n/a",
    "nan",
    "none",
    "null",
    "unknown",
    "missing",
    "nil",
    "#n/a",
    "keine",
    "inconnu",
}
_ODD_NUMBERS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0, -99999.0)


class Missing:
    """Looks at nulls, NaN, and at words and numbers that mean them."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Missing values."""
        for column in suspect.profile.columns:
            share = column.missing / column.rows if column.rows else 0.0
            if share > _MUCH:
                is_lost = share > _NEARLY_ALL
                fix = "drop_columns(rows, [{!r}])" if is_lost else "fill_missing(rows, {!r})"
                yield CleanFinding(
                    kind="missing",
                    column=column.column,
                    found=f"{share:.1%} of the values of '{column.column}' are missing",
                    rows=column.missing,
                    confidence=0.9 if is_lost else 0.5,
                    fix="rows = fb.clean." + fix.format(column.column),
                )
        yield from self._words(suspect)
        yield from self._numbers(suspect)

    def _words(self, suspect: Suspect) -> Iterator[CleanFinding]:
        for column in suspect.of_type("string"):
            marks = [each for each in column.top if str(each.value).strip().lower() in _STAND_FOR]
            if marks and column.is_top_exact:
                values = [each.value for each in marks]
                yield CleanFinding(
                    kind="missing",
                    column=column.column,
                    found=f"texts of '{column.column}' stand for missing values",
                    rows=sum(each.rows for each in marks),
                    confidence=0.85,
                    examples=suspect.show(column.column, [repr(value) for value in values]),
                    fix=f"rows = fb.clean.to_missing(rows, {column.column!r}, {values!r})",
                )

    def _numbers(self, suspect: Suspect) -> Iterator[CleanFinding]:
        for column in suspect.of_type("int", "float"):
            bins = column.bins
            if bins is None or len(column.quantiles) < 7 or (column.distinct or 0) < 20:
                continue
            low, high = column.quantiles[2], column.quantiles[4]
            spread = high - low
            for value, rows in zip(bins.repeated, bins.repeated_counts, strict=True):
                # Far from all others, and the end of the range.
                is_far = (
                    value < low - spread
                    or value > high + spread
                    or (value < 0 and value == column.minimum and low >= 0)
                )
                if value in _ODD_NUMBERS and is_far:
                    yield CleanFinding(
                        kind="missing",
                        column=column.column,
                        found=f"{value:g} in '{column.column}' lies far from all other values and stands for missing ones",
                        rows=rows,
                        confidence=0.85,
                        examples=(value,),
                        fix=f"rows = fb.clean.to_missing(rows, {column.column!r}, [{value:g}])",
                    )


plugin: Cleaner = Missing()
