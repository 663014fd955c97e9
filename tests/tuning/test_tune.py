"""Searches: real pipelines, real Optuna."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

import flyball as fb
from flyball.errors import Conflict, InvalidInput, WorkFailed
from flyball.tuning.optimizer import importances
from flyball.tuning.tune import all_trials, tune
from tests.tuning.conftest import Services


def bowl(x: Annotated[float, fb.space.number(-2, 2)], y: Annotated[int, fb.space.integer(0, 8)] = 4) -> float:
    return (x - 0.5) ** 2 + (y - 3) ** 2


def test_a_function_is_searched_by_its_hints(services: Services) -> None:
    result = tune(bowl, "loss", direction="minimize", services=services, trials=60)
    assert len(result.trials) == 60
    assert result.params["y"] == 3
    assert abs(float(result.params["x"]) - 0.5) < 0.3
    assert result.stopped == "60 trials were done"


def test_the_search_beats_chance(services: Services) -> None:
    ours = tune(bowl, "loss", direction="minimize", services=services, trials=40, name="tpe")
    chance = tune(bowl, "loss", direction="minimize", services=services, trials=40, name="chance", sampler="random")
    mean = [sum(t.values[0] for t in each.trials[20:]) / 20 for each in (ours, chance)]
    assert mean[0] < mean[1] / 2


def test_equal_seeds_give_equal_trials(services: Services) -> None:
    one = tune(bowl, "loss", direction="minimize", services=services, trials=15, name="one", seed=7)
    two = tune(bowl, "loss", direction="minimize", services=services, trials=15, name="two", seed=7)
    assert [trial.params for trial in one.trials] == [trial.params for trial in two.trials]


def test_each_trial_is_a_run(services: Services) -> None:
    result = tune(bowl, "loss", direction="minimize", services=services, trials=2)
    runs = [services.tracking.get_run(trial.run) for trial in result.trials]
    assert [(run.state, run.tags["study"], run.tags["trial"]) for run in runs] == [
        ("finished", "bowl", "0"), ("finished", "bowl", "1"),
    ]  # fmt: skip
    assert runs[0].params == result.trials[0].params


def test_steps_before_the_searched_one_run_once(services: Services) -> None:
    ran = services.project_root / "ran"

    @fb.step
    def rows() -> list[int]:
        ran.write_text(f"{ran.read_text() if ran.exists() else ''}once")
        return [1, 2, 3]

    @fb.step
    def score(rows: list[int], x: float) -> float:
        fb.log(score=sum(rows) * x)
        return x

    @fb.pipeline
    def main(x: Annotated[float, fb.space.number(0, 1)] = 0.5) -> Any:
        score(rows(), x)

    result = tune(main, "score", direction="maximize", services=services, trials=5)
    assert ran.read_text() == "once"
    assert result.best[0].values[0] == pytest.approx(6 * float(result.params["x"]))


def test_a_search_goes_on_where_it_was(services: Services) -> None:
    tune(bowl, "loss", direction="minimize", services=services, trials=5)
    result = tune(bowl, "loss", direction="minimize", services=services, trials=8)
    assert [trial.number for trial in result.trials] == list(range(8))


def test_another_search_of_the_same_name_is_refused(services: Services) -> None:
    tune(bowl, "loss", direction="minimize", services=services, trials=1)
    with pytest.raises(Conflict, match="another objective"):
        tune(bowl, "loss", direction="maximize", services=services, trials=1)


def test_a_trial_without_a_chance_is_pruned(services: Services) -> None:
    @fb.step
    def learn(x: float) -> float:
        for epoch in range(20):
            fb.log(auc=x * (1 - 0.5**epoch), step=epoch)
        return x

    @fb.pipeline
    def main(x: Annotated[float, fb.space.number(0, 1)] = 0.5) -> Any:
        learn(x)

    result = tune(main, "auc", direction="maximize", services=services, trials=25, pruner="median", seed=1)
    states = {trial.state for trial in result.trials}
    assert states == {"finished", "pruned"}
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert all(0 < len(trial.reports) < 20 for trial in pruned)
    assert services.tracking.get_run(pruned[0].run).state == "cancelled"


def test_several_objectives_give_a_front(services: Services) -> None:
    def both(x: Annotated[float, fb.space.number(0, 1)]) -> dict[str, float]:
        return {"good": x, "cheap": (1 - x) ** 2}

    result = tune(both, {"good": "maximize", "cheap": "maximize"}, services=services, trials=12)
    assert len(result.best) == 12  # each is better than the others in one of the two


def test_a_grid_is_tried_once_and_ends(services: Services) -> None:
    def cell(a: Annotated[int, fb.space.integer(0, 2)], b: Annotated[str, fb.space.choice("x", "y")]) -> float:
        return a + (b == "x")

    result = tune(cell, "value", direction="maximize", services=services, trials=100, sampler="grid")
    assert len({tuple(trial.params.values()) for trial in result.trials}) == len(result.trials) == 6
    assert (result.params, result.stopped) == ({"a": 2, "b": "x"}, "every combination was tried")
    assert len(tune(cell, "value", direction="maximize", services=services, sampler="grid").trials) == 6


def test_it_ends_when_nothing_gets_better(services: Services) -> None:
    def flat(x: Annotated[float, fb.space.number(0, 1)]) -> float:
        return 1.0

    result = tune(flat, "value", direction="maximize", services=services, trials=50, patience=3)
    assert (len(result.trials), result.stopped) == (4, "3 trials in a row were no better")


def test_it_ends_when_the_time_is_up(services: Services) -> None:
    def slow(x: Annotated[float, fb.space.number(0, 1)]) -> float:
        time.sleep(0.1)
        return x

    result = tune(slow, "value", direction="maximize", services=services, trials=1000, budget="1s")
    assert result.stopped == "the time was up"
    assert all(trial.state == "finished" for trial in result.trials)


def test_trials_run_side_by_side(services: Services) -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(x: Annotated[float, fb.space.number(0, 1)]) -> float:
        together.wait()
        return x

    result = tune(meet, "value", direction="maximize", services=services, trials=6, jobs=3)
    assert [trial.state for trial in result.trials] == ["finished"] * 6


def test_a_failed_trial_does_not_end_the_search(services: Services) -> None:
    def brittle(x: Annotated[float, fb.space.number(0, 1)]) -> float:
        if x > 0.5:
            raise ValueError("too large")
        return x

    result = tune(brittle, "value", direction="maximize", services=services, trials=10, sampler="random", seed=3)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert sum(trial.state == "finished" for trial in result.trials) == 10
    assert failed
    assert "too large" in failed[0].error


def test_a_search_that_only_fails_says_why(services: Services) -> None:
    def broken(x: Annotated[float, fb.space.number(0, 1)]) -> float:
        raise ValueError("no such file")

    with pytest.raises(WorkFailed, match=r"(?s)first 5 trials of study 'broken' failed.*no such file"):
        tune(broken, "value", direction="maximize", services=services, trials=50)


def test_a_missing_metric_is_named(services: Services) -> None:
    @fb.step
    def score(x: float) -> None:
        fb.log(accuracy=x)

    @fb.pipeline
    def main(x: Annotated[float, fb.space.number(0, 1)] = 0.5) -> None:
        score(x)

    with pytest.raises(WorkFailed, match="The run has no 'auc'; there is accuracy"):
        tune(main, "auc", direction="maximize", services=services)


def test_others_trials_are_learned_from(services: Services) -> None:
    tune(bowl, "loss", direction="minimize", services=services, trials=40, name="old")
    warm = tune(bowl, "loss", direction="minimize", services=services, trials=5, name="new", learn_from=["old"])
    cold = tune(bowl, "loss", direction="minimize", services=services, trials=5, name="cold")
    assert warm.best[0].values[0] < cold.best[0].values[0]


def test_what_counts_is_told(services: Services) -> None:
    def steep(x: Annotated[float, fb.space.number(0, 1)], y: Annotated[float, fb.space.number(0, 1)]) -> float:
        return 10 * x + 0.01 * y

    result = tune(steep, "value", direction="maximize", services=services, trials=40, sampler="random")
    shares = importances(result.study, result.trials)
    assert list(shares) == ["x", "y"]
    assert shares["x"] > 0.9


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"metric": "loss"}, "not known whether more of 'loss' is better"),
        ({"metric": {"loss": "down"}}, "cannot be made to 'down'"),
        ({"metric": []}, "No metric is named"),
        ({"metric": {"loss": "minimize"}, "sampler": "tpee"}, "no sampler 'tpee'"),
        ({"metric": {"loss": "minimize"}, "pruner": "medium"}, "no pruner 'medium'"),
        ({"metric": {"loss": "minimize"}, "trials": 0}, "A search of 0 trials"),
        ({"metric": {"loss": "minimize"}, "sampler": "grid"}, "A grid needs steps, and 'x' has none"),
        ({"metric": {"loss": "minimize"}, "space": {"z": [1]}}, "no parameter 'z'"),
    ],
    ids=["direction", "way", "none", "sampler", "pruner", "trials", "grid", "space"],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    services: Services, given: dict[str, Any], found: str
) -> None:
    with pytest.raises(InvalidInput, match=found):
        tune(bowl, **given, services=services)
    assert services.studies.list() == []


PROJECT = """
import time
from typing import Annotated
import flyball as fb

