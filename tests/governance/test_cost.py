"""What runs take is measured, added up, priced, and compared with budgets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import flyball as fb
import flyball.testing
from flyball.errors import InvalidInput, NotFound
from flyball.governance.cost import Budget, Prices
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.usage import StepUsage, UsageMeter
from flyball.principals import Principal, acting_as
from flyball.run_services import RunServices
from flyball.workspace import Workspace

PRICES = Prices(currency="EUR", core_hour=3600.0, memory_gib_hour=0.0, accelerator_hour=36.0, storage_gib_month=30.4375)
ADA = Principal(name="ada", role="owner")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with flyball.testing.workspace(tmp_path) as made, acting_as(ADA):
        yield made


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@fb.step(cache=False)
def busy() -> int:
    _burn(0.2)
    return 1


@fb.step(cache=False)
def idle(one: int) -> int:
    time.sleep(0.2)
    return one


@fb.pipeline
def work() -> int:
    return idle(busy())


def _run(here: Workspace, run: str, core_seconds: float, **given: float) -> None:
    here.cost.record(run, "train", [StepUsage(run=f"{run}-1", step="fit", core_seconds=core_seconds, **given)])


def test_a_run_of_a_pipeline_is_measured_step_by_step(here: Workspace, tmp_path: Path) -> None:
    run_pipeline(work, {}, services=RunServices(workspace=here, project_root=tmp_path, source_root=tmp_path))
    rows = {row.key: row for row in here.cost.report("step").rows}
    assert set(rows) == {"busy", "idle", ""}
    assert rows["busy"].core_seconds >= 0.18
    assert rows["idle"].core_seconds < 0.1
    assert rows["idle"].wall_seconds >= 0.2
    assert rows["busy"].memory_byte_seconds > 1e6
    (whole,) = here.cost.report("pipeline").rows
    assert (whole.key, whole.runs) == ("work", 1)
    assert whole.core_seconds == pytest.approx(sum(row.core_seconds for row in rows.values()))
    assert whole.wall_seconds < 2 * (rows["busy"].wall_seconds + rows["idle"].wall_seconds) + 5


def test_steps_that_run_at_once_share_the_time_of_the_process() -> None:
    meter = UsageMeter("r")
    began = time.process_time()

    def run(name: str) -> None:
        with meter.step(name, name, accelerators=2):
            _burn(0.15)

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.process_time() - began
    found = {each.step: each for each in meter.all()}
    assert sum(each.core_seconds for each in found.values()) == pytest.approx(spent, abs=0.05)
    assert found["a"].accelerator_seconds == pytest.approx(2 * found["a"].wall_seconds)


def test_a_step_in_a_process_of_its_own_says_itself_what_it_used() -> None:
    meter = UsageMeter("r")
    with meter.step("s", "apart"):
        meter.apart("s")
        _burn(0.1)
        meter.add("s", 7.0, 1e9)
    (apart, beside) = meter.all()
    assert apart.core_seconds == 7.0
    assert apart.memory_byte_seconds == pytest.approx(1e9, rel=0.01)
    assert beside.core_seconds >= 0.08


def test_it_is_added_up_by_person_loop_and_pipeline(here: Workspace) -> None:
    _run(here, "r1", 10)
    _run(here, "r2", 20)
    with acting_as(Principal(name="bob")):
        here.cost.record("r3", "score", [StepUsage(run="r3-1", step="score", core_seconds=5)])
    assert [(row.key, row.runs, row.core_seconds) for row in here.cost.report("pipeline").rows] == [
        ("train", 2, 30.0),
        ("score", 1, 5.0),
    ]
    assert [row.key for row in here.cost.report("who").rows] == ["ada", "bob"]
    assert [row.key for row in here.cost.report("run", pipeline="train").rows] == ["r2", "r1"]
    assert here.cost.report("project").rows[0].core_seconds == 35
    assert here.cost.report("loop", run="r3").total.core_seconds == 5
    assert len(here.cost.report("run", limit=1).rows) == 1


def test_a_stretch_of_time_is_asked_for(here: Workspace) -> None:
    _run(here, "r1", 10)
    now = here.time.now()
    assert here.cost.report(since=now - timedelta(days=2), until=now - timedelta(days=1)).rows == ()


def test_there_is_no_money_without_prices(here: Workspace) -> None:
    _run(here, "r1", 10, accelerator_seconds=100)
    assert here.cost.report().total.money is None
    here.cost.set_prices(PRICES)
    assert here.cost.report().total.money == pytest.approx(11.0)
    assert here.cost.prices() == PRICES


def test_storage_counts_in_byte_days(here: Workspace) -> None:
    here.blobs.put(b"x" * 1000)
    kept = here.cost.sample_storage()
    assert kept >= 1000
    now = here.time.now()
    report = here.cost.report(since=now - timedelta(days=10), until=now + timedelta(days=2))
    assert report.storage_bytes == kept
    assert 2 * kept <= report.storage_byte_days < 3 * kept + 1
    assert here.cost.report(since=now - timedelta(days=10), until=now - timedelta(days=5)).storage_bytes is None


def test_a_budget_warns_and_then_alarms_once(here: Workspace) -> None:
    here.cost.set_prices(PRICES)
    here.cost.set_budget(Budget(name="train", amount=100, scope="pipeline", key="train", warn_at=0.5))
    _run(here, "r1", 40)
    assert here.alerts.list() == []
    _run(here, "r2", 20)
    (alert,) = here.alerts.list()
    assert (alert.severity, alert.subject) == ("warning", "budgets:/train")
    _run(here, "r3", 60)
    (alert,) = here.alerts.list()
    assert alert.severity == "critical"
    (state,) = here.cost.budgets()
    assert state.share == pytest.approx(1.2)
    here.cost.remove_budget("train")
    assert here.cost.budgets() == []


@pytest.mark.parametrize(
    "budget",
    [
        Budget(name="x", amount=0),
        Budget(name="x y", amount=1),
        Budget(name="x", amount=1, warn_at=2),
        Budget(name="x", amount=1, scope="loop"),
        Budget(name="x", amount=1, key="y"),
    ],
    ids=["nothing", "name", "share", "no key", "key of all"],
)
def test_a_bad_budget_is_refused(here: Workspace, budget: Budget) -> None:
    with pytest.raises(InvalidInput):
        here.cost.set_budget(budget)


def test_bad_prices_and_usage_are_refused(here: Workspace) -> None:
    for prices in (Prices(), Prices(currency="EUR", core_hour=-1), Prices(currency="EUR", core_hour=float("nan"))):
        with pytest.raises(InvalidInput):
            here.cost.set_prices(prices)
    with pytest.raises(InvalidInput):
        _run(here, "r1", -1)
    with pytest.raises(NotFound):
        here.cost.remove_budget("nobody")
