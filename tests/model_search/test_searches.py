"""What is kept of a search, and who may do its work."""

from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.model_search.search import Candidate, Result, Rung, Wanted
from flyball.model_search.searches import SILENT, AutoMl
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs

WANTED = Wanted(dataset="wine", label="kind", budget=60)


@pytest.fixture
def automl(database: Database, blobs: Blobs, clock: FixedClock) -> AutoMl:
    return AutoMl(database, blobs, EventLog(database, clock), clock)


def judged(number: int, rung: int, score: float, family: str = "linear") -> Candidate:
    told = Rung(rung=rung, rows=100, folds=1, score=score)
    return Candidate(search="wine", number=number, family=family, state="waiting", rungs=(told,), score=score)


def begun(automl: AutoMl, holder: str = "a") -> AutoMl:
    automl.start("wine", WANTED)
    automl.begin("wine", holder)
    automl.describe("wine", holder, "classification", "roc_auc", "maximize", "snapshots:/wine/1", 100, 20, 4, [])
    return automl


def test_the_same_search_is_asked_for_once(automl: AutoMl) -> None:
    first = automl.start("wine", WANTED)
    assert automl.start("wine", WANTED) == first
    assert first.state == "queued"


def test_a_name_stands_for_one_search(automl: AutoMl) -> None:
    automl.start("wine", WANTED)
    with pytest.raises(Conflict):
        automl.start("wine", Wanted(dataset="wine", label="other"))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(dataset="wine", label=""),
        Wanted(dataset="wine", label="kind", budget=0),
        Wanted(dataset="wine", label="kind", task="forecasting"),
        Wanted(dataset="wine", label="kind", groups=("kind",)),
        Wanted(dataset="wine", label="kind", jobs=0),
    ],
)
def test_what_cannot_be_searched_is_refused(automl: AutoMl, wanted: Wanted) -> None:
    with pytest.raises(InvalidInput):
        automl.start("wine", wanted)


def test_the_leaderboard_has_those_of_high_rungs_first(automl: AutoMl) -> None:
    begun(automl)
    for candidate in (judged(0, 1, 0.5, "baseline"), judged(1, 0, 0.9), judged(2, 1, 0.8), judged(3, 1, 0.7)):
        automl.put_candidate(candidate, "a")
    assert [candidate.number for candidate in automl.leaderboard("wine")] == [2, 3, 0, 1]
    assert automl.get("wine").best == 0.9
    assert automl.get("wine").candidates == 4


def test_only_one_process_does_a_search(automl: AutoMl) -> None:
    begun(automl)
    with pytest.raises(Conflict):
        automl.begin("wine", "b")
    with pytest.raises(Conflict):
        automl.put_candidate(judged(0, 0, 0.5), "b")


def test_a_search_whose_process_is_silent_is_taken_over(automl: AutoMl, clock: FixedClock) -> None:
    begun(automl)
    clock.advance(SILENT)
    assert automl.begin("wine", "b").attempt == 2
    with pytest.raises(Conflict):
        automl.beat("wine", "a", 1.0)


def test_the_process_is_told_to_stop(automl: AutoMl) -> None:
    begun(automl)
    assert automl.beat("wine", "a", 1.0) is False
    automl.cancel("wine")
    assert automl.beat("wine", "a", 2.0) is True
    assert automl.finish("wine", "a", 2.5).state == "cancelled"


def test_a_search_that_waits_is_cancelled_at_once(automl: AutoMl) -> None:
    automl.start("wine", WANTED)
    assert automl.cancel("wine").state == "cancelled"
    assert automl.start("wine", WANTED).state == "queued"


def test_the_file_is_there_when_it_has_finished(automl: AutoMl) -> None:
    begun(automl)
    with pytest.raises(NotFound, match="running"):
        automl.file("wine")
    result = Result(
        winner=1,
        family="linear",
        score=0.9,
        holdout=0.8,
        baseline=0.5,
        stopped="the time was up",
        file="import flyball",
    )
    assert automl.finish("wine", "a", 3.0, result).state == "finished"
    assert automl.file("wine") == "import flyball"


def test_one_that_runs_is_not_deleted(automl: AutoMl) -> None:
    begun(automl)
    with pytest.raises(Conflict):
        automl.delete("wine")
    automl.cancel("wine")
    automl.finish("wine", "a", 1.0)
    automl.delete("wine")
    with pytest.raises(NotFound):
        automl.get("wine")
