"""Label errors: rows whose label a model that has not seen them contradicts with confidence (Northcutt, Jiang and Chuang 2021).

Probabilities come from five-fold cross validation with scikit-learn. A class is believed where its probability reaches the
mean of those that carry its label, so classes may be of any size and a model may be over-confident.
"""

from __future__ import annotations

from collections.abc import Iterator

from flyball.data._label_errors import find_label_errors
from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect

_ROWS = 20_000
_LEAST_ROWS = 100
_LEAST_SHARE = 0.002


class LabelErrors:
    """Needs a label of at most 20 classes and at least 100 labelled rows."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Rows that are probably mislabelled, the surest first."""
        label = suspect.table.label
        if not label:
            return
        table = suspect.table.labelled().arrow.slice(0, _ROWS)
        names = [c.column for c in suspect.inputs if c.type in ("int", "float", "decimal", "bool", "string")]
        if (
            table.num_rows < _LEAST_ROWS
            or not names
            or suspect.profile.column(label).type not in ("bool", "int", "string")
        ):
            return
        places = find_label_errors(table.select(names), table.column(label))
        if len(places) < max(1, _LEAST_SHARE * table.num_rows):
            return
        examples = table.select([label, *names]).take(list(places[:5]))
        share = len(places) / table.num_rows
        yield CleanFinding(
            kind="label_errors",
            column=label,
            found=f"{len(places):,} of {table.num_rows:,} labels are probably wrong ({share:.1%})",
            rows=len(places),
            confidence=0.6,
            examples=Suspect(
                table=suspect.table.with_arrow(examples), profile=suspect.profile, personal=suspect.personal
            ).show_rows(range(examples.num_rows)),
            fix="rows = fb.clean.drop_label_errors(rows)",
        )


plugin: Cleaner = LabelErrors()
