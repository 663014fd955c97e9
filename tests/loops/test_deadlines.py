"""What was due and has not finished is told once, at the right hour of its time zone, and settled when it comes late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import flyball as fb
from flyball import testing
from flyball.alerts.alert import Alert
from flyball.errors import InvalidInput, NotFound
from flyball.loops.deadlines import Deadlines
from flyball.loops.loop import Deadline, loop
from flyball.workspace import Workspace


class _Pipeline:
    name = "train"

    def bind(self, params: dict[str, Any]) -> None: ...


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with testing.workspace(tmp_path, clock="virtual") as made:
        made.clock.set("2026-07-01T00:00:00Z")
        yield made


def look(here: Workspace, at: str, due: Deadline) -> list[Alert]:
    here.loops.apply(loop("churn", _Pipeline(), due=[due])) if not here.loops.list() else None
    here.clock.set(at)
    Deadlines(here).attend(here.loops.get("churn"), here.time.now())
    return here.alerts.list(subject="loops:/churn")


def run_of(here: Workspace, pipeline: str, at: str) -> None:
    here.clock.set(at)
    run = here.tracking.create_run(pipeline, name=pipeline, kind="pipeline", tags={"pipeline": pipeline})
    here.tracking.finish_run(run.id)


SIX = fb.due("0 6 * * *", zone="Europe/Vienna", pipeline="etl", within="6h")


def test_nothing_is_due_before_its_hour(here: Workspace) -> None:
    assert look(here, "2026-07-01T03:59:00Z", SIX) == []


def test_what_has_not_finished_by_its_hour_is_told_once(here: Workspace) -> None:
    (alert,) = look(here, "2026-07-01T04:00:30Z", SIX)
    assert alert.title == "The pipeline 'etl' had not finished by 2026-07-01 06:00 Europe/Vienna"
    assert alert.severity == "critical"
    assert len(look(here, "2026-07-01T05:00:00Z", SIX)) == 1
    assert len(look(here, "2026-07-02T04:00:30Z", SIX)) == 2


def test_what_has_finished_in_time_is_not_told(here: Workspace) -> None:
    look(here, "2026-07-01T00:00:01Z", SIX)
    run_of(here, "etl", "2026-07-01T03:00:00Z")
    assert look(here, "2026-07-01T04:30:00Z", SIX) == []


def test_what_finished_too_long_before_does_not_count(here: Workspace) -> None:
    look(here, "2026-07-01T00:00:01Z", SIX)
    run_of(here, "etl", "2026-07-01T03:00:00Z")
    assert look(here, "2026-07-01T04:30:00Z", SIX) == []
    assert len(look(here, "2026-07-02T04:30:00Z", SIX)) == 1


def test_what_comes_late_settles_it(here: Workspace) -> None:
    look(here, "2026-07-01T04:00:30Z", SIX)
    run_of(here, "etl", "2026-07-01T04:20:00Z")
    (alert,) = look(here, "2026-07-01T04:21:00Z", SIX)
    assert alert.state == "resolved"
    assert "too late" in alert.resolution


def test_one_that_a_person_has_closed_is_not_opened_again(here: Workspace) -> None:
    (alert,) = look(here, "2026-07-01T04:00:30Z", SIX)
    here.alerts.resolve(alert.id, "we know")
    (again,) = look(here, "2026-07-01T04:10:00Z", SIX)
    assert again.state == "resolved"


def test_a_training_of_the_loop_itself_can_be_due(here: Workspace) -> None:
    (alert,) = look(here, "2026-07-01T07:00:00Z", fb.due("0 6 * * *", severity="warning"))
    assert alert.title == "A training had not finished by 2026-07-01 06:00 UTC"
    assert alert.severity == "warning"


@pytest.mark.parametrize(
    "wrong",
    [lambda: fb.due("six"), lambda: fb.due("0 6 * * *", zone="Mars"), lambda: fb.due("0 6 * * *", within="0s")],
)
def test_a_deadline_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def test_a_signal_is_told_as_an_event(here: Workspace) -> None:
    here.loops.apply(loop("churn", _Pipeline(), retrain=[fb.on.signal("git")]))
    here.loops.signal("churn", "c0ffee", "git", "pushed to main")
    (event,) = here.events.list(kinds=["loops.signalled"])
    assert event.facts["id"] == "c0ffee"
    assert event.at - here.time.now() < timedelta(seconds=1)
    with pytest.raises(NotFound):
        here.loops.signal("nobody", "c0ffee")
    with pytest.raises(InvalidInput):
        here.loops.signal("churn", "")
