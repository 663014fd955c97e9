"""A script works in the project that its settings name, on this machine and on a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import flyball as fb
from flyball import session
from flyball.cli.group import flyball
from flyball.client import RemoteWorkspace
from flyball.errors import NotFound
from flyball.workspace import Workspace


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No statement here knows the kind of database."""
    return sqlite_url


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_opened", {})
    monkeypatch.setattr(session, "_recorders", {})
    return tmp_path


def names(project: str | None = None) -> list[str]:
    return [run.name for run in fb.connect(project=project).run_search.search().runs]


def test_a_run_goes_into_the_project_that_the_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fb.connect().projects.create("risk")
    with fb.run(name="outside"):
        fb.log(loss=1.0)
    monkeypatch.setenv("FLYBALL_PROJECT", "risk")
    with fb.run(name="inside"):
        fb.log(loss=2.0)
    assert (names("risk"), names("default")) == (["inside"], ["outside"])
    assert [project.name for project in fb.projects()] == ["default", "risk"]


def test_the_project_may_stand_in_the_file_beside_the_code(folder: Path) -> None:
    fb.connect().projects.create("risk")
    (folder / "flyball.toml").write_text('project = "risk"\n', encoding="utf-8")
    with fb.run(name="inside"):
        pass
    assert (names(), names("default")) == (["inside"], [])


def test_what_waits_for_one_project_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("risk", "fraud"):
        fb.connect().projects.create(name)
    monkeypatch.setenv("FLYBALL_PROJECT", "risk")
    script = "import flyball as fb\nwith fb.run(name='waits', offline=True):\n    fb.log(loss=1.0)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    for name, found in (("fraud", []), ("risk", ["waits"])):
        done = CliRunner().invoke(flyball, ["--project", name, "sync"])
        assert done.exit_code == 0, done.output
        assert names(name) == found


def test_a_project_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fb.connect().projects.create("risk")
    with pytest.raises(NotFound, match="'rusk'") as caught:
        fb.connect(project="rusk")
    assert "'risk'" in caught.value.hint


def test_a_server_is_asked_for_the_project(url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.projects.create("risk")
    monkeypatch.setenv("FLYBALL_URL", url)
    monkeypatch.setenv("FLYBALL_PROJECT", "risk")
    monkeypatch.setenv("FLYBALL_WORKSPACE", "elsewhere")
    with fb.run(name="far"):
        fb.log(loss=1.0)
    here = fb.connect()
    assert isinstance(here, RemoteWorkspace)
    assert names() == ["far"]
    assert names("default") == []
    assert here.blobs.get(here.blobs.put(b"bytes")) == b"bytes"
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        assert [run.name for run in risk.run_search.search().runs] == ["far"]
