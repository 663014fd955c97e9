"""The recorded past of a loop, decided anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.evaluation.scores import Evaluation, MetricValue
from flyball.loops import on
from flyball.loops.freeze import freeze_between
from flyball.loops.simulation import Simulation, read_trigger, simulate
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage, package_id
from flyball.models.signature import Signature
from flyball.monitoring.windows import Window
from flyball.schema import Schema
from flyball.testing import workspace
from flyball.workspace import Workspace
from tests.loops.test_loops import LOOP

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def auc(value: float) -> MetricValue:
    return MetricValue(name="roc_auc", value=value, low=value - 0.001, high=value + 0.001, n=5000)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Workspace]:
    """Forty days of one model that loses a thousandth of ROC AUC a day, with a little noise."""
    with workspace(tmp_path, clock="virtual") as here:
        here.clock.set(START.isoformat())
        here.loops.apply(replace(LOOP, name="shop", retrain=(on.decay("roc_auc", by=0.02),), paused=""))
        nothing = Schema(columns=())
        package = ModelPackage(
            id="",
            flavor="scikit_learn",
            files={},
            size=0,
            environment=Environment(python="3.11", platform="linux", packages={}),
            signature=Signature(task="classification", inputs=nothing, outputs=nothing),
        )
        evaluation = Evaluation(
            task="classification", n=5000, positive_rate=0.2, metrics=(auc(0.8),), slices=(), primary="roc_auc"
        )
        here.registry.register("shop", replace(package, id=package_id(package)), evaluation=evaluation)
        for day in range(40):
            start = START + day * DAY
            here.monitoring.record_window(
                Window(
                    deployment="shop",
                    start=start,
                    end=start + DAY,
                    predictions=5000,
                    versions={"1": 5000},
                    labelled=5000,
                    complete=True,
                    performance=(auc(0.8 - 0.001 * day + (day % 3 - 1) * 0.0005),),
                )
            )
        yield here


def test_the_policy_that_is_applied_trains_when_the_loss_is_reached(recorded: Workspace) -> None:
    found = simulate(recorded, "shop")
    first = found.would_have[0]
    assert first.trigger == "decay"
    assert START + 19 * DAY <= first.at <= START + 24 * DAY
    assert (found.windows, found.trainings) == (40, 0)


def test_a_stricter_policy_trains_more_often_and_keeps_more_quality(recorded: Workspace) -> None:
    strict = simulate(recorded, "shop", retrain=[on.decay("roc_auc", by=0.005)], cooldown="5d")
    lazy = simulate(recorded, "shop", retrain=[on.decay("roc_auc", by=0.03)], cooldown="5d")
    assert len(strict.would_have) > len(lazy.would_have) > 0
    assert strict.quality == lazy.quality
    assert strict.quality_would_have is not None
    assert lazy.quality_would_have is not None
    assert strict.quality is not None
    assert strict.quality_would_have > lazy.quality_would_have > strict.quality


def test_the_price_of_age_is_what_the_windows_show(recorded: Workspace) -> None:
    found = simulate(recorded, "shop")
    assert found.slope == pytest.approx(-0.001, abs=0.0001)
    assert found.slope_error is not None
    assert 0 < found.slope_error < 0.0001


def test_cool_down_and_budget_are_kept_and_waiting_is_told(recorded: Workspace) -> None:
    every_day = [on.schedule("0 12 * * *")]
    assert len(simulate(recorded, "shop", retrain=every_day, cooldown="0s", max_trainings_per_week=99).would_have) > 30
    found = simulate(recorded, "shop", retrain=every_day, cooldown="0s", max_trainings_per_week=2)
    assert 10 <= len(found.would_have) <= 13
    assert "the budget of 2 trainings a week is spent" in {each.waited_for for each in found.waits}


def test_no_gain_is_claimed_where_age_costs_nothing(recorded: Workspace) -> None:
    for day in range(40):
        start = START + (60 + day) * DAY
        recorded.monitoring.record_window(
            Window(
                deployment="shop",
                start=start,
                end=start + DAY,
                predictions=10,
                versions={"1": 10},
                labelled=10,
                complete=True,
                performance=(auc(0.8 if day % 2 else 0.75),),
            )
        )
    found = simulate(recorded, "shop", retrain=[on.decay("roc_auc", by=0.2)])
    assert found.slope is not None
    if found.quality_would_have is None:
        assert "not beyond chance" in found.notes[0]


def test_a_simulation_changes_nothing(recorded: Workspace) -> None:
    before = recorded.events.list(limit=1000)
    simulate(recorded, "shop")
    assert recorded.events.list(limit=1000) == before
    assert recorded.loops.list_trainings("shop") == []


def test_a_loop_without_windows_cannot_be_simulated(recorded: Workspace) -> None:
    recorded.loops.apply(replace(LOOP, name="new"))
    with pytest.raises(InvalidInput, match="no window yet"):
        simulate(recorded, "new")
    with pytest.raises(NotFound):
        simulate(recorded, "nothing")


@pytest.mark.parametrize("wrong", [{"metric": "roc"}, {"cooldown": "soon"}, {"max_trainings_per_week": 0}])
def test_a_policy_that_is_none_is_refused(recorded: Workspace, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        simulate(recorded, "shop", **wrong)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('decay("roc_auc", by=0.1)', on.decay("roc_auc", by=0.1)),
        ("fb.on.drift(windows=2)", on.drift(windows=2)),
        ("schedule('0 3 * * 1')", on.schedule("0 3 * * 1")),
        ("new_data('clicks')", on.new_data("clicks")),
    ],
)
def test_a_trigger_is_read_as_it_is_written(text: str, made: object) -> None:
    assert read_trigger(text) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "decay",
        "decay(",
        "decay(by=print(1))",
        "__import__('os')",
        "decay(no=1)",
        "drft()",
        "decay(by=-1)",
        "decay(" * 5000,
        "_windows(1)",
        "decay(**{})(1)",
        "decay(*x)",
    ],
)
def test_what_is_no_trigger_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_trigger(text)


def test_a_simulation_is_plain(recorded: Workspace) -> None:
    from flyball.serialization import from_json, to_json

    found = simulate(recorded, "shop")
    assert from_json(to_json(found), Simulation) == found


def test_any_client_can_ask_what_would_have_been(recorded: Workspace) -> None:
    strict = recorded.simulations.simulate("shop", ['decay("roc_auc", by=0.005)'], cooldown="0s")
    assert len(strict.would_have) > len(recorded.simulations.simulate("shop").would_have)
    assert any(each.is_present for each in recorded.simulations.search("shop", ["1d"]))


def test_a_schedule_tells_its_next_times_and_what_stands_against_them(recorded: Workspace) -> None:
    now = recorded.time.now()
    holidays = freeze_between(now, now + 7 * DAY, reason="holidays")
    plan = replace(LOOP, name="weekly", retrain=(on.schedule("0 3 * * 1"),), paused="", freeze=(holidays,))
    recorded.loops.apply(plan)
    monday, next_monday = recorded.simulations.schedule("weekly", 2)
    assert now < monday.at < next_monday.at == monday.at + 7 * DAY
    assert (monday.at.weekday(), monday.at.hour) == (0, 3)
    assert [each.waits_because for each in (monday, next_monday)] == ["frozen: holidays", ""]
    recorded.loops.pause("weekly", "sick")
    assert recorded.simulations.schedule("", 1)[0].waits_because == "paused: sick"
    with pytest.raises(InvalidInput, match="0 times"):
        recorded.simulations.schedule("weekly", 0)
