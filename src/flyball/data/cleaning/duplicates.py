"""Duplicates: rows that repeat an earlier one in all columns, or in all but the key."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect


class Duplicates:
    """Compares whole rows, exactly."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Repeated rows."""
        names = suspect.table.column_names
        if suspect.profile.duplicates:
            yield _finding(suspect, names, suspect.profile.duplicates, "drop_duplicates(rows)", "in all columns", 0.95)
        key = suspect.table.key
        without_key = [name for name in names if name != key]
        if key and not suspect.profile.duplicates and len(without_key) > 2:
            count = len(_repeats(suspect, without_key))
            if count:
                columns = ", ".join(map(repr, without_key))
                fix = f"drop_duplicates(rows, [{columns}])"
                yield _finding(suspect, without_key, count, fix, f"in all columns but the key '{key}'", 0.6)


def _repeats(suspect: Suspect, names: list[str]) -> list[int]:
    from flyball.data.fixes import repeated_rows

    return repeated_rows(suspect.table.arrow, names)


def _finding(suspect: Suspect, names: list[str], count: int, fix: str, how: str, confidence: float) -> CleanFinding:
    return CleanFinding(
        kind="duplicates",
        found=f"{count:,} rows repeat an earlier one {how}",
        rows=count,
        confidence=confidence,
        examples=suspect.show_rows(_repeats(suspect, names)),
        fix=f"rows = fb.clean.{fix}",
    )


plugin: Cleaner = Duplicates()
