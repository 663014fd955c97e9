"""Pipelines written down for other schedulers: what is written is run here as they would, by the words that stand in it."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from flyball.errors import InvalidInput, NotFound
from flyball.pipelines.exporters.base import EXPORTERS, ExportSettings
from flyball.pipelines.pipeline import pipeline
from flyball.pipelines.plan import Plan, plan_pipeline, whole
from flyball.pipelines.step import step
from tests.servers.absent import found
from tools import environments

SETTINGS = ExportSettings(image="registry.example/flights:3", url="https://flyball.example")


@step
def rows(count: int) -> list[int]:
    return list(range(count))


@step(cores=2, memory="4GB", gpus=1, timeout="10m", retries=1, secrets=["WAREHOUSE_PASSWORD"])
def train(counted: list[int], rate: float) -> float:
    return sum(counted) * rate


@step
def report(model: float, counted: list[int]) -> str:
    return f"{model} of {len(counted)}"


@pipeline
def late_flights(count: int = 3, rate: float = 0.5) -> Any:
    counted = rows(count)
    return report(train(counted, rate), counted)


@pipeline
def decides(count: int = 3) -> Any:
    counted = rows(count)
    return train(counted, 1.0) if len(counted) > 2 else counted


@pytest.fixture
def plan() -> Plan:
    return plan_pipeline(late_flights)


def test_a_plan_holds_steps_with_what_stands_before(plan: Plan) -> None:
    assert [(each.name, each.after) for each in plan.steps] == [
        ("rows", ()), ("train", ("rows",)), ("report", ("train", "rows")),
    ]  # fmt: skip
    assert plan.params == {"count": "3", "rate": "0.5"}


def test_a_pipeline_that_looks_at_a_value_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"looks at what 'rows' gives.*--whole"):
        plan_pipeline(decides)


def test_argo_gets_a_dag_of_containers(plan: Plan) -> None:
    [document] = yaml.safe_load_all(EXPORTERS.get("argo").write(plan, SETTINGS))
    assert (document["apiVersion"], document["kind"]) == ("argoproj.io/v1alpha1", "WorkflowTemplate")
    templates = {each["name"]: each for each in document["spec"]["templates"]}
    tasks = {each["name"]: each.get("dependencies", []) for each in templates["steps"]["dag"]["tasks"]}
    assert tasks == {"rows": [], "train": ["rows"], "report": ["train", "rows"]}
    container = templates["train"]["container"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4000000000"},
        "limits": {"memory": "4000000000", "nvidia.com/gpu": "1"},
    }
    assert container["securityContext"]["runAsNonRoot"] is True
    assert [entry["name"] for entry in container["env"]] == ["FLYBALL_URL", "FLYBALL_TOKEN", "WAREHOUSE_PASSWORD"]
    assert all("value" not in entry for entry in container["env"][1:]), "a secret stands there by reference only"
    assert document["spec"]["onExit"] == "finish"


def test_argo_gets_a_schedule(plan: Plan) -> None:
    settings = ExportSettings(image="i", url="u", schedule="0 3 * * 1", namespace="ml")
    [document] = yaml.safe_load_all(EXPORTERS.get("argo").write(plan, settings))
    assert (document["kind"], document["spec"]["schedules"]) == ("CronWorkflow", ["0 3 * * 1"])
    assert document["metadata"] == {"name": "late-flights", "namespace": "ml"}


def test_kubeflow_gets_a_task_a_step_and_one_that_ends_the_run(plan: Plan) -> None:
    spec, platform = yaml.safe_load_all(EXPORTERS.get("kubeflow").write(plan, SETTINGS))
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["train"]["dependentTasks"] == ["rows"]
    assert tasks["finish"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert {task["componentRef"]["name"] for task in tasks.values()} == set(spec["components"])
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    [secret] = executors["exec-train"]["secretAsEnv"]
    assert {entry["envVar"] for entry in secret["keyToEnv"]} == {"FLYBALL_TOKEN", "WAREHOUSE_PASSWORD"}


@pytest.mark.parametrize(("language", "schedule"), [("argo", ""), ("argo", "0 3 * * 1"), ("kubeflow", "")])
def test_what_is_written_fits_the_published_form(plan: Plan, language: str, schedule: str, tmp_path: Path) -> None:
    settings = ExportSettings(image="i", url="u", schedule=schedule)
    (tmp_path / "exported.yaml").write_text(EXPORTERS.get(language).write(plan, settings))
    script = Path(__file__).parent / "scripts/fits.py"
    done = subprocess.run(
        [found(environments.SCHEDULERS), script, language, tmp_path / "exported.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["tekton", "kubeflow"])
def test_where_there_are_no_schedules_one_is_refused(plan: Plan, language: str) -> None:
    with pytest.raises(InvalidInput, match="schedules"):
        EXPORTERS.get(language).write(plan, ExportSettings(image="i", url="u", schedule="* * * * *"))


def test_tekton_ends_the_run_whatever_became_of_the_steps(plan: Plan) -> None:
    [document] = yaml.safe_load_all(EXPORTERS.get("tekton").write(plan, SETTINGS))
    assert {each["name"]: each.get("runAfter", []) for each in document["spec"]["tasks"]}["report"] == ["train", "rows"]
    assert [each["name"] for each in document["spec"]["finally"]] == ["finish"]


def test_an_airflow_file_is_python_and_hands_params_over_by_the_environment(plan: Plan) -> None:
    text = EXPORTERS.get("airflow").write(plan, SETTINGS)
    ast.parse(text)
    assert "step_2 >> step_3" in text
    assert "params['count'] }}" in text.partition("with DAG")[2].partition("as dag")[0]
    assert "{{" not in text.partition("as dag")[2], "what somebody gives would be read by a shell"


@pytest.mark.parametrize("language", ["argo", "tekton", "kubeflow", "airflow"])
def test_a_pipeline_is_written_down_as_one_step(language: str) -> None:
    text = EXPORTERS.get(language).write(whole(decides), SETTINGS)
    assert "run-step" not in text
    assert "decides" in text


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(NotFound, match="'luigi'"):
        EXPORTERS.get("luigi")


PROJECT = """
import flyball as fb

