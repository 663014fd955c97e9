"""A checklist in the order of the NIST AI Risk Management Framework 1.0 (NIST AI 100-1, January 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.governance.evidence import facts as f
from flyball.governance.evidence.base import EvidenceFormat, Question, known, written

_RULE = "fb.rule.approvals(...) in the project file, then flyball apply"


class NistAiRmf:
    """The categories of the four functions."""

    title = "AI risk management checklist"
    asked_by = "NIST AI 100-1, Artificial Intelligence Risk Management Framework (AI RMF 1.0)"

    def questions(self, facts: f.EvidenceFacts) -> Sequence[Question]:
        """The categories, in the framework's order."""
        return (
            known(
                "GOVERN 1 Policies, processes and practices are in place",
                "No policy holds for it.",
                _RULE,
                f.policies,
                f.retention,
            ),
            known(
                "GOVERN 2 Accountability structures are in place",
                "Nobody has approved it.",
                "flyball models request VERSION",
                f.oversight,
            ),
            written(
                "GOVERN 3 Diversity, equity, inclusion and accessibility in risk management",
                "Inclusion",
                "who took part in deciding on it",
            ),
            written(
                "GOVERN 4 A culture that considers and communicates risk",
                "Risks",
                "what may go wrong with it",
                f.history,
            ),
            written("GOVERN 5 Engagement with relevant actors", "Engagement", "whose views were asked for"),
            known(
                "GOVERN 6 Third-party software, data and models",
                "What it stands on was not recorded.",
                "fb.register(...) inside a pipeline",
                f.environment,
                f.catalog,
            ),
            written(
                "MAP 1 Context is established and understood", "Intended purpose", "what it is for", f.what, f.risk
            ),
            known(
                "MAP 2 The system is categorised",
                "It has no signature.",
                "fb.register(...) inside a pipeline",
                f.inputs,
            ),
            written(
                "MAP 3 Capabilities, usage, goals, benefits and costs are understood",
                "Benefits",
                "what it is good for",
                f.resources,
            ),
            known(
                "MAP 4 Risks and benefits of all components are mapped",
                "It is not known what it was made from.",
                "fb.training_set(...) in the pipeline",
                f.data,
                f.personal,
                f.lineage,
            ),
            written(
                "MAP 5 Impacts on individuals, groups and society are characterised",
                "Impacts",
                "whom it affects, and how",
            ),
            known(
                "MEASURE 1 Methods and metrics are identified and applied",
                "It was registered without a score.",
                "fb.evaluate(...) in the pipeline",
                f.metrics,
                f.maturity,
            ),
            known(
                "MEASURE 2 Trustworthy characteristics are evaluated",
                "It was registered without a score.",
                "fb.evaluate(model, rows, slices=[...]) in the pipeline",
                f.scores,
                f.groups,
                f.limits,
                f.security,
            ),
            known(
                "MEASURE 3 Risks are tracked over time",
                "Nothing watches it in use.",
                "monitors=[fb.monitor.drift()] of the loop",
                f.monitors,
                f.performance,
            ),
            written("MEASURE 4 Feedback about the efficacy of measurement", "Feedback", "what users say of it"),
            known(
                "MANAGE 1 Risks are prioritised, responded to and managed",
                "No gate was asked about it.",
                "gates=[...] of the loop",
                f.gates,
                f.policies,
            ),
            known(
                "MANAGE 2 Benefits are maximised and impacts minimised",
                "No loop says how it changes.",
                "fb.loop(...) in the project file, then flyball apply",
                f.loop,
            ),
            known(
                "MANAGE 3 Risks from third parties are managed",
                "Nobody vouches for it.",
                "flyball models sign VERSION",
                f.security,
            ),
            known(
                "MANAGE 4 Responses, recovery and communication are documented and monitored",
                "No alert is known.",
                "channels=[fb.alert_to...] of the loop",
                f.alerts,
                f.versions,
            ),
        )


plugin: EvidenceFormat = NistAiRmf()
