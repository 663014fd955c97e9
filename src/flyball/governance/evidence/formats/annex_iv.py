"""Technical documentation in the order of Annex IV of the EU's AI Act (Regulation (EU) 2024/1689)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.governance.evidence import facts as f
from flyball.governance.evidence.base import EvidenceFormat, Question, known, written

_LOOP = "fb.loop(...) in the project file, then flyball apply"


class AnnexIv:
    """The nine points of the annex."""

    title = "Technical documentation"
    asked_by = "Regulation (EU) 2024/1689 (AI Act), Annex IV"

    def questions(self, facts: f.EvidenceFacts) -> Sequence[Question]:
        """The places of the annex, in its order."""
        return (
            written(
                "1(a) Intended purpose, provider, version and its relation to previous versions",
                "Intended purpose",
                "what it is for and who provides it",
                f.what,
                f.risk,
                f.versions,
            ),
            written(
                "1(b) Interaction with hardware or software that is not part of the system",
                "Interaction",
                "what it interacts with",
                f.serving,
            ),
            known(
                "1(c) Versions of relevant software",
                "Its environment was not recorded.",
                "fb.register(...) inside a pipeline",
                f.environment,
            ),
            known(
                "1(d) Forms in which it is placed on the market or put into service",
                "It is not served.",
                "flyball deployments deploy NAME VERSION",
                f.serving,
            ),
            written(
                "1(e) Hardware on which it is intended to run",
                "Hardware",
                "on which hardware it is to run",
                f.resources,
            ),
            written("1(g) User interface provided to the deployer", "User interface", "what users see of it"),
            written("1(h) Instructions for use", "Instructions for use", "how it is to be used", f.inputs),
            known(
                "2(a) Methods and steps of its development",
                "It was registered without a run.",
                "fb.register(...) inside a pipeline",
                f.making,
                f.lineage,
            ),
            written(
                "2(b) Design specifications: logic, assumptions, what it is optimised for",
                "Design",
                "why it is built as it is",
                f.metrics,
            ),
            known(
                "2(c) Architecture, and the computational resources used",
                "What its making took was not measured.",
                "flyball run PIPELINE",
                f.resources,
            ),
            known(
                "2(d) Training data: provenance, scope, characteristics, selection, labelling, cleaning",
                "It is not known what it learned from.",
                "fb.training_set(...) in the pipeline",
                f.data,
                f.catalog,
                f.labels,
                f.checks,
                f.personal,
            ),
            written(
                "2(e) Human oversight measures (Article 14)", "Human oversight", "how people oversee it", f.oversight
            ),
            known("2(f) Pre-determined changes", "No loop says how it changes.", _LOOP, f.loop),
            known(
                "2(g) Validation and testing: data, metrics, results, discriminatory impacts, signed reports",
                "It was registered without a score.",
                "fb.evaluate(model, rows, slices=[...]) in the pipeline",
                f.scores,
                f.groups,
                f.gates,
                f.people,
            ),
            known("2(h) Cybersecurity measures", "Nothing is known.", "flyball models sign VERSION", f.security),
            known(
                "3 Monitoring, functioning and control: capabilities, limitations, accuracy for groups, input data",
                "Nothing is known of its limits.",
                "fb.evaluate(...) in the pipeline",
                f.limits,
                f.groups,
                f.inputs,
            ),
            written("3 Foreseeable unintended outcomes and sources of risk", "Risks", "what may go wrong with it"),
            written("4 Appropriateness of the performance metrics", "Metrics", "why these metrics fit", f.metrics),
            written(
                "5 Risk management system (Article 9)",
                "Risk management",
                "how its risks are managed",
                f.policies,
                f.risk,
            ),
            known(
                "6 Relevant changes through its lifecycle",
                "No change is known.",
                "flyball audit list",
                f.versions,
                f.history,
            ),
            written("7 Harmonised standards applied", "Standards", "which standards it follows"),
            written("8 EU declaration of conformity", "Declaration of conformity", "the declaration, or where it lies"),
            known(
                "9 Post-market monitoring (Article 72)",
                "Nothing watches it in use.",
                "monitors=[fb.monitor.drift(), ...] of the loop",
                f.monitors,
                f.performance,
                f.alerts,
            ),
        )


plugin: EvidenceFormat = AnnexIv()
