"""Two runs at the same time that want the same step."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from flyball.errors import FlyballError
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import Pipeline, pipeline
from flyball.pipelines.result import PipelineResult, StepEvent
from flyball.pipelines.step import step
from flyball.tracking._store import runs
from tests.pipelines.conftest import Services

RAN: list[str] = []


def note() -> None:
    RAN.append("slow")


@step
def slow(number: int) -> int:
    note()
    time.sleep(0.5)
    if number < 0:
        raise ValueError("negative")
    return number


@pipeline
def one(number: int) -> Any:
    return slow(number)


@pipeline
def other(number: int) -> Any:
    return slow(number)


def side_by_side(services: Services, number: int, told: list[StepEvent]) -> list[Any]:
    """Runs both at once; the second begins while the first is in its step. Gives what came of each."""
    ended: dict[str, Any] = {}
    begun = threading.Event()

    def begin(event: StepEvent) -> None:
        if event.state == "running":
            begun.set()

    def work(chosen: Pipeline[..., Any], listener: Any) -> None:
        try:
            result: PipelineResult = run_pipeline(chosen, {"number": number}, services=services, on_event=listener)
            ended[chosen.name] = [record.state for record in result.steps]
        except FlyballError as error:
            ended[chosen.name] = str(error)

    first = threading.Thread(target=work, args=(one, begin))
    first.start()
    assert begun.wait(30)
    time.sleep(0.1)  # what has begun is written down behind the step's back
    work(other, told.append)
    first.join(30)
    return [ended["one"], ended["other"]]


def test_the_second_waits_and_takes_what_the_first_gave(services_on_each: Services) -> None:
    RAN.clear()
    told: list[StepEvent] = []
    assert side_by_side(services_on_each, 1, told) == [["finished"], ["cached"]]
    assert RAN == ["slow"]
    assert any("runs the same" in event.reason for event in told)


def test_the_second_runs_it_where_the_first_fails(services: Services) -> None:
    RAN.clear()
    one_said, other_said = side_by_side(services, -1, [])
    assert "negative" in one_said
    assert "negative" in other_said
    assert RAN == ["slow", "slow"]


def test_a_claim_is_one_runs_until_it_is_given_back(services_on_each: Services) -> None:
    cache, key = services_on_each.step_cache, "a" * 64
    assert cache.claim(key, "one")
    assert cache.claim(key, "one")
    assert not cache.claim(key, "other")
    cache.release(key, "other")
    assert not cache.claim(key, "other")
    cache.release(key, "one")
    assert cache.claim(key, "other")


def test_a_run_that_fell_silent_is_not_waited_for(services: Services) -> None:
    RAN.clear()
    done = run_pipeline(one, {"number": 3}, services=services).steps[0]
    key = services.tracking.get_run(done.run).tags["key"]
    services.step_cache.forget(key=key)
    dead = services.tracking.create_run("one", name="one", kind="pipeline")
    services.tracking.create_run("one", name="slow", kind="step", parent=dead.id, tags={"key": key})
    long_ago = datetime.now(UTC) - timedelta(minutes=1)
    services.database.execute(sa.update(runs).where(runs.c.id == dead.id).values(heartbeat=long_ago.timestamp()))
    assert [record.state for record in run_pipeline(one, {"number": 3}, services=services).steps] == ["finished"]
