"""What a notebook does: `fb.run`, `fb.log`, `fb.snapshot`, `fb.load_model`, `fb.predict`, in the folder it stands in."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flyball as fb
from flyball import session
from flyball.data.snapshot import load_snapshot
from flyball.errors import InvalidInput, NotFound
from flyball.models.package import save_model
from flyball.pipelines.engine import run_pipeline
from flyball.run_services import RunServices
from flyball.tracking.sync import sync

ROWS = pa.table({"age": [20.0, 40.0, 60.0, 80.0], "bought": [False, False, True, True]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_opened", {})
    return tmp_path


def test_the_workspace_is_made_in_the_folder_one_stands_in(folder: Path) -> None:
    with fb.run():
        pass
    assert (folder / ".flyball" / "flyball.db").is_file()


def test_one_workspace_is_opened_once() -> None:
    assert fb.connect() is fb.connect()


def test_a_run_keeps_what_was_given_and_logged() -> None:
    with fb.run("prices", name="first try", tags={"who": "Ada"}, depth=3) as run:
        fb.log(loss=0.5)
        fb.log(loss=0.25, params={"width": 7}, tags={"why": "trying"})
    found = fb.connect().tracking.get_run(run.id)
    assert (found.experiment, found.name, found.state) == ("prices", "first try", "finished")
    assert found.params == {"depth": 3, "width": 7}
    assert found.tags == {"who": "Ada", "why": "trying"}
    assert found.metrics == {"loss": 0.25}


def test_steps_of_a_metric_are_counted_on_from_the_last() -> None:
    with fb.run() as run:
        fb.log(loss=3.0)
        fb.log(loss=2.0, step=10)
        fb.log(loss=1.0)
        fb.log(other=1.0)
    history = fb.connect().tracking.metric_history(run.id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 3.0), (10, 2.0), (11, 1.0)]


def test_a_run_in_a_run_is_its_child() -> None:
    with fb.run() as outer, fb.run() as inner:
        fb.log(loss=1.0)
    tracking = fb.connect().tracking
    assert tracking.get_run(inner.id).parent == outer.id
    assert tracking.get_run(outer.id).metrics == {}


def test_a_run_whose_work_fails_says_why_and_lets_the_error_pass() -> None:
    with pytest.raises(ZeroDivisionError), fb.run() as run:
        raise ZeroDivisionError("no such share")
    found = fb.connect().tracking.get_run(run.id)
    assert (found.state, found.error) == ("failed", "ZeroDivisionError: no such share")


def test_logging_outside_a_run_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no run to log to"):
        fb.log(loss=1.0)


def test_a_metric_that_is_no_number_is_refused() -> None:
    with fb.run() as run, pytest.raises(InvalidInput, match="Metric 'loss' is 'low'"):
        fb.log(loss="low")  # type: ignore[arg-type]  # what is refused
    assert fb.connect().tracking.get_run(run.id).metrics == {}


def names(run_id: str) -> list[str]:
    return [artifact.name for artifact in fb.connect().tracking.list_artifacts(run_id)]


def read(run_id: str, name: str) -> bytes:
    (found,) = [item for item in fb.connect().tracking.list_artifacts(run_id) if item.name == name]
    return fb.connect().blobs.get(found.digest)


def test_the_default_experiment_is_that_of_both_worlds() -> None:
    with fb.run() as run:
        pass
    assert fb.connect().tracking.get_run(run.id).experiment == "Default"


def test_metrics_may_have_names_that_python_has_not() -> None:
    with fb.run() as run:
        fb.log_metrics({"loss/train": 1.0, "loss/test": 2.0}, step=3)
    assert fb.connect().tracking.get_run(run.id).metrics == {"loss/train": 1.0, "loss/test": 2.0}


def test_files_folders_texts_and_notes_are_kept(folder: Path) -> None:
    (folder / "plots" / "deep").mkdir(parents=True)
    (folder / "plots" / "one.txt").write_text("1", encoding="utf-8")
    (folder / "plots" / "deep" / "two.txt").write_text("2", encoding="utf-8")
    with fb.run() as run:
        fb.log_artifact("plots/one.txt")
        fb.log_artifact("plots/one.txt", "renamed/uno.txt")
        fb.log_artifact("plots")
        fb.log_artifacts("plots", "all")
        fb.log_text("# Report", "report.md")
        fb.log_notes("It went **well**.")
        with pytest.raises(InvalidInput, match=r"no file 'gone\.txt'"):
            fb.log_artifact("gone.txt")
    assert names(run.id) == [
        "all/deep/two.txt", "all/one.txt", "one.txt", "plots/deep/two.txt", "plots/one.txt", "renamed/uno.txt", "report.md",
    ]  # fmt: skip
    assert read(run.id, "report.md") == b"# Report"
    assert fb.connect().tracking.get_run(run.id).notes == "It went **well**."


def test_tables_come_back_as_they_were() -> None:
    with fb.run() as run:
        fb.log_table(ROWS, "arrow")
        fb.log_table(ROWS.to_pandas(), "pandas.parquet")
        fb.log_table({"age": [1, 2]}, "columns")
        with pytest.raises(InvalidInput, match="is no table"):
            fb.log_table(7)
    assert pq.read_table(io.BytesIO(read(run.id, "arrow.parquet"))).equals(ROWS)
    assert names(run.id) == ["arrow.parquet", "columns.parquet", "pandas.parquet"]


def test_figures_images_and_sound_are_files_that_others_open() -> None:
    import matplotlib as mpl
    import numpy as np
    from PIL import Image

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    pixels = np.linspace(0, 1, 48).reshape(4, 4, 3)
    with fb.run() as run:
        fb.log_figure(figure, "loss")
        fb.log_figure(axes, "loss.svg")
        fb.log_image(pixels, "rainbow", step=3)
        fb.log_image(Image.new("RGB", (2, 2)), "black.png")
        fb.log_audio(np.sin(np.arange(800) / 10), "tone", rate=8000)
        for wrong in ("text", np.zeros((2, 2, 2, 2)), np.zeros((4, 4, 7))):
            with pytest.raises(InvalidInput):
                fb.log_image(wrong)
        with pytest.raises(InvalidInput):
            fb.log_audio(np.zeros((2, 2, 2)))
        with pytest.raises(InvalidInput):
            fb.log_figure("a text")
    plt.close(figure)
    assert names(run.id) == ["black.png", "loss.png", "loss.svg", "rainbow-000003.png", "tone.wav"]
    seen = np.asarray(Image.open(io.BytesIO(read(run.id, "rainbow-000003.png"))))
    assert np.array_equal(seen, np.rint(pixels * 255).astype("uint8"))
    with wave.open(io.BytesIO(read(run.id, "tone.wav"))) as sound:
        assert (sound.getframerate(), sound.getnframes(), sound.getnchannels()) == (8000, 800, 1)


def test_code_machine_and_versions_are_noted(folder: Path) -> None:
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (folder / ".git" / "refs" / "heads" / "main").write_text("a" * 40 + "\n", encoding="utf-8")
    with fb.run() as run:
        pass
    found = fb.connect().tracking.get_run(run.id)
    assert found.code == "a" * 40
    assert found.environment["pyarrow"] == pa.__version__
    assert {"python", "platform", "host", "command", "flyball"} <= found.environment.keys()


def test_a_run_is_taken_up_again_and_counts_on() -> None:
    with fb.run("prices", depth=3) as first:
        fb.log(loss=1.0)
        fb.log(loss=0.5)
    with fb.run(id=first.id) as again:
        assert (again.id, again.experiment) == (first.id, "prices")
        fb.log(loss=0.25)
    found = fb.connect().tracking.get_run(first.id)
    assert (found.state, found.params) == ("finished", {"depth": 3})
    history = fb.connect().tracking.metric_history(first.id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5), (2, 0.25)]


def test_another_process_logs_to_the_run_that_its_environment_names(folder: Path) -> None:
    script = "import flyball as fb; fb.log(theirs=1.0)\nwith fb.run('else', depth=3): fb.log(theirs=2.0)"
    with fb.run("prices") as run:
        subprocess.run([sys.executable, "-c", script], env={**os.environ, **run.environment}, check=True)
        fb.log(ours=1.0)
    found = fb.connect().tracking.get_run(run.id)
    assert (found.metrics, found.params, found.state) == ({"theirs": 2.0, "ours": 1.0}, {"depth": 3}, "finished")
    assert len(fb.connect().tracking.list_runs()) == 1


def test_children_of_a_fork_log_to_the_run_as_well(folder: Path) -> None:
    script = """