@fb.step
def rows(count: int) -> list[int]:
    return list(range(count))

@fb.step
def total(rows: list[int]) -> int:
    return sum(rows)

@fb.pipeline
def main(count: int = 3, name: str = "x"):
    return total(rows(count))
"""


def flyball(words: list[str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flyball.cli", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_words_of_an_exported_pipeline_run_it(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "flyball.toml").write_text("")
    asked = ["export", "pipeline", "main", "--to", "argo", "--image", "i", "--url", "http://localhost", "-p", "count=5"]
    [document] = yaml.safe_load_all(flyball([*asked, "-p", "name=two words; $(rm)"], tmp_path))
    params = {each["name"]: each["value"] for each in document["spec"]["arguments"]["parameters"]}
    templates = {each["name"]: each for each in document["spec"]["templates"]}
    tasks = {each["name"]: each.get("dependencies", []) for each in templates["steps"]["dag"]["tasks"]}

    def filled(word: str) -> str:
        for name, value in params.items():
            word = word.replace(f"{{{{workflow.parameters.{name}}}}}", value)
        return word.replace("{{workflow.uid}}", "6d9c2f0e-94c3-4c61-9e0c-2f6f7c1a2b3d")

    said = ""
    for name in [*TopologicalSorter(tasks).static_order(), document["spec"]["onExit"]]:
        container = templates[name]["container"]
        assert container["command"] == ["flyball"]
        said = flyball([filled(word) for word in container["args"]], tmp_path)
    assert "total  from the cache  (this run had finished it)" in said
    shown = flyball(["runs", "show", "6d9c2f0e-94c3-4c61-9e0c-2f6f7c1a2b3d"], tmp_path)
    assert "finished" in shown
    assert "two words; $(rm)" in shown


def test_the_words_of_an_airflow_file_go_through_a_shell(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "flyball.toml").write_text("")
    asked = ["export", "pipeline", "main", "--to", "airflow", "--url", "http://localhost", "-o", "dag.py"]
    assert "dag.py is written: 2 steps." in flyball(asked, tmp_path)
    tree = ast.parse((tmp_path / "dag.py").read_text())
    commands = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and (keyword := node).arg == "bash_command"
        if isinstance(keyword.value, ast.Constant)
    ]
    assert len(commands) == 3
    environment = {
        **os.environ,
        "FLYBALL_RUN": "r-1",
        "FLYBALL_PARAM_count": "4",
        "FLYBALL_PARAM_name": "a; touch harm",
    }
    for command in commands:
        line = str(command).replace("flyball ", f"{shlex.quote(sys.executable)} -m flyball.cli ", 1)
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "harm").exists()
