"""A data sheet of what a version learned from, in the order of Gebru et al., "Datasheets for Datasets" (CACM 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.governance.evidence import facts as f
from flyball.governance.evidence.base import EvidenceFormat, Question, known, written


class DataSheet:
    """The seven sections of the paper."""

    title = "Data sheet"
    asked_by = "Gebru et al., Datasheets for Datasets, 2021"

    def questions(self, facts: f.EvidenceFacts) -> Sequence[Question]:
        """The sections, in the paper's order."""
        return (
            written("Motivation", "Data: motivation", "why the data was gathered", f.catalog),
            known(
                "Composition",
                "It is not known what it learned from.",
                "fb.training_set(...) in the pipeline",
                f.data,
                f.personal,
                f.labels,
            ),
            written("Collection process", "Data: collection", "how the data was gathered", f.lineage),
            known(
                "Preprocessing, cleaning, labelling",
                "No checks of the data are known.",
                "flyball data check DATASET",
                f.checks,
            ),
            known("Uses", "Nothing is known.", "flyball catalog lineage", f.what, f.serving),
            written("Distribution", "Data: distribution", "to whom the data is given", f.policies),
            known(
                "Maintenance",
                "Nothing says how long the data is kept.",
                "fb.rule.retention(...) in the project file",
                f.retention,
                f.loop,
            ),
        )


plugin: EvidenceFormat = DataSheet()
