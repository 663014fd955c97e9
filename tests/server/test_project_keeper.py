"""A project gets its processes with its first work, and loses them when it is archived."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import urllib3

from flyball.models.package import save_model
from flyball.server.project_keeper import ProjectKeeper, keep, last_written, needs
from flyball.server.supervisor import Supervisor
from flyball.workspace import Workspace
from tests.registry.constant import always_seven


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No statement here knows the kind of database."""
    return sqlite_url


@pytest.fixture
def supervisor(workspace: Workspace) -> Iterator[Supervisor]:
    made = Supervisor([], workspace.settings.workspace / "logs", grace=5.0)
    yield made
    made.stop()


def until(holds: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def deploy(workspace: Workspace, name: str) -> None:
    with workspace.opened.use(name, workspace.projects.state_of(name)) as project:
        package = save_model(always_seven, project.blobs, example=pa.table({"age": [1.0, 2.0]}))
        project.registry.register("seven", package)
        project.deployments.deploy("seven", "seven", 1)


@contextmanager
def kept(workspace: Workspace, supervisor: Supervisor) -> Iterator[None]:
    """The projects are looked after for the length of a block."""
    stop = threading.Event()
    keeper = threading.Thread(target=keep, args=(workspace, supervisor, stop.wait))
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def answers(workspace: Workspace) -> bool:
    """Whether the deployed model does."""
    url = workspace.projects.get("risk").model_url
    body = b'{"rows": [{"age": 1.0}]}'
    try:
        return bool(url) and urllib3.request("POST", f"{url}/predict/seven", body=body, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_a_deployed_model_answers_until_its_project_is_archived(workspace: Workspace, supervisor: Supervisor) -> None:
    for name in ("risk", "idle"):
        workspace.projects.create(name)
    with kept(workspace, supervisor):
        time.sleep(0.5)
        assert supervisor.states() == ()
        deploy(workspace, "risk")
        until(lambda: answers(workspace))
        assert sorted(supervisor.pids()) == ["risk-controller", "risk-model-server"]
        workspace.projects.archive("risk")
        until(lambda: supervisor.states() == ())
        assert workspace.projects.get("risk").model_url == ""


@pytest.mark.slow
def test_a_project_that_is_removed_while_it_is_at_work_leaves_nothing(
    workspace: Workspace, supervisor: Supervisor
) -> None:
    workspace.projects.create("risk")
    deploy(workspace, "risk")
    own, _ = workspace.projects.settings_of("risk")
    with kept(workspace, supervisor):
        until(lambda: answers(workspace))
        workspace.projects.delete("risk", "risk", grace_days=0)
        workspace.projects.purge()
        until(lambda: supervisor.states() == ())
        until(lambda: not any(thread.name.startswith("stop-") for thread in threading.enumerate()))
        time.sleep(2.5)
        assert not own.workspace.exists()
        assert not Path(own.objects).exists()


def test_an_idle_project_is_not_opened_again_and_again(workspace: Workspace, supervisor: Supervisor) -> None:
    workspace.projects.create("risk")
    keeper = ProjectKeeper(workspace, supervisor)
    for _ in range(2):  # what was written is brought into the file with the first end of all connections
        keeper.look()
        workspace.opened.forget("risk")
    own, _ = workspace.projects.settings_of("risk")
    before = last_written(own)
    keeper.look()
    assert workspace.opened.names() == []
    assert last_written(own) == before


def test_a_loop_needs_a_controller_and_nothing_needs_nothing(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    with workspace.opened.use("risk") as project:
        assert needs(project) == frozenset()
    deploy(workspace, "risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as project:
        assert needs(project) == {"controller", "model-server"}


def test_what_is_wrong_with_one_project_keeps_no_other_from_being_looked_after(
    workspace: Workspace, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("broken", "risk"):
        workspace.projects.create(name)
        workspace.opened.forget(name)
    (workspace.settings.workspace / "projects" / "broken" / "flyball.db").write_bytes(b"not a database " * 100)
    deploy(workspace, "risk")
    keeper = ProjectKeeper(workspace, supervisor)
    with caplog.at_level(logging.WARNING):
        keeper.look()
    assert {state.name for state in supervisor.states()} == {"risk-controller", "risk-model-server"}
    assert "broken" in [getattr(record, "project", "") for record in caplog.records]


def test_what_a_project_keeps_is_counted(workspace: Workspace, supervisor: Supervisor) -> None:
    workspace.projects.create("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as project:
        project.blobs.put(b"x" * 1000)
    ProjectKeeper(workspace, supervisor).count()
    assert workspace.projects.get("risk").stored_bytes == 1000
