"""What holds for every gate, and what each one lets pass and holds back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.evaluation.scores import evaluate
from flyball.models.signature import Signature
from flyball.registry import gate
from flyball.registry.approvals import Approval, Word
from flyball.registry.gates.base import GATES, Case, Decision, GateSpec, Hold, Judged, Pass
from flyball.registry.judge import judge
from flyball.registry.verdicts import Verdict
from flyball.schema import Column, ColumnType, Schema
from flyball.serialization import canonical_json, from_json, to_json

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 4_000
RANDOM = np.random.default_rng(7)
TRUTH = RANDOM.random(ROWS) < 0.4
SIGNAL = RANDOM.normal(size=ROWS) + 1.5 * TRUTH
NOISE = RANDOM.normal(size=ROWS)
CARRIER = RANDOM.choice(["UA", "B6", "EV"], ROWS)

APPROVED = [
    Approval(
        id="a1",
        model="churn",
        version=1,
        state="approved",
        requested_by="Ada",
        requested=AT,
        decided=AT,
        words=(Word(by="Grace", word="approve", reason="", at=AT),),
    )
]

PARAMS: dict[str, dict[str, Any]] = {
    "at_least": {"metric": "roc_auc", "value": 0.7},
    "beats_champion": {"metric": "roc_auc"},
    "fair": {"column": "carrier", "measure": "demographic_parity"},
    "latency": {"p99": "10ms"},
    "no_worse_slice": {"column": "carrier", "metric": "roc_auc"},
    "schema": {},
    "approved": {"count": 1},
}


def signature(
    *inputs: tuple[str, ColumnType, bool], outputs: tuple[str, ...] = ("prediction", "probability"), **more: Any
) -> Signature:
    columns = inputs or (("age", "float", True), ("plan", "string", True))
    return Signature(
        **{
            "task": "classification",
            "inputs": Schema(columns=tuple(Column(name=n, type=t, nullable=e) for n, t, e in columns)),
            "outputs": Schema(columns=tuple(Column(name=name, type="float") for name in outputs)),
            "classes": (False, True),
            **more,
        }
    )


def judged(noise: float = 1.0, *, score: Any = None, rows: slice = slice(None), **more: Any) -> Judged:
    found = 1 / (1 + np.exp(-(SIGNAL + noise * NOISE))) if score is None else score
    given: dict[str, Any] = {"version": 1, "signature": signature(), "latency_ms": [1.0, 2.0, 3.0], **more}
    return Judged(truth=TRUTH[rows], score=found[rows], slices={"carrier": CARRIER[rows].tolist()}, **given)


def case(candidate: Judged | None = None, champion: Judged | None = None, **more: Any) -> Case:
    return Case(candidate=candidate or judged(0.2), champion=champion or judged(1.0), **{"approvals": APPROVED, **more})


def ask(name: str, case: Case, **params: Any) -> Decision:
    return GATES.get(name).decide(case, **{**PARAMS[name], **params})


each_gate = pytest.mark.parametrize("name", GATES.names())


@each_gate
def test_every_gate_lets_a_better_version_pass(name: str) -> None:
    assert isinstance(ask(name, case()), Pass)


@each_gate
def test_every_gate_lets_the_first_version_pass(name: str) -> None:
    assert isinstance(ask(name, Case(candidate=judged(0.2), approvals=APPROVED)), Pass)


@each_gate
def test_every_gate_says_why_in_one_line(name: str) -> None:
    said = ask(name, case())
    reason = said.detail if isinstance(said, Pass) else said.reason
    assert reason
    assert "\n" not in reason


@each_gate
def test_every_gate_says_the_same_of_the_same_case(name: str) -> None:
    assert ask(name, case()) == ask(name, case())


@each_gate
def test_every_gate_gives_facts_that_can_be_written(name: str) -> None:
    assert canonical_json(ask(name, case()).facts)


@each_gate
def test_every_gate_fails_on_a_case_without_rows_in_our_words_only(name: str) -> None:
    empty = Judged(version=1, truth=np.empty(0), score=np.empty(0), slices={}, signature=signature())
    try:
        said = ask(name, case(empty, empty))
    except FlyballError:
        return
    assert isinstance(said, Pass | Hold)


@each_gate
def test_every_gate_has_a_word_for_users_that_gives_its_parameters(name: str) -> None:
    given = dict(PARAMS[name])
    first = [given.pop(key) for key in ("column", "metric") if name != "latency" and key in given]
    first += [given.pop("value")] if "value" in given else []
    spec = getattr(gate, name)(*first, **given)
    assert spec.gate == name
    assert judge(case(), [spec], now=AT).passed


def test_the_champion_is_beaten_only_beyond_chance() -> None:
    alike = judged(score=1 / (1 + np.exp(-(SIGNAL + np.random.default_rng(8).normal(size=ROWS)))))
    said = ask("beats_champion", case(alike))
    assert isinstance(said, Hold)
    assert "may be chance (p = " in said.reason
    assert f"these {ROWS:,} rows would show one of 0." in said.reason


def test_a_worse_version_is_held_and_told_so() -> None:
    said = ask("beats_champion", case(judged(2.0)))
    assert isinstance(said, Hold)
    assert "worse by 0." in said.reason


def test_a_gain_may_be_asked_for() -> None:
    better = case(judged(0.2))
    assert isinstance(ask("beats_champion", better, by=0.01), Pass)
    said = ask("beats_champion", better, by=0.2)
    assert isinstance(said, Hold)
    assert "0.2 is asked for" in said.reason


def test_the_same_version_does_not_beat_itself() -> None:
    assert isinstance(ask("beats_champion", case(judged(), judged())), Hold)


def test_less_may_be_better() -> None:
    assert isinstance(ask("beats_champion", case(), metric="log_loss"), Pass)
    assert isinstance(ask("beats_champion", case(judged(1.0), judged(0.2)), metric="log_loss"), Hold)


def test_the_evaluations_metric_counts_where_none_is_named() -> None:
    better = judged(0.2)
    evaluation = evaluate(TRUTH, better.score, metrics=["accuracy", "roc_auc"])
    said = GATES.get("beats_champion").decide(Case(candidate=better, champion=judged(), evaluation=evaluation))
    assert said.facts["metric"] == "accuracy"


def test_a_slice_that_got_worse_holds_a_version_that_is_better_overall() -> None:
    mixed = np.where(CARRIER == "EV", judged(4.0).score, judged(0.0).score)
    candidate = judged(score=mixed)
    assert isinstance(ask("at_least", case(candidate)), Pass)
    said = ask("no_worse_slice", case(candidate))
    assert isinstance(said, Hold)
    assert "where carrier is EV" in said.reason


def test_a_loss_within_the_tolerance_passes() -> None:
    mixed = np.where(CARRIER == "EV", judged(2.0).score, judged(0.0).score)
    assert isinstance(ask("no_worse_slice", case(judged(score=mixed))), Hold)
    assert isinstance(ask("no_worse_slice", case(judged(score=mixed)), tolerance=0.3), Pass)


def test_slices_without_enough_rows_or_classes_are_left_out() -> None:
    carrier = np.where(TRUTH, "late only", "mixed")
    carrier[:20] = "rare"
    carrier[20:1000] = "mixed"
    given: dict[str, Any] = {name: Judged(version=1, truth=TRUTH, score=judged(noise).score, slices={"carrier": carrier.tolist()},
                          signature=signature()) for name, noise in (("candidate", 0.2), ("champion", 1.0))}  # fmt: skip
    said = ask("no_worse_slice", Case(**given))
    assert isinstance(said, Pass)
    assert [part["value"] for part in said.facts["slices"]] == ["mixed"]
    assert said.facts["left_out"] == ["late only", "(other)"]


def test_quiet_slices_seldom_alarm() -> None:
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        groups = random.integers(0, 8, ROWS).astype(str).tolist()
        scores = [1 / (1 + np.exp(-(SIGNAL + random.normal(size=ROWS)))) for _ in range(2)]
        pair = [
            Judged(version=1, truth=TRUTH, score=score, slices={"group": groups}, signature=signature())
            for score in scores
        ]
        said = ask("no_worse_slice", Case(candidate=pair[0], champion=pair[1]), column="group")
        held += isinstance(said, Hold)
    assert held <= 6


def test_a_column_that_is_no_slice_is_named() -> None:
    with pytest.raises(InvalidInput, match="not sliced by 'carier'") as refused:
        ask("no_worse_slice", case(), column="carier")
    assert "carrier" in refused.value.hint


def test_at_least_takes_the_metric_from_the_evaluation() -> None:
    evaluation = evaluate([True, False] * 50, [0.9, 0.1] * 50)
    said = ask("at_least", Case(candidate=judged(), evaluation=evaluation), value=0.999)
    assert isinstance(said, Pass)
    assert said.facts["n"] == 100


def test_at_least_holds_what_is_not_good_enough() -> None:
    said = ask("at_least", case(), value=0.99)
    assert isinstance(said, Hold)
    assert "at least 0.99 is asked for" in said.reason


def test_at_least_is_at_most_where_less_is_better() -> None:
    assert isinstance(ask("at_least", case(), metric="brier", value=0.3), Pass)
    assert isinstance(ask("at_least", case(), metric="brier", value=0.01), Hold)


def test_a_metric_that_is_not_defined_holds() -> None:
    one_class = Judged(version=1, truth=np.ones(60), score=np.full(60, 0.5), slices={}, signature=signature())
    said = ask("at_least", Case(candidate=one_class))
    assert isinstance(said, Hold)
    assert "not defined on the 60" in said.reason


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (signature(("age", "float", True), ("plan", "string", True), ("city", "string", False)), "'city'"),
        (signature(("age", "string", True), ("plan", "string", True)), "'age' was float and is string"),
        (signature(outputs=("prediction",)), "'probability'"),
        (signature(task="regression"), "the task was classification"),
        (signature(classes=(True, False)), "the classes were"),
    ],
)
def test_a_signature_that_breaks_callers_holds(after: Signature, broken: str) -> None:
    said = ask("schema", case(judged(signature=after)))
    assert isinstance(said, Hold)
    assert broken in said.reason


@pytest.mark.parametrize(
    "after",
    [
        signature(),
        signature(("age", "int", True), ("plan", "string", True)),
        signature(("age", "float", True)),
        signature(("plan", "string", True), ("age", "float", False)),
        signature(("age", "float", True), ("plan", "string", True), ("city", "string", True)),
        signature(outputs=("prediction", "probability", "reason")),
    ],
)
def test_a_signature_that_breaks_nobody_passes(after: Signature) -> None:
    assert isinstance(ask("schema", case(judged(signature=after))), Pass)


def test_a_slow_version_is_held() -> None:
    said = ask("latency", case(judged(latency_ms=lambda: [1.0] * 90 + [50.0] * 10)))
    assert isinstance(said, Hold)
    assert said.reason == "p99 is 50 ms, at most 10 ms is asked for"


def test_only_the_given_limits_are_asked() -> None:
    slow_at_times = judged(latency_ms=[1.0] * 90 + [50.0] * 10)
    assert isinstance(GATES.get("latency").decide(case(slow_at_times), p50="2ms"), Pass)
    assert isinstance(GATES.get("latency").decide(case(slow_at_times), p50="2ms", p95="2ms"), Hold)


def test_a_latency_that_was_not_measured_holds() -> None:
    assert isinstance(ask("latency", case(judged(latency_ms=None))), Hold)


def test_a_verdict_passes_if_every_gate_lets_it() -> None:
    verdict = judge(case(), [GateSpec(gate=name, params=given) for name, given in PARAMS.items()], now=AT)
    assert (verdict.passed, verdict.at, len(verdict.decisions)) == (True, AT, len(PARAMS))
    assert verdict.decisions[0].gate == "at_least(roc_auc)"
    assert from_json(to_json(verdict), Verdict) == verdict


def test_every_gate_is_asked_although_one_holds() -> None:
    verdict = judge(case(), [gate.at_least("roc_auc", 0.99), gate.schema()], now=AT)
    assert [decision.passed for decision in verdict.decisions] == [False, True]
    assert not verdict.passed


def test_without_gates_everything_passes() -> None:
    assert judge(case(), [], now=AT).passed


@pytest.mark.parametrize(
    "spec",
    [
        GateSpec(gate="no_such_gate"),
        GateSpec(gate="schema", params={"metric": "roc_auc"}),
        GateSpec(gate="no_worse_slice", params={"column": "nope", "metric": "roc_auc"}),
        GateSpec(gate="beats_champion", params={"metric": "no_such_metric"}),
        GateSpec(gate="beats_champion"),
    ],
)
def test_a_gate_that_cannot_tell_holds(spec: GateSpec) -> None:
    [decision] = judge(case(), [spec], now=AT).decisions
    assert not decision.passed
    assert decision.reason.startswith("it could not be judged: ")


@pytest.mark.parametrize(
    "declare",
    [
        lambda: gate.beats_champion("roc_auk"),
        lambda: gate.beats_champion("roc_auc", alpha=0.0),
        lambda: gate.beats_champion("roc_auc", by=-1),
        lambda: gate.no_worse_slice("carrier", tolerance=float("nan")),
        lambda: gate.at_least("nope", 1),
        lambda: gate.latency(),
        lambda: gate.latency(p99="fast"),
        lambda: gate.latency(p99="-1ms"),
        lambda: gate.latency(p99="xms"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_when_it_is_declared(declare: Any) -> None:
    with pytest.raises(InvalidInput):
        declare()


def test_gates_of_others_are_declared_by_name() -> None:
    assert gate.by_name("schema") == gate.schema()
    with pytest.raises(NotFound, match="no gate plug-in 'shema'"):
        gate.by_name("shema")


def unlike(gap: float) -> Judged:
    """A candidate that calls fewer of the rows of one carrier positive."""
    score = 1 / (1 + np.exp(-(SIGNAL - gap * (CARRIER == "EV"))))
    return judged(score=score)


def test_groups_that_are_treated_unlike_hold_a_version_back() -> None:
    said = ask("fair", case(unlike(2.0)))
    assert isinstance(said, Hold)
    assert said.reason.startswith("carrier: demographic parity 0.")
    assert "at most 0.1 is asked for" in said.reason


def test_a_strict_gate_wants_proof() -> None:
    few = case(judged(0.2, rows=slice(0, 400)))
    assert isinstance(ask("fair", few), Pass)
    said = ask("fair", few, strict=True)
    assert isinstance(said, Hold)
    assert "too few rows to prove it" in said.reason


def test_fairness_by_an_unknown_measure_is_refused_when_declared() -> None:
    with pytest.raises(InvalidInput, match="no measure of fairness"):
        gate.fair("carrier", "parity")