import multiprocessing, os
import flyball as fb

def work(number):
    for _ in range(100):
        fb.log_metrics({f"loss{number}": 1.0})

context = multiprocessing.get_context("fork")
with fb.run("forked", id="forked"):
    fb.log(before=1.0)
    children = [context.Process(target=work, args=(number,)) for number in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    lone = os.fork()
    if lone == 0:
        fb.log(lone=1.0)
        os._exit(0)
    os.waitpid(lone, 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with fb.run():  # the one that ended without a farewell is sent by whoever comes next
        pass
    tracking = fb.connect().tracking
    wait_for(lambda: "lone" in tracking.get_run("forked").metrics)
    assert tracking.get_run("forked").state == "finished"
    for number in range(3):
        assert len(tracking.metric_history("forked", f"loss{number}")) == 100


def test_threads_that_the_block_starts_log_to_its_run() -> None:
    with fb.run() as run:
        thread = threading.Thread(target=lambda: fb.log(loss=1.0))
        thread.start()
        thread.join()
    assert fb.connect().tracking.get_run(run.id).metrics == {"loss": 1.0}


def test_an_offline_run_waits_for_sync(folder: Path) -> None:
    with fb.run("prices", offline=True) as run:
        fb.log(loss=1.0)
        fb.log_text("text", "a.txt")
    with fb.run("prices"):
        pass
    with pytest.raises(NotFound):
        fb.connect().tracking.get_run(run.id)
    for recorder in list(session._recorders.values()):
        recorder.close()
    session._recorders.clear()
    done = sync(fb.connect(), folder / ".flyball" / "spool")
    assert (done.sent, done.refused) == (1, 0)
    found = fb.connect().tracking.get_run(run.id)
    assert (found.metrics, found.state, names(run.id)) == ({"loss": 1.0}, "finished", ["a.txt"])


def test_the_machines_load_is_logged() -> None:
    with fb.run(system_metrics=0.05) as run:
        time.sleep(0.3)
    found = fb.connect().tracking.get_run(run.id).metrics
    assert {"system/cpu_percent", "system/memory_percent", "system/process_memory_mib"} <= found.keys()
    assert len(fb.connect().tracking.metric_history(run.id, "system/cpu_percent")) >= 3


def test_runs_are_a_table() -> None:
    for depth in (3, 5):
        with fb.run("prices", depth=depth):
            fb.log(loss=1.0 / depth)
    found = fb.runs("params.depth = '5'", experiments=["prices"]).to_pandas()
    assert found["metrics.loss"].tolist() == [0.2]


def test_the_active_run_is_the_one_that_is_logged_to() -> None:
    assert fb.active_run() is None
    with fb.run() as outer:
        with fb.run() as inner:
            assert fb.active_run() is inner
        assert fb.active_run() is outer
    assert fb.active_run() is None


@pytest.mark.parametrize(
    ("error", "state"), [(KeyboardInterrupt(), "cancelled"), (SystemExit(3), "failed"), (SystemExit(0), "finished")]
)
def test_how_the_block_is_left_is_how_the_run_ends(error: BaseException, state: str) -> None:
    with pytest.raises(type(error)), fb.run() as run:
        raise error
    assert fb.connect().tracking.get_run(run.id).state == state


def test_a_run_without_a_block_ends_with_the_process(folder: Path) -> None:
    for script, state in (("", "finished"), ("1 / 0", "failed")):
        code = f"import flyball as fb\nrun = fb.run('loose', id='loose-{state}')\nrun.log(loss=1.0)\n{script}"
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        found = fb.connect().tracking.get_run(f"loose-{state}")
        assert (found.state, found.metrics) == (state, {"loss": 1.0})


def test_a_step_of_a_pipeline_leaves_things_behind_too(folder: Path) -> None:
    @fb.step
    def train(depth: int) -> int:
        fb.log(loss=0.5)
        fb.log_metrics({"loss/test": 0.7})
        fb.log_text("text", "deep/a.txt")
        fb.log_table({"x": [1]}, "rows")
        fb.log_notes("# Notes")
        with fb.run("own", depth=depth) as own:
            fb.log(inner=1.0)
        fb.log(own=1.0)
        assert fb.active_run() is not own
        return depth

    @fb.pipeline
    def training() -> int:
        return train(3)

    here = fb.connect()
    services = RunServices(workspace=here, project_root=folder, source_root=folder, code="")
    result = run_pipeline(training, services=services)
    (step,) = here.tracking.list_runs(kind="step")
    assert step.metrics == {"loss": 0.5, "loss/test": 0.7, "own": 1.0}
    assert {"deep/a.txt", "rows.parquet", "notes.md"} <= set(names(step.id))
    (own,) = here.tracking.list_runs(experiment="own")
    assert (own.parent, own.metrics, own.params) == (result.run.id, {"inner": 1.0}, {"depth": 3})


def wait_for(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def test_a_snapshot_of_a_table_gives_its_rows_back() -> None:
    taken = fb.snapshot("buyers", ROWS)
    here = fb.connect()
    assert here.data.get_snapshot("buyers").id == taken.id
    assert here.data.get("buyers").name == "buyers"
    assert load_snapshot(here.blobs, taken).equals(ROWS)


def test_a_snapshot_of_a_path_and_of_a_pandas_frame_are_taken_too(folder: Path) -> None:
    (folder / "buyers.csv").write_text("age,bought\n20,false\n60,true\n", encoding="utf-8")
    assert fb.snapshot("buyers", folder / "buyers.csv").rows == 2
    assert fb.snapshot("buyers", ROWS.to_pandas()).rows == 4


def test_the_same_rows_are_the_same_snapshot() -> None:
    assert fb.snapshot("buyers", ROWS).id == fb.snapshot("buyers", ROWS).id


def _register() -> None:
    from sklearn.tree import DecisionTreeClassifier

    here, rows = fb.connect(), fb.Table(ROWS, label="bought")
    package = save_model(DecisionTreeClassifier().fit(*rows.xy()), here.blobs, example=rows.inputs())
    here.registry.register(
        model="buyers", package=package, run="", evaluation=None, holdout="", label="bought", slices=(), reference="",
        snapshots=(), code="", params={},
    )  # fmt: skip


def test_a_registered_model_predicts() -> None:
    _register()
    assert fb.predict("models:/buyers/1", ROWS)["prediction"].to_pylist() == [False, False, True, True]
    assert fb.load_model("buyers/1").predict(ROWS).num_rows == 4


def test_predictions_are_made_for_a_pandas_frame_too() -> None:
    _register()
    assert fb.predict("buyers/1", ROWS.to_pandas())["prediction"].to_pylist() == [False, False, True, True]


def test_a_prediction_is_explained_by_the_columns_it_was_made_from() -> None:
    _register()
    found = fb.explain("buyers/1", ROWS.to_pandas())
    assert len(found.rows) == ROWS.num_rows
    for row in found.rows:
        total = found.base + sum(part.contribution for part in row.contributions)
        assert total == pytest.approx(row.prediction, abs=1e-6)


def test_a_model_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="no model 'buyers'"):
        fb.load_model("models:/buyers@champion")


def test_rows_without_the_models_columns_are_refused() -> None:
    _register()
    with pytest.raises(InvalidInput, match="age"):
        fb.predict("buyers/1", pa.table({"years": [1.0]}))