def slow(x: Annotated[float, fb.space.number(0, 1)]) -> float:
    time.sleep(0.2)
    return x

if __name__ == "__main__":
    fb.tune(slow, "value", direction="maximize", trials=40)
"""


def test_a_search_that_was_killed_goes_on(tmp_path: Path) -> None:
    from flyball.settings import load_settings
    from flyball.workspace import Workspace

    (tmp_path / "project.py").write_text(PROJECT)
    environment = {**os.environ, "FLYBALL_WORKSPACE": str(tmp_path / ".flyball")}
    child = subprocess.Popen([sys.executable, "project.py"], cwd=tmp_path, env=environment)
    with Workspace(load_settings({"workspace": str(tmp_path / ".flyball")})) as workspace:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            workspace.studies.list() and len(workspace.studies.trials("slow")) > 3
        ):
            time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed = time.monotonic()
        before = all_trials(workspace.studies, "slow")
        assert 3 < len(before) < 40
        time.sleep(max(0.0, 10.5 - (time.monotonic() - killed)))  # as long as a run may be silent
        code = PROJECT.replace("trials=40", f"trials={len(before) + 2}").replace("sleep(0.2)", "sleep(0)")
        (tmp_path / "project.py").write_text(code)
        subprocess.run([sys.executable, "project.py"], cwd=tmp_path, env=environment, check=True, timeout=120)
        after = all_trials(workspace.studies, "slow")
    assert after[: len(before) - 1] == before[: len(before) - 1]
    assert sum(trial.state == "finished" for trial in after) == len(before) + 2
    assert not [trial for trial in after if trial.state == "running"]
