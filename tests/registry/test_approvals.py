"""Who may say yes to a version, when it is enough, and what the gate makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from flyball.models.package import ModelPackage
from flyball.registry import gate
from flyball.registry.approvals import Approval, Approvals
from flyball.registry.gates.base import Case, GateSpec, Judged
from flyball.registry.judge import judge
from flyball.registry.versions import GateDecision, Registry, Verdict
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def approvals(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Approvals:
    return Approvals(database, blobs, events, clock)


@pytest.fixture
def churn(registry: Registry, package: ModelPackage) -> Registry:
    for _ in range(2):
        registry.register("churn", package)
    return registry


def decide(package: ModelPackage, found: list[Approval] | None, spec: GateSpec, clock: FixedClock) -> Verdict:
    none = np.empty(0)
    case = Case(
        candidate=Judged(version=1, truth=none, score=none, slices={}, signature=package.signature), approvals=found
    )
    return judge(case, [spec], now=clock.now())


def test_one_yes_approves(churn: Registry, approvals: Approvals, clock: FixedClock) -> None:
    asked = approvals.request("churn/1", "Ada", note="for the spring")
    assert (asked.state, asked.requested_by, asked.note, asked.decided) == ("requested", "Ada", "for the spring", None)
    done = approvals.approve("churn/1", "Grace", "looks right")
    assert (done.state, done.approved_by, done.decided) == ("approved", ("Grace",), clock.now())
    assert done.words[0].reason == "looks right"
    assert approvals.list("churn/1") == [done]


def test_a_request_survives_the_wire(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada", approvers=("Grace",))
    made = approvals.approve("churn/1", "Grace")
    assert from_json(to_json(made), Approval) == made


def test_as_many_different_people_as_needed_must_approve(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada", needed=2)
    assert approvals.approve("churn/1", "Grace").state == "requested"
    with pytest.raises(Conflict, match="Grace has spoken already"):
        approvals.approve("churn/1", "Grace")
    assert approvals.approve("churn/1", "Edsger").state == "approved"


def test_with_four_eyes_the_one_who_asks_may_not_decide(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada", four_eyes=True)
    with pytest.raises(PermissionDenied, match="Ada asked for this approval"):
        approvals.approve("churn/1", " Ada ")
    assert approvals.approve("churn/1", "Grace").state == "approved"


def test_without_four_eyes_one_may_approve_what_one_asked_for(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada")
    assert approvals.approve("churn/1", "Ada").state == "approved"


def test_only_those_who_are_named_may_decide(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada", approvers=("Grace", "Edsger"))
    with pytest.raises(PermissionDenied, match="Mallory may not decide") as denied:
        approvals.approve("churn/1", "Mallory")
    assert denied.value.hint == "Ask Grace, Edsger."
    with pytest.raises(PermissionDenied):
        approvals.reject("churn/1", "Mallory", "no")


def test_one_no_ends_it_and_it_can_be_asked_for_again(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada", needed=2)
    approvals.approve("churn/1", "Grace")
    assert approvals.reject("churn/1", "Edsger", "biased").state == "rejected"
    with pytest.raises(NotFound, match="or it is decided"):
        approvals.approve("churn/1", "Barbara")
    again = approvals.request("churn/1", "Ada")
    assert (again.state, again.words) == ("requested", ())


def test_a_no_needs_a_reason(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada")
    with pytest.raises(InvalidInput, match="without a reason"):
        approvals.reject("churn/1", "Grace", " ")


def test_only_the_one_who_asked_takes_it_back(churn: Registry, approvals: Approvals) -> None:
    approvals.request("churn/1", "Ada")
    with pytest.raises(PermissionDenied):
        approvals.withdraw("churn/1", "Grace")
    assert approvals.withdraw("churn/1", "Ada").state == "withdrawn"


def test_the_same_request_is_made_once_and_another_is_refused(churn: Registry, approvals: Approvals) -> None:
    first = approvals.request("churn/1", "Ada")
    assert approvals.request("churn/1", "Ada") == first
    with pytest.raises(Conflict, match="A request of Ada is open"):
        approvals.request("churn/1", "Grace")
    assert approvals.request("churn/2", "Grace").state == "requested"


def test_requests_are_listed_newest_first(churn: Registry, approvals: Approvals) -> None:
    first = approvals.request("churn/1", "Ada")
    second = approvals.request("churn/2", "Ada")
    assert [found.id for found in approvals.list()] == [second.id, first.id]
    assert [found.id for found in approvals.list("churn", before=second.id)] == [first.id]
    approvals.approve("churn/2", "Grace")
    assert [found.version for found in approvals.list(state="requested")] == [1]
    assert approvals.list("fraud") == []


@pytest.mark.parametrize(
    "bad",
    [
        {"by": ""},
        {"by": "a\nb"},
        {"by": "x" * 201},
        {"ref": "churn"},
        {"ref": "runs:/r1"},
        {"needed": 0},
        {"needed": 51},
        {"approvers": ("Grace",), "needed": 2},
        {"approvers": ("Ada",), "four_eyes": True},
        {"approvers": ("",)},
        {"approvers": tuple(map(str, range(51)))},
        {"note": "a\0b"},
        {"note": "x" * 10_001},
    ],
)
def test_what_cannot_be_asked_is_refused(churn: Registry, approvals: Approvals, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        approvals.request(**{"ref": "churn/1", "by": "Ada", **bad})


@pytest.mark.parametrize("ref", ["none/1", "churn/9", "churn@blue"])
def test_what_is_not_there_cannot_be_approved(churn: Registry, approvals: Approvals, ref: str) -> None:
    with pytest.raises(NotFound):
        approvals.request(ref, "Ada")
    with pytest.raises(NotFound):
        approvals.approve(ref, "Ada")


def test_what_is_said_is_told(churn: Registry, approvals: Approvals, events: EventLog) -> None:
    approvals.request("churn/1", "Ada")
    approvals.approve("churn/1", "Grace")
    told = [event.kind for event in events.list(subject="models:/churn/1")][1:]
    assert told == ["registry.approval_requested", "registry.version_approved"]


def test_a_version_that_waited_for_its_approval_is_judged_anew(
    churn: Registry, approvals: Approvals, clock: FixedClock
) -> None:
    waited = GateDecision(gate="approved", passed=False, reason="nobody has asked")
    verdict = Verdict(passed=False, decisions=(waited,), at=clock.now())
    churn.record_verdict("churn", 1, verdict)
    churn.set_stage("churn", 1, "archived", "held")
    approvals.request("churn/1", "Ada")
    approvals.approve("churn/1", "Grace")
    found = churn.get_version("churn/1")
    assert (found.stage, found.verdict) == ("candidate", None)


def test_a_version_that_another_gate_held_stays_held(churn: Registry, approvals: Approvals, clock: FixedClock) -> None:
    waited = GateDecision(gate="approved", passed=False, reason="nobody has asked")
    verdict = Verdict(passed=False, decisions=(waited, replace(waited, gate="schema")), at=clock.now())
    churn.record_verdict("churn", 1, verdict)
    churn.set_stage("churn", 1, "archived", "held")
    approvals.request("churn/1", "Ada")
    approvals.approve("churn/1", "Grace")
    found = churn.get_version("churn/1")
    assert (found.stage, found.verdict) == ("archived", verdict)


def test_the_gate_holds_a_version_until_it_is_approved(
    churn: Registry, approvals: Approvals, package: ModelPackage, clock: FixedClock
) -> None:
    spec = gate.approved(2)

    def said() -> tuple[bool, str]:
        verdict = decide(package, approvals.list("churn/1"), spec, clock)
        return verdict.passed, verdict.decisions[0].reason

    assert said() == (False, "nobody has asked for its approval yet")
    approvals.request("churn/1", "Ada", needed=2)
    approvals.approve("churn/1", "Grace")
    assert said() == (False, "1 more must approve it, 1 did")
    approvals.approve("churn/1", "Ada")
    assert said() == (True, "approved by Grace, Ada")
    assert decide(package, approvals.list("churn/1"), gate.approved(2, four_eyes=True), clock).passed is False
    assert decide(package, approvals.list("churn/1"), gate.approved(four_eyes=True), clock).passed is True
    assert decide(package, approvals.list("churn/1"), gate.approved(by=["Edsger"]), clock).passed is False


def test_the_gate_says_who_rejected_and_who_withdrew(
    churn: Registry, approvals: Approvals, package: ModelPackage, clock: FixedClock
) -> None:
    approvals.request("churn/1", "Ada")
    approvals.reject("churn/1", "Grace", "biased")
    verdict = decide(package, approvals.list("churn/1"), gate.approved(), clock)
    assert verdict.decisions[0].reason == "Grace rejected it: biased"
    approvals.request("churn/2", "Ada")
    approvals.withdraw("churn/2", "Ada")
    verdict = decide(package, approvals.list("churn/2"), gate.approved(), clock)
    assert verdict.decisions[0].reason == "Ada withdrew the request for its approval"


def test_the_gate_holds_back_where_approvals_are_not_known(package: ModelPackage, clock: FixedClock) -> None:
    verdict = decide(package, None, gate.approved(), clock)
    assert "not known here" in verdict.decisions[0].reason


@pytest.mark.parametrize("params", [{"count": 0}, {"by": "Ada"}, {"by": ["Ada"], "count": 2}])
def test_a_gate_that_nobody_could_pass_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        gate.approved(**params)
