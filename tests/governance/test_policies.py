"""Policies are asked before versions are registered or served and loops are applied, and say which one and the mend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import flyball as fb
import flyball.testing
from flyball.cli.group import invoke
from flyball.data.dataset import Dataset
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput, PermissionDenied
from flyball.governance.rule import read_policies
from flyball.governance.rules.base import RULES, PolicySpec
from flyball.models.package import ModelPackage, save_model
from flyball.principals import Principal, acting_as
from flyball.registry.versions import GateDecision, Verdict
from flyball.serialization import from_json
from flyball.workspace import Workspace
from tests.registry.constant import always_seven

ADA, BOB, CARL = (Principal(name=name, role="owner") for name in ("ada", "bob", "carl"))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with flyball.testing.workspace(tmp_path) as made, acting_as(ADA):
        yield made


@pytest.fixture
def package(here: Workspace) -> ModelPackage:
    return save_model(always_seven, here.blobs, example=pa.table({"age": [1.0, 2.0]}))


def _rule(here: Workspace, *specs: PolicySpec) -> None:
    here.policies.apply(list(specs))


def _snapshot(here: Workspace, name: str, pii: str = "") -> str:
    here.data.declare(Dataset(name=name))
    found = take_snapshot(
        here.data, here.blobs, name, pa.table({"age": [1.0], "mail": ["a@b.example"]}), root=here.root
    )
    if pii:
        here.quality.declare_pii(name, "mail", pii)
    return f"{name}/{found.id}"


def _register(here: Workspace, package: ModelPackage, snapshots: Sequence[str] = (), **given: Any) -> None:
    here.registry.register("churn", package, snapshots=tuple(snapshots), **given)


def test_without_policies_everything_goes(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    assert here.deployments.deploy("churn", "churn", 1).champion == 1


def test_policies_are_planned_applied_and_ended(here: Workspace) -> None:
    two, one = fb.rule.approvals(2), fb.rule.approvals(1)
    assert [(c.name, c.change) for c in here.policies.plan([two])] == [("approvals", "new")]
    assert here.policies.list() == []
    _rule(here, two)
    assert [(c.name, c.change) for c in here.policies.plan([two])] == [("approvals", "unchanged")]
    assert [(c.name, c.change) for c in here.policies.plan([one])] == [("approvals", "changed")]
    assert [(c.name, c.change) for c in here.policies.plan([])] == [("approvals", "removed")]
    _rule(here)
    assert here.policies.list() == []
    assert [row.action for row in here.audit.list(action="policies.")] == ["policies.removed", "policies.applied"]


def test_policies_without_a_name_get_one_each(here: Workspace) -> None:
    _rule(here, fb.rule.approvals(1), fb.rule.approvals(2, risk=["high"]), fb.rule.formats(no_code=True, name="safe"))
    assert [each.name for each in here.policies.list()] == ["approvals", "approvals-2", "safe"]


def test_only_an_owner_would_apply_them() -> None:
    from flyball.verbs import verbs_of
    from flyball.workspace import service_class

    assert verbs_of(service_class("policies"))["apply"].role == "owner"


def test_a_version_of_a_wrong_format_is_not_registered(here: Workspace, package: ModelPackage) -> None:
    _rule(here, fb.rule.formats(["onnx"], name="only-onnx"))
    with pytest.raises(PermissionDenied, match=r"'only-onnx': It is kept in the flavor 'python_function'") as refused:
        _register(here, package)
    assert "onnx" in refused.value.hint
    assert here.registry.list_models() == []


def test_a_model_that_runs_code_is_not_registered(here: Workspace, package: ModelPackage) -> None:
    _rule(here, fb.rule.formats(no_code=True))
    with pytest.raises(PermissionDenied, match="runs code"):
        _register(here, package)


def test_personal_data_is_found_along_the_lineage(here: Workspace, package: ModelPackage) -> None:
    raw, clean = _snapshot(here, "raw", "mail"), _snapshot(here, "clean")
    here.lineage.link(f"snapshots:/{raw}", f"snapshots:/{clean}", "derived")
    _rule(here, fb.rule.personal_data(["age"]))
    with pytest.raises(PermissionDenied, match=r"'mail' of 'raw'.*personal data \(mail\)"):
        _register(here, package, [clean])
    _rule(here, fb.rule.personal_data(["mail"]))
    _register(here, package, [clean])
    _rule(here, fb.rule.personal_data(inputs_only=True))
    assert here.policies.check_version("models:/churn/1") == []


def test_data_has_to_be_tagged_with_where_it_may_be(here: Workspace, package: ModelPackage) -> None:
    snapshot = _snapshot(here, "people")
    _rule(here, fb.rule.residency(["eu"]))
    with pytest.raises(PermissionDenied, match="no tag residency"):
        _register(here, package, [snapshot])
    here.catalog.tag("datasets:/people", {"residency": "us"})
    with pytest.raises(PermissionDenied, match="residency=us"):
        _register(here, package, [snapshot])
    here.catalog.tag("datasets:/people", {"residency": "eu"})
    _register(here, package, [snapshot])


def test_gates_have_to_be_passed_before_a_version_is_served(here: Workspace, package: ModelPackage) -> None:
    _rule(here, fb.rule.gates(["at_least"]))
    _register(here, package)
    with pytest.raises(PermissionDenied, match="not passed the gate at_least"):
        here.deployments.deploy("churn", "churn", 1)
    decision = GateDecision(gate="at_least(roc_auc)", passed=True, reason="0.9 is at least 0.8")
    here.registry.record_verdict("churn", 1, Verdict(passed=True, decisions=(decision,), at=here.time.now()))
    assert here.deployments.deploy("churn", "churn", 1).champion == 1


def test_who_asked_for_approval_or_registered_does_not_count(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    _rule(here, fb.rule.approvals(1))
    with acting_as(BOB):
        here.approvals.request("models:/churn/1", by="bob", needed=2)
    with pytest.raises(PermissionDenied, match="0 of 1 approvals"):
        here.deployments.deploy("churn", "churn", 1)
    here.approvals.approve("models:/churn/1", by="ada")  # who registered it
    assert here.policies.check_version("models:/churn/1")
    with acting_as(CARL):
        here.approvals.approve("models:/churn/1", by="carl")
    assert here.policies.check_version("models:/churn/1") == []


def test_only_named_people_or_roles_approve(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    with acting_as(BOB):
        here.approvals.request("models:/churn/1", by="bob")
    with acting_as(CARL):
        here.approvals.approve("models:/churn/1", by="carl")
    _rule(here, fb.rule.approvals(1, by=["dora"]))
    assert "by dora" in here.policies.check_version("models:/churn/1")[0].why
    _rule(here, fb.rule.approvals(1, by=["carl"]))
    assert here.policies.check_version("models:/churn/1") == []


def test_policies_hold_for_classes_of_risk_and_names(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    _rule(here, fb.rule.approvals(1, risk=["high"]), fb.rule.gates(["latency"], models=["credit-*"]))
    assert here.policies.check_version("models:/churn/1") == []
    here.registered_models.set_tag("churn", "risk", "high")
    assert [each.policy for each in here.policies.check_version("models:/churn/1")] == ["approvals"]
    with pytest.raises(PermissionDenied) as refused:
        here.deployments.deploy("churn", "churn", 1)
    assert refused.value.facts["policies"] == ["approvals"]


def test_only_some_deploy_to_production(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    _rule(here, fb.rule.deployers(["bob"], deployments=["prod-*"]))
    assert here.deployments.deploy("test-churn", "churn", 1).champion == 1
    with pytest.raises(PermissionDenied, match="ada may not deploy to 'prod-churn'; that may bob"):
        here.deployments.deploy("prod-churn", "churn", 1)
    with acting_as(BOB):
        assert here.deployments.deploy("prod-churn", "churn", 1).champion == 1
    with acting_as(Principal(name="flyball", kind="system", role="owner")):
        assert here.deployments.deploy("prod-other", "churn", 1).champion == 1


def test_a_rollout_is_asked_about_too(here: Workspace, package: ModelPackage) -> None:
    _register(here, package)
    _register(here, package, run="r2")
    here.deployments.deploy("churn", "churn", 1)
    _rule(here, fb.rule.gates(["latency"]))
    with pytest.raises(PermissionDenied, match="latency"):
        here.deployments.start_rollout("churn", 2, fb.canary([50, 100], hold="1m"))
    assert here.deployments.get("churn").rollout is None


@pytest.mark.parametrize("kind", sorted(RULES.names()))
def test_every_kind_refuses_what_it_does_not_know(kind: str) -> None:
    with pytest.raises(InvalidInput, match="no 'nonsense'"):
        RULES.get(kind).check({"nonsense": 1})


@pytest.mark.parametrize(
    "text",
    [
        "kind: approvals", "- count: 1", "- kind: aprovals", "- {kind: approvals, count: many}", "- {kind: approvals, count: 0}",
        "- {kind: approvals, risk: high}", "- {kind: approvals, risk: [awful]}", "- {kind: gates}",
        "- {kind: gates, required: [nice]}",
        "- {kind: formats}", "- {kind: formats, allowed: [pickles]}", "- {kind: residency}", "- {kind: deployers}",
        "- {kind: deployers, role: king}", "- {kind: retention, of: everything, keep: 1d}",
        "- {kind: retention, of: snapshots, keep: long}",
        "- {kind: approvals, name: a b}", "- [", "- {kind: approvals, models: 'credit-*'}",
    ],
)  # fmt: skip
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        read_policies(path)
    assert "policies.yaml" in str(refused.value)


def test_a_file_says_the_same_as_code(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(
        "- {kind: approvals, name: two, count: 2, role: maintainer, risk: [high, limited]}\n", encoding="utf-8"
    )
    assert read_policies(path) == [fb.rule.approvals(2, role="maintainer", name="two", risk=["high", "limited"])]


PROJECT = """
import flyball as fb

