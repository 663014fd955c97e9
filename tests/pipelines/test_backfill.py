from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from flyball.pipelines.backfill import WindowRun, backfill, windows_of
from flyball.pipelines.code_snapshot import load_project
from tests.pipelines.conftest import ProjectFolder

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PROJECT = """
    from datetime import datetime
    from pathlib import Path

    import flyball as fb


    @fb.step
    def load(start: datetime, end: datetime):
        if (Path(__file__).parent / f"broken-{start.day}").exists():
            raise ValueError("no data")
        return (end - start).total_seconds()


    @fb.pipeline
    def main(start: datetime, end: datetime):
        return load(start, end)


    @fb.step
    def day_of(day: str):
        return day


    @fb.pipeline
    def daily(day: str = ""):
        return day_of(day)
"""


@pytest.fixture
def parts(project: ProjectFolder) -> ProjectFolder:
    project.write("project.py", textwrap.dedent(PROJECT))
    return project


def states(parts: ProjectFolder, days: int, *, again: bool = False, jobs: int = 1) -> list[str]:
    chosen = load_project(parts.root, "project.py").pipelines["main"]
    windows = windows_of(START, START + days * DAY, DAY)
    return [each.state for each in backfill(chosen, windows, services=parts.services, again=again, jobs=jobs)]


def test_each_window_has_a_run_and_what_is_done_is_not_done_again(parts: ProjectFolder) -> None:
    assert states(parts, 2) == ["finished", "finished"]
    assert states(parts, 3) == ["present", "present", "finished"]
    assert states(parts, 1, again=True) == ["finished"]
    runs = parts.services.tracking.list_runs(kind="pipeline")
    assert runs[-1].tags["window"] == "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z"


def test_a_window_that_fails_does_not_stop_the_others_and_is_tried_at_the_next_go(parts: ProjectFolder) -> None:
    Path(parts.root / "broken-2").touch()
    assert states(parts, 3) == ["finished", "failed", "finished"]
    Path(parts.root / "broken-2").unlink()
    assert states(parts, 3) == ["present", "finished", "present"]


def test_windows_run_side_by_side(parts: ProjectFolder) -> None:
    assert states(parts, 4, jobs=3) == ["finished"] * 4


def test_a_parameter_may_name_the_window(parts: ProjectFolder) -> None:
    chosen = load_project(parts.root, "project.py").pipelines["daily"]
    told: list[WindowRun] = []
    backfill(
        chosen,
        windows_of(START, START + 2 * DAY, DAY),
        {"day": "{start:%Y-%m-%d}"},
        services=parts.services,
        tell=told.append,
    )
    runs = [parts.services.tracking.get_run(each.run) for each in told]
    assert [run.params["day"] for run in runs] == ["2024-01-01", "2024-01-02"]


def test_a_pipeline_that_takes_no_window_is_refused(parts: ProjectFolder) -> None:
    chosen = load_project(parts.root, "project.py").pipelines["daily"]
    with pytest.raises(InvalidInput, match="takes neither `start` nor `end`"):
        backfill(chosen, windows_of(START, START + DAY, DAY), services=parts.services)
    with pytest.raises(InvalidInput, match="names no part of a window"):
        backfill(chosen, windows_of(START, START + DAY, DAY), {"day": "{month}"}, services=parts.services)


def test_the_last_window_ends_with_the_time_asked_for() -> None:
    assert [each.end for each in windows_of(START, START + 1.5 * DAY, DAY)] == [START + DAY, START + 1.5 * DAY]


@pytest.mark.parametrize(
    ("end", "every", "words"),
    [
        (START, DAY, "no stretch"),
        (START + DAY, timedelta(0), "longer than nothing"),
        (START + 99 * DAY, timedelta(seconds=1), "10,000"),
    ],
)
def test_what_makes_no_windows_is_refused(end: datetime, every: timedelta, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        windows_of(START, end, every)
