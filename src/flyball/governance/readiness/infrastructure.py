"""Tests of the infrastructure: section III of Breck et al. 2017."""

from __future__ import annotations

from flyball.governance.readiness.base import Found, ScoreTest, graded
from flyball.governance.readiness.facts import LoopFacts


def _unit_tested(facts: LoopFacts) -> Found:
    count = len(facts.test_files)
    return graded(
        count and facts.is_from_ci,
        count,
        (
            f"The project holds {count} files of tests, and a program applies it once they pass.",
            f"The project holds {count} files of tests; a person applies it.",
            "The project that was applied holds no tests.",
        ),
        facts.ref,
    )


def _integration(facts: LoopFacts) -> Found:
    done = [each for each in facts.trainings if each.state == "succeeded"]
    return graded(
        len(done) >= 2 and facts.triggers,
        done or facts.versions,
        (
            f"The loop ran the whole pipeline {len(done)} times from data to verdict.",
            "The whole pipeline ran at least once.",
            "The pipeline never ran to its end.",
        ),
        facts.ref,
    )


def _validated(facts: LoopFacts) -> Found:
    verdict = facts.champion.verdict if facts.champion else None
    return graded(
        facts.gates and verdict is not None and verdict.passed,
        verdict is not None,
        (
            f"The version that is served passed {len(facts.loop.gates)} gates first.",
            "Gates were asked about the version that is served.",
            "Nothing was asked about the version before it was served.",
        ),
        f"{facts.champion_ref} verdict",
    )


def _debuggable(facts: LoopFacts) -> Found:
    version = facts.champion
    traced = version is not None and bool(version.run and version.code and version.snapshots)
    logged = any(window.predictions for window in facts.windows)
    return graded(
        traced and logged,
        traced or logged,
        (
            "Every answer is logged and leads back to version, run, code and data.",
            "The version leads back to run, code and data; no answers are logged yet."
            if traced
            else "Answers are logged; the version does not lead back to its data.",
            "Neither answers nor where the version came from are known.",
        ),
        facts.champion_ref,
    )


def _canaried(facts: LoopFacts) -> Found:
    strategy = facts.loop.rollout.strategy
    gradual = [rollout for rollout in facts.rollouts if rollout.spec.strategy != "immediate"]
    return graded(
        strategy != "immediate",
        gradual,
        (
            f"A new version takes over as {strategy}.",
            f"{len(gradual)} versions took over by and by.",
            "A new version takes over at once.",
        ),
        facts.ref if strategy != "immediate" else f"deployments:/{facts.name}",
    )


def _rolled_back(facts: LoopFacts) -> Found:
    done = [rollout for rollout in facts.rollouts if rollout.state == "rolled_back"]
    return graded(
        done,
        facts.former_champion is not None,
        (
            f"{len(done)} times the former version stayed or came back.",
            f"Version {facts.former_champion} can be gone back to; it was never done.",
            "There is no version to go back to.",
        ),
        f"deployments:/{facts.name}",
    )


TESTS = (
    ScoreTest(id="infrastructure.1", title="Training is reproducible", look=None,
              mend="flyball reproduce models:/LOOP@champion --record"),
    ScoreTest(id="infrastructure.2", title="Model specs are unit tested", look=_unit_tested,
              mend="test_*.py beside the project file, and `flyball apply` by a service account of your CI"),
    ScoreTest(id="infrastructure.3", title="The ML pipeline is integration tested", look=_integration,
              mend="flyball loops trigger LOOP"),
    ScoreTest(id="infrastructure.4", title="Model quality is validated before serving", look=_validated,
              mend="gates=[fb.gate.beats_champion(METRIC)] of the loop"),
    ScoreTest(id="infrastructure.5", title="The model is debuggable", look=_debuggable,
              mend="fb.register(...) inside a pipeline, and `flyball up` to serve"),
    ScoreTest(id="infrastructure.6", title="Models are canaried before serving", look=_canaried,
              mend="rollout=fb.canary([5, 25, 100], hold='10m') of the loop"),
    ScoreTest(id="infrastructure.7", title="Serving models can be rolled back", look=_rolled_back,
              mend="flyball deployments rollback LOOP"),
)  # fmt: skip
"""The seven tests of the section."""
