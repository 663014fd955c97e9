"""What MLflow holds comes over whole, goes back whole, and an interrupted copy goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.errors import InvalidInput, ServerUnreachable
from flyball.interchange.mlflow import content, copying
from flyball.interchange.mlflow.copying import Copy, Journal, Report
from flyball.interchange.mlflow.folder import FolderSource
from flyball.interchange.mlflow.opening import export_to, import_from
from flyball.interchange.mlflow.ours import WorkspaceDestination
from flyball.tracking.nouns import Run, Series
from flyball.workspace import Workspace
from tests.interchange.conftest import fill, run_python
from tests.servers.absent import found
from tools import environments

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHOLE = {
    "experiments": 2,
    "runs": 3,
    "logged models": 1,
    "registered models": 1,
    "versions": 2,
    "traces": 2,
    "spans": 3,
    "assessments": 4,
}
LOOK = """
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
found = {}
experiment = client.get_experiment_by_name("apples é")
for run in client.search_runs([experiment.experiment_id], run_view_type=3):
    history = [len(client.get_metric_history(run.info.run_id, key)) for key in sorted(run.data.metrics)]
    found[run.info.run_name] = [run.info.status, run.info.lifecycle_stage, run.data.params, history,
        [one.dataset.name for one in run.inputs.dataset_inputs]]
found["champion"] = mlflow.pyfunc.load_model("models:/line@champion").predict([[3.0]]).round(6).tolist()
found["tags"] = experiment.tags
for trace in mlflow.search_traces(locations=[experiment.experiment_id], return_type="list"):
    judged = sorted([one.name, str(one.value), one.valid is not False] for one in trace.info.assessments)
    found[trace.info.tags["mlflow.traceName"]] = [
        trace.info.state.value, [[span.name, span.outputs] for span in trace.data.spans], judged
    ]
