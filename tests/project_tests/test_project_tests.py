"""`flyball test` on a real project: what holds, what does not, and what is written about it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import flyball as fb
from flyball.cli.group import flyball as command
from flyball.errors import InvalidInput
from flyball.project_tests.session import TestReport, markdown_of, run_tests
from flyball.settings import load_settings
from flyball.workspace import Workspace

_PROJECT = """
import flyball as fb
from sklearn.linear_model import LogisticRegression

irises = fb.dataset("irises", "data/*.csv", key="flower", label="virginica")
extra = fb.feature_view("soil", "data/soil.parquet", entity="flower", time="seen", tests=[fb.expect.in_range("wet", 0, 1)])

@fb.step
def train(rows: fb.Table) -> fb.Model:
    x, y = rows.xy()
    return LogisticRegression(max_iter=1000).fit(x, y)

@fb.pipeline
def train_irises():
    rows = fb.training_set(irises)
    past, held = fb.split(rows, holdout="33%")
    return fb.register("irises", train(past), fb.evaluate(train(past), held), reference=past)

large = {"sepal_length": 7.0, "sepal_width": 3.0, "petal_length": 6.5, "petal_width": 2.3}
fb.test.data(irises, [fb.expect.unique("flower")])
fb.test.data(irises, [fb.expect.in_range("petal_length", 3, 4)])
fb.test.schema(irises, {"petal_length": "float", "virginica": "bool"})
fb.test.schema(irises, {"petal_length": "int", "stem": "float"}, only=True)
fb.test.features(extra)
fb.test.pipeline(train_irises, sample=60)
fb.test.quality(train_irises, "roc_auc", at_least=0.9)
fb.test.quality(train_irises, "accuracy", at_least=1.01)
fb.test.invariance(train_irises, "petal_length", by=0.01)
fb.test.invariance(train_irises, "sepal_width", by=1.0)
fb.test.invariance(train_irises, "flower")
fb.test.directional(train_irises, "petal_length", 1.0, "up")
fb.test.directional(train_irises, "petal_length", 1.0, "down")
fb.test.minimum(train_irises, [large], [True], about="a large flower")
fb.test.minimum(train_irises, [large], [False], about="the wrong way round")
fb.test.latency(train_irises, p50="10s")
fb.test.latency(train_irises, p50="0.0001ms")
fb.test.size(train_irises, "1MB")
fb.test.size(train_irises, "10")
fb.test.bias(train_irises, "petal_width")
fb.test.quality("nobody", "roc_auc", at_least=0.5)
"""
_CODE = """
def test_it_learns(sample, model):
    import project
    assert len(sample("irises", 20)) == 20
    assert model(project.train_irises).signature.task == "classification"

def test_it_does_not(sample):
    assert 1 == 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pandas as pd
    from sklearn.datasets import load_iris

    root = tmp_path_factory.mktemp("project")
    (root / "data").mkdir()
    frame = load_iris(as_frame=True).frame.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
    frame["virginica"] = frame.pop("target") == 2
    frame.insert(0, "flower", range(len(frame)))
    frame.to_csv(root / "data" / "irises.csv", index=False)
    soil = pd.DataFrame({"flower": [1, 2], "seen": pd.to_datetime(["2026-01-01"] * 2), "wet": [0.1, 0.9]})
    soil.to_parquet(root / "data" / "soil.parquet")
    (root / "project.py").write_text(_PROJECT)
    (root / "flyball.toml").write_text('name = "irises"\nmodule = "project.py"\n')
    (root / "tests").mkdir()
    (root / "tests" / "test_train.py").write_text(_CODE)
    return root


@pytest.fixture(scope="module")
def here(project: Path) -> Iterator[Workspace]:
    with Workspace(
        load_settings({"workspace": project / ".flyball"}, environment={}, start=project), durable=False
    ) as made:
        yield made


