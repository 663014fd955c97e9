"""Overlap: rows that a model is judged on and has learned from, by their key or by all they hold."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect


class Overlap:
    """Compares the training rows with the test rows."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Rows in both, and training rows later than the first test row."""
        if suspect.test is None:
            return
        from flyball.data.fixes import rows_in_other

        table, key = suspect.table, suspect.table.key
        shared = [name for name in table.column_names if name in suspect.test.column_names]
        for columns, how in ((([key] if key in shared else []), f"by the key '{key}'"), (shared, "in all columns")):
            if not columns:
                continue
            places = rows_in_other(table.arrow, suspect.test.arrow, columns)
            if places:
                fix = f"drop_rows_in(rows, test, {columns!r})" if columns != shared else "drop_rows_in(rows, test)"
                yield CleanFinding(
                    kind="overlap",
                    found=f"{len(places):,} training rows are among the test rows {how}",
                    rows=len(places),
                    confidence=0.95,
                    examples=suspect.show_rows(places),
                    fix=f"rows = fb.clean.{fix}",
                )
                return


plugin: Cleaner = Overlap()
