"""Searches that are killed, cancelled, and done by a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import flyball as fb
from flyball import testing
from flyball.data.snapshot import take_snapshot
from flyball.executors.local import LocalExecutor
from flyball.loops.model_searches import ModelSearches
from flyball.model_search.run import automl
from flyball.model_search.search import Candidate, Wanted
from flyball.settings import as_environment
from flyball.workspace import Workspace
from tests.model_search.conftest import QUICK, orders, services_in

_PROGRAM = """
import sys
from pathlib import Path
from flyball.model_search.searching import search_models
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.workspace import Workspace
with Workspace(load_settings()) as here:
    search_models("orders", services=RunServices(workspace=here, project_root=here.root, source_root=here.root))
"""


def kept(workspace: Workspace) -> None:
    dataset = fb.Dataset(name="orders", key="order_id", label="returned")
    take_snapshot(workspace.data, workspace.blobs, dataset, orders(), root=workspace.root)


def until(true: object, seconds: float = 150.0) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_search_that_was_killed_repeats_nothing_that_was_judged(tmp_path: Path) -> None:
    with testing.workspace(tmp_path) as here:
        kept(here)
        here.automl.start("orders", Wanted(dataset="orders", label="returned", budget=12, families=QUICK), "here")
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], env={**os.environ, **as_environment(here.settings)}, cwd=tmp_path
        )
        until(lambda: sum(bool(one.rungs) for one in here.automl.leaderboard("orders")) >= 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = {one.number: one.rungs for one in here.automl.leaderboard("orders") if one.rungs}
        spent = here.automl.get("orders").spent
        until(lambda: _takes_over(here))
        after = {one.number: one.rungs for one in here.automl.leaderboard("orders") if one.rungs}
        assert all(after[number][: len(rungs)] == rungs for number, rungs in before.items())
        found = here.automl.get("orders")
        assert (found.state, found.attempt) == ("finished", 2)
        assert found.spent >= spent
        assert found.result is not None


def _takes_over(workspace: Workspace) -> bool:
    from flyball.errors import Conflict
    from flyball.model_search.searching import search_models

    try:
        search_models("orders", services=services_in(workspace))
    except Conflict:  # the dead one has not been silent for long enough
        return False
    return True


def test_a_search_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    with testing.workspace(tmp_path) as here:
        kept(here)
        judged = threading.Event()

        def watch(one: Candidate) -> None:
            if one.rungs and one.family != "baseline" and not judged.is_set():
                judged.set()
                here.automl.cancel("orders-returned")

        result = automl(
            "orders", "returned", services=services_in(here), time_budget=60, families=QUICK, on_change=watch
        )
        assert result.search.state == "cancelled"
        assert result.search.spent < 40
        assert any(one.rungs for one in result.leaderboard)


def test_a_worker_does_the_search_of_a_page(tmp_path: Path) -> None:
    with testing.workspace(tmp_path) as here:
        kept(here)
        executor = LocalExecutor(tmp_path / "jobs")
        searches = ModelSearches(here, executor)
        here.automl.start("page", Wanted(dataset="orders", label="returned", budget=3, families=("linear",)))
        try:
            until(lambda: not searches.attend())
        finally:
            executor.close()
        assert here.automl.get("page").state == "finished"
        assert "fb.pipeline" in here.automl.file("page")


def test_a_search_that_cannot_be_done_says_why(tmp_path: Path) -> None:
    with testing.workspace(tmp_path) as here:
        executor = LocalExecutor(tmp_path / "jobs")
        searches = ModelSearches(here, executor)
        here.automl.start("page", Wanted(dataset="nothing", label="returned"))
        try:
            until(lambda: not searches.attend())
        finally:
            executor.close()
        found = here.automl.get("page")
        assert found.state == "failed"
        assert "nothing" in found.error
