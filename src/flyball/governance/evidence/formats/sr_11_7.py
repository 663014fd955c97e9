"""A checklist in the order of SR 11-7, Supervisory Guidance on Model Risk Management (Federal Reserve and OCC, April 2011)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.governance.evidence import facts as f
from flyball.governance.evidence.base import EvidenceFormat, Question, known, written


class Sr117:
    """Development, validation and governance."""

    title = "Model risk management checklist"
    asked_by = "SR 11-7 / OCC 2011-12, Supervisory Guidance on Model Risk Management"

    def questions(self, facts: f.EvidenceFacts) -> Sequence[Question]:
        """The points of the guidance, in its order."""
        return (
            written("IV Development: statement of purpose", "Intended purpose", "what it is for", f.what),
            written("IV Development: design, theory and logic", "Design", "why it is built as it is", f.making),
            known(
                "IV Development: assessment of data quality and relevance",
                "It is not known what it learned from.",
                "fb.training_set(...) in the pipeline",
                f.data,
                f.checks,
                f.catalog,
                f.personal,
            ),
            known(
                "IV Development: testing",
                "It was registered without a score.",
                "fb.evaluate(...) in the pipeline",
                f.scores,
                f.groups,
            ),
            written("IV Use: how and by whom it is used", "Instructions for use", "how it is to be used", f.serving),
            known(
                "IV Use: limitations and uncertainty",
                "Nothing is known of its limits.",
                "fb.evaluate(...) in the pipeline",
                f.limits,
            ),
            known(
                "V Validation: evaluation of conceptual soundness, by others than its developers",
                "Nobody else has looked at it.",
                "flyball models request VERSION",
                f.people,
                f.gates,
            ),
            known(
                "V Validation: ongoing monitoring",
                "Nothing watches it in use.",
                "monitors=[fb.monitor.drift()] of the loop",
                f.monitors,
                f.alerts,
            ),
            written("V Validation: benchmarking", "Benchmark", "what it was compared with", f.versions),
            known(
                "V Validation: outcomes analysis",
                "How good it is in use is not known.",
                "flyball monitor truth MODEL FILE",
                f.performance,
            ),
            known(
                "VI Governance: policies and procedures",
                "No policy holds for it.",
                "fb.rule.approvals(...) in the project file, then flyball apply",
                f.policies,
                f.retention,
            ),
            known(
                "VI Governance: roles and responsibilities",
                "Nobody has approved it.",
                "flyball models request VERSION",
                f.oversight,
            ),
            known(
                "VI Governance: internal audit",
                "The audit log holds nothing of it, or you may not read it.",
                "flyball audit verify",
                f.history,
            ),
            written(
                "VI Governance: external resources and vendors", "Vendors", "what comes from others", f.environment
            ),
            known(
                "VI Governance: model inventory",
                "It is not in the inventory.",
                "flyball models list",
                f.what,
                f.risk,
                f.serving,
            ),
            known(
                "VI Governance: documentation",
                "How it was made is not recorded.",
                "fb.register(...) inside a pipeline",
                f.making,
                f.lineage,
                f.maturity,
            ),
        )


plugin: EvidenceFormat = Sr117()
