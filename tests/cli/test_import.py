"""`flyball import mlflow` and `flyball export mlflow` say what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

META = "artifact_location: ''\nexperiment_id: '5'\nlifecycle_stage: active\nname: apples\n"
RUN = """artifact_uri: ''
end_time: 2000
experiment_id: '5'
lifecycle_stage: active
run_id: {}
run_name: r
start_time: 1000
status: 3
"""


@pytest.fixture
def mlruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of MLflow's with one run."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "mlruns" / "5"
    run = home / ("a" * 32)
    (run / "metrics").mkdir(parents=True)
    (run / "artifacts").mkdir()
    (home / "meta.yaml").write_text(META)
    (run / "meta.yaml").write_text(RUN.format("a" * 32))
    (run / "metrics" / "loss").write_text("1000 0.5 0\n1001 nan 1\n")
    (run / "artifacts" / "a.txt").write_text("words")
    return tmp_path / "mlruns"


def test_a_folder_comes_over_and_goes_out(flyball: Command, mlruns: Path) -> None:
    said = flyball("import", "mlflow", str(mlruns), "--json")
    assert said.code == 0, said.err
    assert said.json["copied"] == {"experiments": 1, "runs": 1}
    assert (said.json["points"], said.json["files"], said.json["verified"]) == (2, 1, 1)
    again = flyball("import", "mlflow", str(mlruns))
    assert again.code == 0
    assert "runs unchanged:" in again.out
    out = flyball("export", "mlflow", "out", "--experiment", "apples")
    assert (out.code, Path("out").joinpath("1", "a" * 32, "artifacts", "a.txt").read_text()) == (0, "words")


def test_what_cannot_be_copied_is_told_and_ends_with_1(flyball: Command, mlruns: Path) -> None:
    (mlruns / "5" / ("a" * 32) / "metrics" / "loss").write_text("1000 0.5 0\n")
    (mlruns / "5" / ("b" * 32)).mkdir()
    (mlruns / "5" / ("b" * 32) / "meta.yaml").write_text("no meta")
    said = flyball("import", "mlflow", str(mlruns))
    assert said.code == 1
    assert f"{'b' * 32}: cannot be read" in said.err
    assert "runs copied:" in said.out  # the other one


def test_a_line_that_is_no_point_is_told(flyball: Command, mlruns: Path) -> None:
    (mlruns / "5" / ("a" * 32) / "metrics" / "loss").write_text("1000 many 0\n")
    said = flyball("import", "mlflow", str(mlruns))
    assert said.code == 1
    assert "holds a line that is no metric point" in said.err


def test_a_place_that_is_none_ends_with_2(flyball: Command, mlruns: Path) -> None:
    said = flyball("import", "mlflow", "nowhere")
    assert (said.code, "There is nothing at nowhere" in said.err) == (2, True)


def test_a_server_that_is_not_there_ends_with_5(flyball: Command, mlruns: Path) -> None:
    assert flyball("import", "mlflow", "http://127.0.0.1:9").code == 5
