"""Types: texts that are numbers, moments in one or several formats, or marks of true and false."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect
from flyball.data.profile import ColumnProfile

_LOOKED_AT = 5_000
_MARKS = {"true", "false", "yes", "no", "y", "n", "t", "f", "ja", "nein", "oui", "non"}


class Types:
    """Reads each different text as each type."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Texts of another type."""
        for column in suspect.of_type("string"):
            counts = Counter(suspect.table.column(column.column).slice(0, _LOOKED_AT * 4).drop_null().to_pylist())
            texts = [text for text, _ in counts.most_common(_LOOKED_AT) if text.strip()]
            if len(texts) >= 2:
                yield from self._look(suspect, column, texts)

    def _look(self, suspect: Suspect, column: ColumnProfile, texts: list[str]) -> Iterator[CleanFinding]:
        from flyball.data import fixes

        name = column.column
        formats = Counter(found for text in texts if (found := fixes.time_format(text)))
        timely = sum(formats.values()) / len(texts)
        if timely >= 0.9:
            told = "one format" if len(formats) == 1 else f"{len(formats)} formats"
            yield _finding(
                suspect, column, f"'{name}' holds moments as texts, in {told}", [*formats], timely - 0.05 * (len(formats) > 1),
                f"to_times(rows, {name!r}, {[*formats]!r})",
            )  # fmt: skip
            return
        numeric = [text for text in texts if fixes.number_of(text) is not None]
        share = len(numeric) / len(texts)
        # Codes with zeros in front are names, such as post codes.
        coded = sum(len(text) > 1 and text[0] == "0" and text.isdigit() for text in numeric)
        if share >= 0.8 and coded <= 0.05 * len(numeric):
            others = [text for text in texts if fixes.number_of(text) is None]
            found = f"'{name}' holds numbers as texts" + (f", and {len(others)} other texts" if others else "")
            yield _finding(suspect, column, found, others or numeric, share * 0.95, f"to_numbers(rows, {name!r})")
        elif len(texts) <= 6 and all(text.strip().lower() in _MARKS for text in texts):
            yield _finding(
                suspect, column, f"'{name}' holds true and false as texts", texts, 0.85, f"to_marks(rows, {name!r})"
            )


def _finding(
    suspect: Suspect, column: ColumnProfile, found: str, examples: list[str], confidence: float, fix: str
) -> CleanFinding:
    return CleanFinding(
        kind="types",
        column=column.column,
        found=found,
        rows=column.known,
        confidence=round(confidence, 2),
        examples=suspect.show(column.column, examples),
        fix=f"rows = fb.clean.{fix}",
    )


plugin: Cleaner = Types()