@fb.step
def nothing() -> int:
    return 1

@fb.pipeline
def train():
    return nothing()

fb.rule.gates(["at_least"], name="judged")
fb.loop("churn", train, gates=[GATES])
"""


def test_apply_shows_brings_into_force_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project.py"
    project.write_text(PROJECT.replace("GATES", ""), encoding="utf-8")
    assert invoke(["apply", "--plan", "--json"]) == 0
    said: Any = from_json(capfd.readouterr().out, object)
    assert {"kind": "policy", "name": "judged", "change": "new"} in said["changes"]
    assert [each["policy"] for each in said["refused"]] == ["judged"]
    assert invoke(["apply"]) == 1
    assert "Policy 'judged': The loop declares no gate at_least." in capfd.readouterr().err
    assert invoke(["policies", "list", "--json"]) == 0
    assert from_json(capfd.readouterr().out, object) == []
    project.write_text(PROJECT.replace("GATES", "fb.gate.at_least('roc_auc', 0.8)"), encoding="utf-8")
    (tmp_path / "policies.yaml").write_text("- {kind: formats, no_code: true}\n", encoding="utf-8")
    assert invoke(["apply"]) == 0
    assert invoke(["policies", "list"]) == 0
    out = capfd.readouterr().out
    assert "judged" in out
    assert "formats" in out
    assert invoke(["policies", "check", "models:/nobody/1"]) == 4
