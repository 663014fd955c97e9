"""A model card, in the order of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.governance.evidence import facts as f
from flyball.governance.evidence.base import EvidenceFormat, Question, known, written


class ModelCardFormat:
    """The nine sections of the paper."""

    title = "Model card"
    asked_by = "Mitchell et al., Model Cards for Model Reporting, 2019"

    def questions(self, facts: f.EvidenceFacts) -> Sequence[Question]:
        """The sections, in the paper's order."""
        return (
            known(
                "Model details", "Nothing is known.", "flyball models describe VERSION TEXT", f.what, f.making, f.people
            ),
            written("Intended use", "Intended purpose", "what it is for", f.inputs),
            known(
                "Factors",
                "It was not scored subgroup by subgroup.",
                "fb.evaluate(model, rows, slices=[...]) in the pipeline",
                f.groups,
            ),
            known("Metrics", "It was registered without a score.", "fb.evaluate(...) in the pipeline", f.metrics),
            known(
                "Evaluation data",
                "No held-out rows are kept.",
                "fb.split(...) and fb.evaluate(...) in the pipeline",
                f.labels,
            ),
            known(
                "Training data",
                "It is not known what it learned from.",
                "fb.training_set(...) in the pipeline",
                f.data,
                f.catalog,
                f.personal,
            ),
            known(
                "Quantitative analyses",
                "It was registered without a score.",
                "fb.evaluate(...) in the pipeline",
                f.scores,
            ),
            written("Ethical considerations", "Ethical considerations", "what has to be considered", f.personal),
            known(
                "Caveats and recommendations",
                "Nothing is known of its limits.",
                "fb.evaluate(...) in the pipeline",
                f.limits,
            ),
        )


plugin: EvidenceFormat = ModelCardFormat()
