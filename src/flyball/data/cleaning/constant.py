"""Constant: columns that hold one value, or that hardly ever hold another."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect

_NEARLY = 0.999


class Constant:
    """Nothing can be learned from what never changes."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Columns without variation."""
        for column in suspect.inputs:
            if not column.known or column.rows < 10:
                continue
            is_one = column.minimum is not None and column.minimum == column.maximum and column.type != "string"
            most = column.top[0].rows if column.top and column.is_top_exact else 0
            if not (is_one or most > _NEARLY * column.known):
                continue
            value = column.top[0].value if column.top else column.minimum
            share = 1.0 if is_one or most == column.known else most / column.known
            yield CleanFinding(
                kind="constant",
                column=column.column,
                found=f"'{column.column}' is the same in {'all' if share == 1 else f'{share:.2%} of the'} rows",
                rows=round(share * column.known),
                confidence=0.9 if share == 1 else 0.6,
                examples=suspect.show(column.column, [value]),
                fix=f"rows = fb.clean.drop_columns(rows, [{column.column!r}])",
            )


plugin: Cleaner = Constant()
