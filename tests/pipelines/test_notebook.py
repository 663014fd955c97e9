"""Steps that are notebooks, run by a real kernel."""

from __future__ import annotations

import json
from typing import Any

import pytest

import flyball as fb
from flyball.errors import InvalidInput, WorkFailed
from tests.pipelines.conftest import ProjectFolder, Services

PROJECT = """
import flyball as fb
import pyarrow as pa

@fb.step
def rows() -> fb.Table:
    return fb.Table(pa.table({"delay": [5, 7, 11]}))

report = fb.notebook("report.ipynb", outputs=["total.txt"])

@fb.step
def read(total) -> int:
    return int(total.read_text())

@fb.pipeline
def main(scale: int = 1):
    return read(report(rows=rows(), scale=scale))
"""


def notebook(*cells: str) -> str:
    def cell(place: int, source: str, *tags: str) -> dict[str, Any]:
        return {
            "cell_type": "code", "id": f"cell-{place}", "metadata": {"tags": list(tags)},
            "source": source, "outputs": [], "execution_count": None,
        }  # fmt: skip

    made = [cell(0, "scale, rows, total = 1, '', ''", "parameters")]
    made += [cell(place, source) for place, source in enumerate(cells, 1)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


WORK = (
    "import pyarrow.parquet as pq\nfrom pathlib import Path",
    "found = scale * sum(pq.read_table(rows)['delay'].to_pylist())\nprint('found', found)",
    "Path(total).write_text(str(found))",
)


@pytest.fixture
def project(services: Services) -> ProjectFolder:
    folder = ProjectFolder(services.project_root, services)
    folder.write("project.py", PROJECT)
    folder.write("report.ipynb", notebook(*WORK))
    return folder


@pytest.mark.slow
def test_a_notebook_is_run_with_parameters_and_kept_as_executed(project: ProjectFolder) -> None:
    result = project.run(scale=2)
    assert result.value() == 46
    tracking = project.services.tracking
    [run] = [run for run in tracking.list_runs(parent=result.run.id) if run.name == "report"]
    kept = {artifact.name: artifact for artifact in tracking.list_artifacts(run.id)}
    executed = json.loads(project.services.blobs.get(kept["report.ipynb"].digest))
    assert executed["cells"][-2]["outputs"][0]["text"] in ("found 46\n", ["found 46\n"])
    assert "found 46" in project.services.blobs.get(kept["log.txt"].digest).decode()
    project.run(scale=2)
    assert set(project.states.values()) == {"cached"}


@pytest.mark.slow
def test_a_changed_notebook_runs_again_and_one_that_fails_is_kept(project: ProjectFolder) -> None:
    project.run()
    project.write("report.ipynb", notebook(*WORK, "raise ValueError('no such year')"))
    with pytest.raises(WorkFailed, match=r"(?s)Step 'report' failed.*no such year"):
        project.run()
    tracking = project.services.tracking
    run = next(run for run in tracking.list_runs(limit=50) if run.name == "report")
    assert run.tags["why"] == "`report.ipynb` changed"
    assert "report.ipynb" in [artifact.name for artifact in tracking.list_artifacts(run.id)]


def test_a_missing_notebook_is_named(project: ProjectFolder) -> None:
    (project.root / "report.ipynb").unlink()
    with pytest.raises(WorkFailed, match=r"no notebook 'report\.ipynb'"):
        project.run()


@pytest.mark.parametrize("path", ["report.py", "/etc/report.ipynb", "../report.ipynb"])
def test_what_is_no_notebook_of_the_project_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="is no notebook of the project"):
        fb.notebook(path)


def test_an_output_without_a_usable_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no name of an output"):
        fb.notebook("report.ipynb", outputs=["../model.pkl"])
