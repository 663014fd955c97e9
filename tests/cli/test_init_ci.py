"""`flyball init --ci`: workflows that the CI systems' own published forms take."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from flyball.cli.group import flyball
from flyball.errors import AlreadyExists
from tests.servers.absent import found
from tools import environments

PATHS = {"github": ".github/workflows/flyball.yml", "gitlab": ".gitlab-ci.yml", "tekton": ".tekton/flyball.yaml"}


def write(folder: Path, *arguments: str) -> None:
    result = CliRunner().invoke(flyball, ["init", str(folder), *arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception


@pytest.mark.parametrize("ci", PATHS)
def test_a_new_project_gets_its_workflow(ci: str, tmp_path: Path) -> None:
    write(tmp_path / "new", "--ci", ci)
    assert (tmp_path / "new" / "project.py").exists()
    text = (tmp_path / "new" / PATHS[ci]).read_text()
    assert "flyball test --junit" in text
    assert "flyball apply" in text
    assert "PYTHON" not in text
    assert "PROJECT" not in text


def test_a_project_that_is_there_gets_the_workflow_alone(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text("# mine")
    write(tmp_path, "--ci", "github")
    assert (tmp_path / "project.py").read_text() == "# mine"
    assert not (tmp_path / "data").exists()


def test_a_workflow_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("# mine")
    with pytest.raises(AlreadyExists):
        write(tmp_path, "--ci", "gitlab")
    assert (tmp_path / ".gitlab-ci.yml").read_text() == "# mine"
    assert not (tmp_path / "project.py").exists()


@pytest.mark.parametrize(("ci", "form"), [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")])
def test_the_workflow_fits_the_published_form(ci: str, form: str, tmp_path: Path) -> None:
    write(tmp_path, "--ci", ci)
    python = found(environments.SCHEDULERS)
    command = [str(python), "-m", "check_jsonschema", "--builtin-schema", form, str(tmp_path / PATHS[ci])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tekton_finds_every_task_parameter_and_workspace_that_is_named(tmp_path: Path) -> None:
    write(tmp_path, "--ci", "tekton", "--name", "My_Project")
    document: dict[str, Any] = yaml.safe_load((tmp_path / PATHS["tekton"]).read_text())
    assert (document["apiVersion"], document["kind"]) == ("tekton.dev/v1", "Pipeline")
    assert document["metadata"]["name"] == "my-project-ci"
    spec = document["spec"]
    names = [task["name"] for task in spec["tasks"]]
    for task in spec["tasks"]:
        assert set(task.get("runAfter", ())) <= set(names)
        given = {param["name"] for param in task.get("params", ())}
        assert given == {param["name"] for param in task["taskSpec"].get("params", ())}
        assert {each["workspace"] for each in task["workspaces"]} <= {each["name"] for each in spec["workspaces"]}
