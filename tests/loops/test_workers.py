"""Trainings in real worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.executors.local import LocalExecutor
from flyball.loops.controller import Controller
from flyball.loops.loops import Training
from tests.loops.clicks import Life


@pytest.fixture
def employing(fresh: Life, tmp_path: Path) -> Iterator[Life]:
    """A loop whose trainings are done by worker processes."""
    executor = LocalExecutor(tmp_path / "jobs")
    fresh.executor = executor
    fresh.controller = Controller(fresh.workspace, executor, "first")
    yield fresh
    executor.close()


def _training(life: Life) -> Training:
    return life.workspace.loops.list_trainings("clicks")[0]


def _step_until_it_runs(life: Life) -> int:
    """Steps until the worker of the latest training is at work; its process."""
    for _ in range(500):
        life.controller.step(life.lease())
        job = _training(life).job
        state = life.executor.poll(job) if job else None
        if state is not None and state.pid is not None:
            return state.pid
        time.sleep(0.01)
    raise AssertionError("no worker began")


def _step_until_it_ended(life: Life) -> Training:
    for _ in range(2000):
        life.controller.step(life.lease())
        if _training(life).ended is not None:
            return _training(life)
        time.sleep(0.02)
    raise AssertionError("the training did not end")


def test_a_worker_that_is_killed_is_followed_by_another_that_succeeds(employing: Life) -> None:
    os.kill(_step_until_it_runs(employing), signal.SIGKILL)
    training = _step_until_it_ended(employing)
    assert (training.state, training.attempt, training.version, training.error) == ("succeeded", 2, 1, "")


def test_a_worker_says_in_its_last_words_why_it_failed(employing: Life) -> None:
    employing.apply(pipeline="broken")
    training = _step_until_it_ended(employing)
    assert (training.state, training.attempt) == ("failed", 1)
    assert "no model today" in training.error


def test_a_worker_that_was_stopped_with_its_controller_is_followed_by_another(employing: Life) -> None:
    _step_until_it_runs(employing)
    employing.executor.cancel(_training(employing).job)
    training = _step_until_it_ended(employing)
    assert (training.state, training.attempt, training.error) == ("succeeded", 2, "")


def test_a_training_is_one_trace_of_controller_worker_and_steps(tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.loops.clicks import life
    from tests.servers.otlp import otlp_receiver

    with otlp_receiver() as received, life(tmp_path) as made:
        made.workspace.settings = replace(made.workspace.settings, otlp=received.url)
        made.apply()
        executor = LocalExecutor(tmp_path / "jobs")
        made.executor = executor
        made.controller = Controller(made.workspace, executor, "first")
        training = _step_until_it_ended(made)
        made.workspace.telemetry.close()
        spans = received.wait_for("train clicks", "worker", "step train")
        executor.close()
    root = next(span for span in spans if span["name"] == "train clicks")
    assert {span["trace"] for span in spans} == {root["trace"]}
    assert (root["parent"], root["attributes"]["state"], root["attributes"]["version"]) == ("", "succeeded", 1)
    assert {span["parent"] for span in spans if span is not root} == {root["id"]}
    assert training.core_seconds is not None
    assert training.core_seconds > 0
