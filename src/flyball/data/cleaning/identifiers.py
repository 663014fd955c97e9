"""Identifiers: columns that only name rows, from which a model learns by heart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect

_NAMES = re.compile(r"(^|[_\W])(id|key|uuid|guid|number|nr|no|index|row)$", re.IGNORECASE)
_LEAST_ROWS = 50


class Identifiers:
    """Looks for texts and whole numbers that differ in every row."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Columns like a key."""
        for column in suspect.of_type("int", "string"):
            if column.known < _LEAST_ROWS or (column.distinct or 0) < 0.9 * column.known:
                continue
            values = suspect.table.column(column.column).drop_null()
            if len(values.unique()) < len(values):
                continue
            is_named = bool(_NAMES.search(column.column))
            is_text = column.type == "string" and column.lengths is not None and column.lengths.most <= 64
            counts_up = column.type == "int" and _counts_up(column.minimum, column.maximum, column.known)
            if is_named or is_text or counts_up:
                yield CleanFinding(
                    kind="identifiers",
                    column=column.column,
                    found=f"'{column.column}' differs in every row, as a key does",
                    rows=column.known,
                    confidence=0.9 if is_named or counts_up else 0.7,
                    examples=suspect.show(column.column, list(column.examples)),
                    fix=f"rows = fb.clean.drop_columns(rows, [{column.column!r}])",
                )


def _counts_up(low: object, high: object, rows: int) -> bool:
    return isinstance(low, int) and isinstance(high, int) and high - low < 1.2 * rows


plugin: Cleaner = Identifiers()
