"""Tests of monitoring: section IV of Breck et al. 2017."""

from __future__ import annotations

from collections.abc import Callable

from flyball.governance.readiness.base import Found, ScoreTest, graded
from flyball.governance.readiness.facts import LoopFacts
from flyball.monitoring.windows import Window


def _dependencies(facts: LoopFacts) -> Found:
    watched = facts.monitors & {"quality", "freshness"}
    return graded(
        watched and facts.loop.channels,
        watched or facts.loop.channels,
        (
            "What changes at its sources is found, and people are told.",
            "What changes at its sources is found; nobody is told."
            if watched
            else "People are told of alerts; nothing watches its sources.",
            "Nothing tells that a source has changed.",
        ),
        facts.ref,
    )


def _invariants(facts: LoopFacts) -> Found:
    return _watched(facts, "quality", "faults of inputs", _looked_at)


def _skew(facts: LoopFacts) -> Found:
    return _watched(
        facts, "drift", "how far inputs lie from what it learned from", lambda window: window.drift is not None
    )


def _stale(facts: LoopFacts) -> Found:
    done = [each for each in facts.trainings if each.state == "succeeded" and each.trigger]
    return graded(
        facts.triggers and done,
        facts.triggers,
        (
            f"It learns anew by itself: {', '.join(sorted(facts.triggers))}.",
            f"It would learn anew by itself ({', '.join(sorted(facts.triggers))}), and has not yet.",
            "Nothing makes it learn anew.",
        ),
        facts.ref,
    )


def _stable(facts: LoopFacts) -> Found:
    return _watched(facts, "prediction_drift", "how its answers are spread", lambda window: bool(window.outcomes))


def _performance(facts: LoopFacts) -> Found:
    return graded(
        "latency" in facts.gates,
        False,
        ("A gate bounds the time of an answer.", "", "Nothing bounds the time of an answer."),
        facts.ref,
    )


def _quality(facts: LoopFacts) -> Found:
    watched = facts.monitors & {"performance", "estimate"}
    seen = [window for window in facts.windows if window.performance or window.estimated]
    return graded(
        watched and seen,
        watched or seen,
        (
            f"How good its answers are is known for {len(seen)} windows.",
            "How good its answers are would be measured once truth is known.",
            "Nobody knows how good its answers are.",
        ),
        f"deployments:/{facts.name}" if seen else facts.ref,
    )


def _looked_at(window: Window) -> bool:
    return window.examined is not None


def _watched(facts: LoopFacts, monitor: str, what: str, shows: Callable[[Window], bool]) -> Found:
    seen = [window for window in facts.windows if shows(window)]
    declared = monitor in facts.monitors
    return graded(
        declared and seen,
        declared or seen,
        (
            f"Each window is looked at for {what}; {len(seen)} were.",
            f"Windows will be looked at for {what}.",
            f"Nothing looks for {what}.",
        ),
        f"deployments:/{facts.name}" if seen else facts.ref,
    )


TESTS = (
    ScoreTest(id="monitoring.1", title="Dependency changes result in notification", look=_dependencies,
              mend="fb.monitor.quality() and channels=[fb.alert_to.slack(...)] of the loop"),
    ScoreTest(id="monitoring.2", title="Data invariants hold for inputs", look=_invariants,
              mend="fb.monitor.quality() in the loop"),
    ScoreTest(id="monitoring.3", title="Training and serving are not skewed", look=_skew,
              mend="fb.monitor.drift() in the loop"),
    ScoreTest(id="monitoring.4", title="Models are not too stale", look=_stale,
              mend="retrain=[fb.on.schedule('0 3 * * 1')] of the loop"),
    ScoreTest(id="monitoring.5", title="Models are numerically stable", look=_stable,
              mend="fb.monitor.prediction_drift() in the loop"),
    ScoreTest(id="monitoring.6", title="Computing performance has not regressed", look=_performance,
              mend="fb.gate.latency(p99='10ms') among the loop's gates"),
    ScoreTest(id="monitoring.7", title="Prediction quality has not regressed on served data", look=_quality,
              mend="fb.monitor.performance(METRIC) in the loop, and `flyball monitor truth DEPLOYMENT FILE`"),
)  # fmt: skip
"""The seven tests of the section."""
