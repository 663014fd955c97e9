"""Tests of features and data: section I of Breck et al. 2017."""

from __future__ import annotations

from flyball.governance.readiness.base import Found, ScoreTest, graded
from flyball.governance.readiness.facts import LoopFacts


def _schema(facts: LoopFacts) -> Found:
    checked = [name for name, reports in facts.reports.items() if any(r.report.results for r in reports)]
    return graded(
        facts.is_validated,
        checked,
        (
            "The pipeline checks the data each time before it learns.",
            f"{len(checked)} of {len(facts.datasets)} datasets it learned from were checked.",
            "No checks of the data it learned from are known.",
        ),
        f"{facts.champion_ref} run" if facts.is_validated else f"datasets:/{checked[0]}" if checked else "",
    )


def _beneficial(facts: LoopFacts) -> Found:
    measured = [v for v in facts.versions[:3] if v.evaluation and v.evaluation.importance]
    return graded(
        len(measured) > 1 and len(measured) == len(facts.versions[:3]),
        measured,
        (
            "What each column is worth is measured with every version.",
            f"What each column is worth was measured for version {measured[0].version}." if measured else "",
            "Nobody has measured what the columns are worth.",
        ),
        facts.champion_ref,
    )


def _cost(facts: LoopFacts) -> Found:
    measured = facts.champion and facts.champion.evaluation and facts.champion.evaluation.importance
    return graded(
        "latency" in facts.gates and measured,
        "latency" in facts.gates,
        (
            "A gate bounds the time of an answer, and what each column brings is measured.",
            "A gate bounds the time of an answer; what the columns bring for it is not measured.",
            "Nothing bounds what its inputs cost.",
        ),
        facts.ref,
    )


def _requirements(facts: LoopFacts) -> Found:
    ruled = facts.policy_kinds & {"columns", "personal_data", "residency"}
    said = [name for name, known in facts.personal.items() if known]
    return graded(
        ruled,
        facts.datasets and len(said) == len(facts.datasets),
        (
            f"Policies rule what it may learn from: {', '.join(sorted(ruled))}.",
            "It is said of every dataset which columns are personal.",
            "Nothing says what it may not learn from.",
        ),
        "policies" if ruled else f"datasets:/{said[0]}" if said else "",
    )


def _privacy(facts: LoopFacts) -> Found:
    said = [name for name, known in facts.personal.items() if known]
    ruled = facts.policy_kinds & {"personal_data", "retention"}
    whole = facts.datasets and len(said) == len(facts.datasets)
    return graded(
        whole and ruled,
        said,
        (
            "Personal columns are named, reads of them are audited, and policies rule their use.",
            f"Personal columns of {len(said)} of {len(facts.datasets)} datasets are named, and reads of them are audited.",
            "Nobody has said which columns are personal.",
        ),
        f"datasets:/{said[0]}" if said else "",
    )


def _quick(facts: LoopFacts) -> Found:
    return graded(
        facts.views,
        False,
        (
            f"It learns from {len(facts.views)} declared feature views: a new one is a line, the same for training and serving.",
            "",
            "It learns from no declared feature view.",
        ),
        f"features:/{facts.views[0].name}" if facts.views else "",
    )


def _tested(facts: LoopFacts) -> Found:
    tested = [view for view in facts.views if view.tests]
    return graded(
        (facts.views and len(tested) == len(facts.views)) or (facts.test_files and facts.is_from_ci),
        tested or facts.test_files,
        (
            "All code of its inputs is tested each time.",
            f"{len(tested)} of {len(facts.views)} feature views have tests; the project has {len(facts.test_files)} files of them.",
            "No test of the code of its inputs is known.",
        ),
        f"features:/{tested[0].name}" if tested else facts.ref,
    )


TESTS = (
    ScoreTest(id="data.1", title="Feature expectations are captured in a schema", look=_schema,
              mend="fb.validate(rows, [...]) in the pipeline, or `flyball data check DATASET --save`"),
    ScoreTest(id="data.2", title="All features are beneficial", look=_beneficial,
              mend="fb.evaluate(model, rows, importance=True) in the pipeline"),
    ScoreTest(id="data.3", title="No feature's cost is too much", look=_cost,
              mend="fb.gate.latency(p99='10ms') among the loop's gates"),
    ScoreTest(id="data.4", title="Features adhere to meta-level requirements", look=_requirements,
              mend="fb.rule.personal_data(...) in the project file, then `flyball apply`"),
    ScoreTest(id="data.5", title="The data pipeline has appropriate privacy controls", look=_privacy,
              mend="flyball data pii DATASET, then fb.rule.retention(...) in the project file"),
    ScoreTest(id="data.6", title="New features can be added quickly", look=_quick,
              mend="fb.feature_view(...) and fb.training_set(..., features=[...]) in the project file"),
    ScoreTest(id="data.7", title="All input feature code is tested", look=_tested,
              mend="tests=[...] of each fb.feature_view(...)"),
)  # fmt: skip
"""The seven tests of the section."""
