"""Near duplicates: rows whose texts are nearly the same, by MinHash (Broder 1997) in bands, each pair then compared as it is.

Limits: texts of at least 20 characters on average; the first 20,000 rows; the first 400 characters; pairs at least 85 %
alike are found with a probability of 99 %, of 70 % alike about 80 % are looked at and dismissed.
"""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data._near_duplicates import _LEAST_LENGTH, _LENGTH, _ROWS, near_pairs
from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect


class NearDuplicates:
    """Looks at the texts of a row together."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Pairs that are nearly alike; what is exactly alike is told elsewhere."""
        texts = [
            c.column for c in suspect.of_type("string") if c.lengths is not None and c.lengths.mean >= _LEAST_LENGTH
        ]
        if not texts:
            return
        rows = suspect.table.arrow.slice(0, _ROWS)
        columns = [rows.column(name).to_pylist() for name in texts]
        whole = [
            " ".join(" ".join(part.lower().split()) for part in row if part)[:_LENGTH]
            for row in zip(*columns, strict=True)
        ]
        pairs = near_pairs(whole)
        if pairs:
            later = sorted({second for _, second in pairs})
            yield CleanFinding(
                kind="near_duplicates",
                column=texts[0] if len(texts) == 1 else "",
                found=f"{len(later):,} rows are nearly the same as an earlier one in {', '.join(map(repr, texts))}",
                rows=len(later),
                confidence=0.7,
                examples=suspect.show_rows([place for pair in pairs[:3] for place in pair]),
                fix=f"rows = fb.clean.drop_near_duplicates(rows, {texts!r})",
            )


plugin: Cleaner = NearDuplicates()