@pytest.fixture(scope="module")
def report(here: Workspace, project: Path) -> TestReport:
    return run_tests(here, junit=project / "report.xml", quiet=True)


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("data of irises", ["passed", "failed"]),
        ("schema of irises", ["passed", "failed"]),
        ("features of soil", ["passed"]),
        ("pipeline of train_irises", ["passed"]),
        ("quality of train_irises: roc_auc", ["passed"]),
        ("quality of train_irises: accuracy", ["failed"]),
        ("invariance of train_irises: petal_length", ["failed"]),
        ("invariance of train_irises: sepal_width", ["passed"]),
        ("invariance of train_irises: flower", ["passed"]),
        ("directional of train_irises: petal_length", ["passed", "failed"]),
        ("minimum of train_irises: a large flower", ["passed"]),
        ("minimum of train_irises: the wrong way round", ["failed"]),
        ("latency of train_irises", ["passed", "failed"]),
        ("size of train_irises", ["passed", "failed"]),
        ("bias of train_irises: petal_width", ["error"]),
        ("quality of nobody: roc_auc", ["error"]),
    ],
)
def test_each_kind_finds_what_holds_and_what_does_not(report: TestReport, name: str, outcomes: list[str]) -> None:
    assert [one.outcome for one in report.results if one.name == name] == outcomes


def test_the_projects_own_functions_run_too(report: TestReport) -> None:
    code = {one.name.rpartition("::")[2]: one.outcome for one in report.results if one.kind == "code"}
    assert code == {"test_it_learns": "passed", "test_it_does_not": "failed"}


def test_what_was_found_is_said(report: TestReport) -> None:
    found = [one.found for one in report.results if one.name == "schema of irises"]
    assert "'petal_length' is float, not int; 'stem' is missing, not float" in found[1]
    assert not report.passed


def test_the_junit_report_has_every_test(report: TestReport, project: Path) -> None:
    cases = ET.parse(project / "report.xml").getroot().findall(".//testcase")
    assert len(cases) == len(report.results)
    failed = sum(case.find("failure") is not None for case in cases)
    assert failed == report.count("failed") + report.count("error")


def test_markdown_says_first_what_failed(report: TestReport) -> None:
    lines = markdown_of(report).splitlines()
    assert lines[0].startswith("### Tests: ")
    assert lines[4].startswith("| ❌ |")
    assert "| ✅ |" in lines[-1]


def test_nothing_of_the_tests_is_left_in_the_workspace(report: TestReport, here: Workspace) -> None:
    assert here.registry.list_models() == []
    assert here.run_search.search(limit=10).runs == []


def test_the_command_tells_by_its_exit_code(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    good = CliRunner().invoke(command, ["test", "soil", "--json"], standalone_mode=False)
    assert good.return_value == 0
    assert json.loads(good.stdout)["results"][0]["found"] == "4 checks hold on 2 rows"
    bad = CliRunner().invoke(command, ["test", "schema", "--markdown", "summary.md"], standalone_mode=False)
    assert bad.return_value == 1
    assert "schema of irises" in (project / "summary.md").read_text()


def test_nothing_to_test_is_no_success(here: Workspace) -> None:
    with pytest.raises(InvalidInput, match="nothing to test"):
        run_tests(here, only="no_such_thing", quiet=True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: fb.test.quality("irises", "roc_auc"),
        lambda: fb.test.latency("irises", p42="1ms"),
        lambda: fb.test.latency("irises"),
        lambda: fb.test.size("irises", "much"),
        lambda: fb.test.bias("irises", "sex", "nothing"),
        lambda: fb.test.minimum("irises", [{}], []),
        lambda: fb.test.directional("irises", "x", 1.0, "sideways"),  # type: ignore[arg-type]  # what is tried
        lambda: fb.test.data(fb.Dataset(name="d"), []),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(InvalidInput):
        wrong()  # type: ignore[operator]  # a function without arguments
