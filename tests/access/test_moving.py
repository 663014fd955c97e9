"""A project is taken out of a workspace as a folder, and into another one, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.access.moving import export_project, import_project
from flyball.errors import AlreadyExists, FlyballError, InvalidInput, NotFound
from flyball.workspace import Workspace
from tests.servers.databases import ON_BOTH


@pytest.fixture
def exported(workspace: Workspace, tmp_path: Path) -> Path:
    """A folder with a project of one run and one file."""
    workspace.projects.create("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        run = risk.tracking.create_run("churn", "nightly")
        risk.tracking.log_artifact(run.id, "model.bin", risk.blobs.put(b"a model"), 7)
    export_project(workspace.settings, "risk", tmp_path / "out")
    return tmp_path / "out"


@ON_BOTH
def test_what_was_exported_is_there_under_its_new_name(workspace: Workspace, exported: Path) -> None:
    made = import_project(workspace.projects, workspace.settings, "copy", exported, title="A copy")
    assert (made.name, made.title, made.state) == ("copy", "A copy", "active")
    with workspace.opened.use("copy", workspace.projects.state_of("copy")) as copy:
        run = copy.run_search.search().runs[0]
        assert run.name == "nightly"
        assert copy.blobs.get(copy.tracking.list_artifacts(run.id)[0].digest) == b"a model"
        copy.tracking.create_run("churn", "more")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        assert [run.name for run in risk.run_search.search().runs] == ["nightly"]


def test_an_import_that_fails_makes_no_project(workspace: Workspace, exported: Path) -> None:
    kept = max((path for path in exported.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    kept.chmod(0o644)
    kept.write_bytes(b"x" * kept.stat().st_size)
    with pytest.raises(FlyballError):
        import_project(workspace.projects, workspace.settings, "copy", exported)
    assert [one.name for one in workspace.projects.list()] == ["default", "risk"]
    assert not (workspace.settings.workspace / "projects" / "copy").exists()


def test_what_cannot_be_exported_or_imported_is_said(workspace: Workspace, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not an empty folder"):
        export_project(workspace.settings, "risk", exported)
    with pytest.raises(InvalidInput, match="the workspace itself"):
        export_project(workspace.settings, "default", tmp_path / "home")
    with pytest.raises(NotFound):
        export_project(workspace.settings, "nosuch", tmp_path / "none")
    with pytest.raises(AlreadyExists):
        import_project(workspace.projects, workspace.settings, "risk", exported)
    with pytest.raises(NotFound):
        import_project(workspace.projects, workspace.settings, "copy", tmp_path / "nowhere")