print(json.dumps(found))
"""
SEEN = {
    "parent": [
        "FINISHED",
        "active",
        {"a": "1", "b/c": "x y\nz", "yes": "no", "long": "w " * 200},
        [1, 300, 1, 1],
        ["zeros"],
    ],
    "child: '1'": ["FINISHED", "active", {}, [1], []],
    "gone": ["KILLED", "deleted", {}, [], []],
    "champion": [3.0],
    "tags": {"kind": "fruit"},
    "answer": [
        "OK",
        [["answer", {"answer": 42, "deep": {"er": [0.5]}}], ["look up", [1, None, "é"]]],
        [
            ["answer", "{'deep': [1, {'x': 2}]}", True],
            ["good", "0.5", True],
            ["short", "False", True],
            ["short", "True", False],
        ],
    ],
    "fail": ["ERROR", [["fail", None]], []],
}


def check(workspace: Workspace, report: Report) -> None:
    """Looks at all that the script has left."""
    assert report.problems == []
    assert report.copied == WHOLE
    assert (report.points, report.verified) == (304, 6)
    runs = {run.name: run for run in workspace.run_search.search(deleted="all").runs}
    parent, child, gone = runs["parent"], runs["child: '1'"], runs["gone"]
    assert parent.params == {"a": "1", "b/c": "x y\nz", "yes": "no", "long": "w " * 200}
    assert parent.metrics == {"acc": 0.5, "long": 149.5, "loss": None, "m/deep": 2.5}
    assert (parent.state, parent.notes, parent.experiment) == ("finished", "what it is: '\"", "apples é")
    assert (child.parent, gone.state, gone.deleted is None) == (parent.id, "cancelled", False)
    names = {artifact.name for artifact in workspace.tracking.list_artifacts(parent.id)}
    assert names == {"d/é & +.txt", "empty.txt"}
    (inputs,) = workspace.run_inputs.get([parent.id])
    assert [(one.name, one.tags["t"]) for one in inputs.datasets] == [("zeros", "u")]
    (model,) = workspace.logged_models.search().models
    assert [output.model for output in inputs.outputs] == [model.id]
    assert (model.status, model.tags["k"]) == ("ready", "v")
    assert {metric.key: metric.value for metric in model.metrics}["acc"] == 0.5
    registered = workspace.registered_models.get("line")
    assert (registered.aliases, registered.latest, registered.description) == ({"champion": 3}, 3, "a straight one")
    version = workspace.registry.get_version("models:/line@champion")
    assert (version.run, version.logged_model, version.tags["n"]) == (parent.id, model.id, "3")
    assert not version.is_external
    check_traces(workspace, parent.id)


def check_traces(workspace: Workspace, run: str) -> None:
    """Looks at the traces that the script has left."""
    traces = {trace.name: workspace.traces.get(trace.id) for trace in workspace.traces.search().traces}
    answered, failed = traces["answer"], traces["fail"]
    assert (answered.state, answered.session, answered.tags["team"]) == ("ok", "talk", "growth")
    assert answered.metadata["mlflow.sourceRun"] == run
    whole, part = answered.spans
    assert (whole.type, whole.attributes["model"], whole.attributes["at"]) == ("LLM", "small", [1, 2])
    assert (whole.inputs, whole.outputs) == ({"question": "what is it?"}, {"answer": 42, "deep": {"er": [0.5]}})
    assert (part.parent, part.name, part.outputs) == (whole.id, "look up", [1, None, "é"])
    judged = [(one.name, one.kind, one.value, one.valid) for one in answered.assessments]
    assert sorted(judged, key=repr) == [
        ("answer", "expectation", {"deep": [1, {"x": 2}]}, True),
        ("good", "feedback", 0.5, True),
        ("short", "feedback", False, True),
        ("short", "feedback", True, False),
    ]
    good = next(one for one in answered.assessments if one.name == "good")
    assert (good.rationale, good.source_type, good.source, good.metadata["a"]) == ("why", "HUMAN", "ann", "b")
    assert (failed.state, failed.spans[0].status) == ("error", "error")
    assert failed.spans[0].events[0].attributes["exception.message"] == "on purpose"
    found = workspace.traces.search(f"run_id = '{run}'").traces
    assert [trace.name for trace in found] == ["answer"]


def test_a_folder_comes_over(workspace: Workspace, mlruns: Path) -> None:
    check(workspace, import_from(workspace, str(mlruns)))


@on_sqlite
def test_a_database_comes_over(workspace: Workspace, mlflow_database: Path) -> None:
    check(workspace, import_from(workspace, f"sqlite:///{mlflow_database}"))


@on_sqlite
def test_what_came_over_does_not_come_twice(workspace: Workspace, mlruns: Path) -> None:
    import_from(workspace, str(mlruns))
    again = import_from(workspace, str(mlruns))
    assert again.present == {"runs": 3, "logged models": 1, "versions": 2, "traces": 2}
    assert (again.points, again.files, again.problems) == (0, 0, [])


@on_sqlite
def test_without_its_journal_a_copy_changes_nothing(workspace: Workspace, mlruns: Path, tmp_path: Path) -> None:
    before = after = None
    for name in ("one", "two"):
        with Journal(tmp_path / name) as journal:
            report = Copy(FolderSource(mlruns), WorkspaceDestination(workspace), journal).run()
        assert report.problems == []
        before, after = after, _shape(workspace)
    assert before == after


def _shape(workspace: Workspace) -> list[tuple[Run, int, int]]:
    found = workspace.run_search.search(deleted="all").runs
    return [
        (
            replace(run, heartbeat=run.started, deleted=run.deleted and run.started),
            len(workspace.tracking.list_artifacts(run.id)),
            sum(len(workspace.tracking.metric_history(run.id, key)) for key in run.metrics),
        )
        for run in found
    ]


@on_sqlite
def test_a_copy_that_was_broken_off_goes_on(workspace: Workspace, mlruns: Path, tmp_path: Path) -> None:
    class Breaking(FolderSource):
        def series(self, run: content.RunContent):  # type: ignore[no-untyped-def]  # it hands on what it is given
            yield from super().series(run)
            if run.name.startswith("child"):
                raise KeyboardInterrupt

    path = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt), Journal(path) as journal:
        Copy(Breaking(mlruns), WorkspaceDestination(workspace), journal).run()
    with path.open("a", encoding="utf-8") as file:
        file.write('["run:x", "FIN')  # as kill -9 leaves it
    with Journal(path) as journal:
        report = Copy(FolderSource(mlruns), WorkspaceDestination(workspace), journal).run()
    assert report.problems == []
    assert report.present.get("runs", 0) + report.copied["runs"] == 3
    assert report.present["runs"] >= 1
    assert _shape(workspace)[0][0].state in ("finished", "cancelled")


@on_sqlite
def test_what_does_not_arrive_whole_is_told(workspace: Workspace, mlruns: Path, tmp_path: Path) -> None:
    class Losing(WorkspaceDestination):
        def append(self, run: str, series: list[Series]) -> None:
            super().append(run, [one for one in series if one.key != "long"])

        def put_file(self, owner: content.FileOwner, here: str, name: str, file: Path) -> None:
            if name == "empty.txt":
                file.write_text("not empty")
            super().put_file(owner, here, name, file)

    with Journal(tmp_path / "journal") as journal:
        report = Copy(FolderSource(mlruns), Losing(workspace), journal).run()
    (problem,) = report.problems
    assert "metric 'long', file 'empty.txt'" in problem


@on_sqlite
def test_one_experiment_alone(workspace: Workspace, mlruns: Path) -> None:
    report = import_from(workspace, str(mlruns), experiments=("Default",))
    assert report.copied == {"experiments": 1}
    with pytest.raises(InvalidInput, match="no experiment 'pears'"):
        import_from(workspace, str(mlruns), experiments=("pears",))


@on_sqlite
def test_what_is_no_store_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    for place in (str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(InvalidInput):
            import_from(workspace, place)
    (tmp_path / "text.db").write_text("no database")
    with pytest.raises(InvalidInput):
        import_from(workspace, str(tmp_path / "text.db"))
    with pytest.raises(ServerUnreachable):
        import_from(workspace, "http://127.0.0.1:9")


@on_sqlite
def test_a_server_of_ours_is_read_as_one_of_mlflows(
    workspace: Workspace, url: str, mlruns: Path, tmp_path: Path
) -> None:
    import_from(workspace, str(mlruns))
    other = _other_workspace(tmp_path)
    with other:
        check(other, import_from(other, url))


@on_sqlite
def test_a_folder_goes_out_and_the_real_client_reads_it(workspace: Workspace, mlruns: Path, tmp_path: Path) -> None:
    import_from(workspace, str(mlruns))
    report = export_to(workspace, str(tmp_path / "out"))
    assert (report.problems, report.copied) == ([], WHOLE)
    seen = run_python(found(environments.MLFLOW3), tmp_path, "-c", LOOK, (tmp_path / "out").as_uri())
    assert json.loads(seen.splitlines()[-1]) == SEEN


@on_sqlite
@pytest.mark.slow
def test_mlflows_own_server_comes_over_and_goes_out(workspace: Workspace, mlflow_server: str, tmp_path: Path) -> None:
    fill(mlflow_server, tmp_path)
    check(workspace, import_from(workspace, mlflow_server))
    again = export_to(workspace, mlflow_server)
    assert again.problems == []  # beside the first ones: the server gives runs ids of its own
    repeated = export_to(workspace, mlflow_server)
    assert (repeated.present["runs"], repeated.points) == (3, 0)


def _other_workspace(folder: Path) -> Workspace:
    from flyball.settings import load_settings

    (folder / "other").mkdir()
    return Workspace(load_settings({"workspace": str(folder / "other" / ".flyball")}, environment={}), durable=False)


def test_points_are_told_apart_to_the_millisecond() -> None:
    points = copying._Points()
    points.add(Series(key="a", steps=[1, 1, 2], times=[1000, 1400, 1000], values=[0.5, 0.5, None]))
    assert points.count == 2
