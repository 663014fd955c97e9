"""Tests of model development: section II of Breck et al. 2017."""

from __future__ import annotations

from flyball.governance.readiness.base import Found, ScoreTest, graded
from flyball.governance.readiness.facts import LoopFacts


def _reviewed(facts: LoopFacts) -> Found:
    approved = [asked for asked in facts.approvals if asked.state == "approved"]
    return graded(
        "approved" in facts.gates or "approvals" in facts.policy_kinds,
        approved,
        (
            "No version goes live before people have approved it.",
            f"{approved[0].words[0].by if approved and approved[0].words else 'Somebody'} approved the version that is served.",
            "Nobody had to look at the version before it was served.",
        ),
        f"{facts.champion_ref} approval" if approved else facts.ref,
    )


def _correlates(facts: LoopFacts) -> Found:
    seen = [w for w in facts.windows if w.labelled and any(m.value is not None for m in w.performance)]
    offline = facts.champion is not None and facts.champion.evaluation is not None
    return graded(
        offline and len(seen) >= 3,
        offline and seen,
        (
            f"Quality on held-out rows and in {len(seen)} windows of live traffic is measured by the same metrics.",
            f"Quality is known on held-out rows and in {len(seen)} windows of live traffic.",
            "How good it is on live traffic is not known.",
        ),
        f"deployments:/{facts.name}",
    )


def _tuned(facts: LoopFacts) -> Found:
    again = [each for each in facts.trainings if (each.plan or {}).get("tune")]
    by_rule = any(policy.policy == "retune" for policy in facts.loop.policies)
    return graded(
        again or (by_rule and facts.study),
        facts.study or by_rule,
        (
            "Its params are searched anew where the loop finds that they no longer fit.",
            f"Its params were searched in the study {facts.study}."
            if facts.study
            else "The loop would search its params anew.",
            "No search of its params is known.",
        ),
        f"studies {facts.study}" if facts.study else facts.ref,
    )


def _staleness(facts: LoopFacts) -> Found:
    measured = [w for w in facts.windows if w.performance or w.estimated]
    watched = facts.monitors & {"performance", "estimate"}
    return graded(
        watched and "decay" in facts.triggers and measured,
        watched and measured,
        (
            "How its quality falls with age is measured, and decay starts a training.",
            "How its quality changes with age is measured window by window.",
            "What its age costs is not measured.",
        ),
        f"deployments:/{facts.name}",
    )


def _slices(facts: LoopFacts) -> Found:
    scored = facts.champion is not None and facts.champion.evaluation is not None and facts.champion.evaluation.slices
    return graded(
        "no_worse_slice" in facts.gates,
        scored,
        (
            "A gate holds back what is worse for a subgroup.",
            "It was scored subgroup by subgroup; no gate looks at it.",
            "It was not scored subgroup by subgroup.",
        ),
        facts.ref if "no_worse_slice" in facts.gates else facts.champion_ref,
    )


def _inclusion(facts: LoopFacts) -> Found:
    measured = (
        facts.champion is not None and facts.champion.evaluation is not None and facts.champion.evaluation.fairness
    )
    return graded(
        "fair" in facts.gates or "bias" in facts.monitors,
        measured,
        (
            "How far groups lie apart is looked at each time.",
            "How far groups lie apart was measured once.",
            "How far groups lie apart was never measured.",
        ),
        facts.ref if facts.gates | facts.monitors else facts.champion_ref,
    )


TESTS = (
    ScoreTest(id="model.1", title="Model specs are reviewed and submitted", look=_reviewed,
              mend="fb.gate.approved() among the loop's gates, or fb.rule.approvals(...)"),
    ScoreTest(id="model.2", title="Offline and online metrics correlate", look=_correlates,
              mend="flyball monitor truth DEPLOYMENT FILE"),
    ScoreTest(id="model.3", title="All hyperparameters have been tuned", look=_tuned,
              mend="flyball tune PIPELINE METRIC, or fb.policy.retune() in the loop"),
    ScoreTest(id="model.4", title="The impact of model staleness is known", look=_staleness,
              mend="fb.monitor.performance(METRIC) and fb.on.decay(METRIC, by=...) in the loop"),
    ScoreTest(id="model.5", title="A simpler model is not better", look=None,
              mend="flyball maturity LOOP --check model.5 --evidence runs:/RUN"),
    ScoreTest(id="model.6", title="Model quality is sufficient on important data slices", look=_slices,
              mend="fb.gate.no_worse_slice(COLUMN) among the loop's gates"),
    ScoreTest(id="model.7", title="The model is tested for considerations of inclusion", look=_inclusion,
              mend="fb.gate.fair(COLUMN) or fb.monitor.bias(COLUMN) in the loop"),
)  # fmt: skip
"""The seven tests of the section."""
