"""Levels and the ML Test Score follow from facts, and say what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import flyball.testing
from flyball.cli.group import invoke
from flyball.errors import InvalidInput, NotFound
from flyball.governance.maturity import TESTS, MaturityReport
from flyball.governance.readiness.base import graded
from flyball.principals import Principal, acting_as
from flyball.registry.versions import GateDecision, Verdict
from flyball.workspace import Workspace

ADA = Principal(name="ada", role="owner")
CI = Principal(name="ci", kind="service", role="maintainer")


@pytest.fixture
def here(trained: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(trained, tmp_path / "first")
    with flyball.testing.workspace(tmp_path / "first") as made, acting_as(ADA):
        yield made


def _points(report: MaturityReport, test: str) -> float:
    return next(score.points for score in report.tests if score.test == test)


def test_there_are_28_tests_seven_in_each_section() -> None:
    assert len({test.id for test in TESTS}) == 28
    sections = [test.section for test in TESTS]
    assert {sections.count(section) for section in sections} == {7}


def test_the_score_is_the_smallest_section(here: Workspace) -> None:
    report = here.maturity.get("irises")
    sums = {
        s.section: sum(t.points for t in report.tests if t.test.startswith(f"{s.section}.")) for s in report.sections
    }
    assert report.score == min(sums.values())
    assert {s.section: s.points for s in report.sections} == sums


def test_what_has_points_names_its_source_and_what_has_not_all_names_the_mend(here: Workspace) -> None:
    for score in here.maturity.get("irises").tests:
        assert bool(score.source) == (score.points > 0), score
        assert bool(score.mend) == (score.points < 1), score
        assert score.why.endswith(".")


def test_a_loop_that_was_only_applied_is_at_level_0_and_says_the_next_step(here: Workspace) -> None:
    report = here.maturity.get("irises")
    assert report.level == 0
    assert report.next_step == "For level 1: the loop has trained by itself."
    assert "loops trigger irises" in report.command


def test_a_check_by_hand_counts_half_and_one_by_a_program_a_full_point(here: Workspace) -> None:
    assert _points(here.maturity.get("irises"), "model.5") == 0
    here.maturity.record_check("irises", "model.5", "runs:/baseline")
    report = here.maturity.get("irises")
    assert _points(report, "model.5") == 0.5
    assert "runs:/baseline" in next(score.why for score in report.tests if score.test == "model.5")
    with acting_as(CI):
        here.maturity.record_check("irises", "model.5", "https://ci.example/7")
    assert _points(here.maturity.get("irises"), "model.5") == 1
    assert [check.by for check in here.maturity.list_checks("irises")] == ["ci", "ada"]


def test_a_verdict_and_an_application_by_a_program_change_the_facts(here: Workspace) -> None:
    state = here.loops.get("irises")
    decision = GateDecision(gate="at_least(roc_auc)", passed=True, reason="0.99 is at least 0.9")
    here.registry.record_verdict("irises", 1, Verdict(passed=True, decisions=(decision,), at=here.time.now()))
    assert _points(here.maturity.get("irises"), "infrastructure.4") == 1
    is_met = {each.title: each.is_met for each in here.maturity.get("irises").criteria}
    assert not is_met["A program applies the loop once its tests pass"]
    with acting_as(CI):
        here.loops.remove("irises")
        here.loops.apply(state.loop)
    is_met = {each.title: each.is_met for each in here.maturity.get("irises").criteria}
    assert is_met["A program applies the loop once its tests pass"]
    assert is_met["A version is judged by gates before it is served"]


def test_bad_checks_are_refused(here: Workspace) -> None:
    with pytest.raises(InvalidInput, match=r"no test 'model.9'"):
        here.maturity.record_check("irises", "model.9", "x")
    with pytest.raises(InvalidInput, match="evidence"):
        here.maturity.record_check("irises", "model.5", " ")
    with pytest.raises(NotFound):
        here.maturity.record_check("nobody", "model.5", "x")


def test_points_are_full_half_or_none() -> None:
    why = ("all", "some", "none")
    assert [graded(f, h, why, "x").points for f, h in ((1, 1), (0, 1), (0, 0))] == [1.0, 0.5, 0.0]
    assert graded(0, 0, why, "x").source == ""


def test_the_command_shows_all_loops_one_and_records_checks(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here.root)
    assert invoke(["maturity"]) == 0
    assert "irises" in capfd.readouterr().out
    assert invoke(["maturity", "irises", "--check", "model.5", "--evidence", "see the notebook"]) == 0
    assert invoke(["maturity", "irises"]) == 0
    assert "see the notebook" in capfd.readouterr().out
    assert invoke(["maturity", "nobody"]) == 4
    assert invoke(["maturity", "--check", "model.5"]) == 2
