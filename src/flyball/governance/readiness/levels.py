"""What the levels of maturity ask for: 1, a pipeline that trains by itself; 2, pipelines that are delivered by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flyball.governance.readiness.facts import LoopFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that a level asks for.

    Attributes:
        is_met: Whether the facts say that it is so.
        mend: The command, or the lines of the project, that make it so.
    """

    level: int
    title: str
    is_met: Callable[[LoopFacts], bool]
    mend: str


CRITERIA = (
    Criterion(level=1, title="A loop holds pipeline, triggers and gates together",
              is_met=lambda f: bool(f.triggers and f.gates), mend="retrain=[...] and gates=[...] of fb.loop(...)"),
    Criterion(level=1, title="The data it learns from is kept as snapshots",
              is_met=lambda f: bool(f.datasets), mend="fb.snapshot or fb.training_set in the pipeline"),
    Criterion(level=1, title="The data is checked before it is learned from",
              is_met=lambda f: f.is_validated or any(f.reports.values()), mend="fb.validate(rows, [...]) in the pipeline"),
    Criterion(level=1, title="Run, code and environment of a version are recorded",
              is_met=lambda f: bool(f.champion and f.champion.run and f.champion.code), mend="flyball loops trigger LOOP"),
    Criterion(level=1, title="The loop has trained by itself",
              is_met=lambda f: any(t.state == "succeeded" for t in f.trainings),
              mend="flyball up, then flyball loops trigger LOOP"),
    Criterion(level=1, title="A version is judged by gates before it is served",
              is_met=lambda f: bool(f.champion and f.champion.verdict), mend="gates=[fb.gate.at_least(METRIC, VALUE)] of the loop"),
    Criterion(level=1, title="It is served", is_met=lambda f: f.deployment is not None, mend="flyball up"),
    Criterion(level=1, title="Its predictions are watched window by window",
              is_met=lambda f: bool(f.monitors and f.windows), mend="monitors=[fb.monitor.drift()] of the loop, and flyball up"),
    Criterion(level=2, title="The project that was applied holds tests",
              is_met=lambda f: bool(f.test_files), mend="test_*.py beside the project file"),
    Criterion(level=2, title="A program applies the loop once its tests pass",
              is_met=lambda f: f.is_from_ci, mend="flyball apply with the token of a service account, in your CI"),
    Criterion(level=2, title="A new version takes over by and by",
              is_met=lambda f: f.loop.rollout.strategy != "immediate",
              mend="rollout=fb.canary([5, 25, 100], hold='10m') of the loop"),
    Criterion(level=2, title="There is a version to go back to",
              is_met=lambda f: f.former_champion is not None, mend="flyball loops trigger LOOP"),
    Criterion(level=2, title="How good its answers are is measured on live traffic",
              is_met=lambda f: any(w.performance or w.estimated for w in f.windows),
              mend="fb.monitor.performance(METRIC) in the loop, and flyball monitor truth"),
    Criterion(level=2, title="A fall of quality or drift starts a training",
              is_met=lambda f: bool(f.triggers & {"drift", "decay", "bias"}), mend="retrain=[fb.on.drift()] of the loop"),
    Criterion(level=2, title="People are told of alerts",
              is_met=lambda f: bool(f.loop.channels), mend="channels=[fb.alert_to.slack(...)] of the loop"),
    Criterion(level=2, title="Policies as code rule the project",
              is_met=lambda f: bool(f.policy_kinds), mend="fb.rule.approvals(...) in the project file, then flyball apply"),
    Criterion(level=2, title="Somebody vouches for the served version with a signature",
              is_met=lambda f: f.signatures > 0, mend="flyball models keygen and flyball models sign, or the setting signing_key"),
)  # fmt: skip
"""All of them, the lower level first."""
