from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from flyball.errors import InvalidInput
from flyball.models.package import ModelPackage, load_model
from flyball.serving.batch_scoring import PIECE, parquet_files, score_to_file, slices, stream_parquet
from flyball.storage.objects import Blobs

MakePackage = Callable[..., ModelPackage]

EXAMPLE = pa.table({"x": [0.5, 2.0]})
DOUBLE = (
    "import os, time\nimport pyarrow.compute as pc\n"
    "def predict(table):\n"
    "    if table.num_rows == 65536 and os.path.exists(os.environ.get('FLYBALL_TEST_SLOW', '')):\n"
    "        time.sleep(0.5)\n"
    "    return {'prediction': pc.multiply(table['x'], 2.0)}\n"
)
ROWS = 3 * PIECE + 10


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return make_package(source=DOUBLE, example=EXAMPLE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": range(ROWS), "x": [float(n) for n in range(ROWS)], "other": ["a"] * ROWS}), path)
    return path


def score(package: ModelPackage, blobs: Blobs, source: Path, target: Path, workers: int = 1) -> tuple[int, int]:
    pieces, _ = stream_parquet([source], ["x", "id"])
    found = score_to_file(package, blobs, pieces, target, keep=["id"], source=str(source), workers=workers)
    return found.rows, found.resumed


@pytest.mark.parametrize("workers", [1, 2])
def test_every_row_is_scored_in_its_place(
    package: ModelPackage, blobs: Blobs, source: Path, tmp_path: Path, workers: int
) -> None:
    target = tmp_path / "scored.parquet"
    assert score(package, blobs, source, target, workers) == (ROWS, 0)
    found = pq.read_table(target)
    assert found.column_names == ["id", "prediction"]
    assert found["id"].to_pylist() == list(range(ROWS))
    assert found["prediction"].to_pylist() == [2.0 * n for n in range(ROWS)]
    assert sorted(path.name for path in tmp_path.glob("scored*")) == ["scored.parquet"]


def test_a_run_that_is_killed_is_gone_on_with(
    package: ModelPackage, blobs: Blobs, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, target = tmp_path / "slow", tmp_path / "scored.csv"
    slow.touch()
    monkeypatch.setenv("FLYBALL_TEST_SLOW", str(slow))
    running = multiprocessing.get_context("spawn").Process(target=score, args=(package, blobs, source, target))
    running.start()
    part = tmp_path / "scored.csv.parts" / "00000000.parquet"
    deadline = time.monotonic() + 60
    while not part.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    running.join()
    assert not target.exists()
    slow.unlink()
    rows, resumed = score(package, blobs, source, target)
    assert rows == ROWS
    assert resumed in (PIECE, 2 * PIECE)
    assert csv.read_csv(target)["prediction"].to_pylist() == [2.0 * n for n in range(ROWS)]


def test_parts_of_another_run_are_thrown_away(
    package: ModelPackage, blobs: Blobs, source: Path, tmp_path: Path
) -> None:
    parts = tmp_path / "scored.parquet.parts"
    parts.mkdir()
    (parts / "plan").write_text("another")
    (parts / "00000000.parquet").write_bytes(b"")
    assert score(package, blobs, source, tmp_path / "scored.parquet") == (ROWS, 0)


def test_no_rows_give_a_file_without_rows(package: ModelPackage, blobs: Blobs, tmp_path: Path) -> None:
    target = tmp_path / "scored.parquet"
    assert score_to_file(package, blobs, slices(EXAMPLE.slice(0, 0)), target, source="").rows == 0
    assert pq.read_table(target).column_names == ["prediction"]


def test_what_cannot_be_scored_leaves_no_file(package: ModelPackage, blobs: Blobs, tmp_path: Path) -> None:
    for name, rows, told in (("a.txt", EXAMPLE, "no name"), ("a.parquet", pa.table({"y": [1]}), "no column 'x'")):
        with pytest.raises(InvalidInput, match=told):
            score_to_file(package, blobs, slices(rows), tmp_path / name, source="")
        assert not (tmp_path / name).exists()
    with pytest.raises(InvalidInput, match="cannot be written"):
        score_to_file(package, blobs, slices(EXAMPLE), tmp_path / "no" / "a.csv", source="")


def test_a_folder_of_parquet_files_is_one_input(package: ModelPackage, blobs: Blobs, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for place in range(3):
        pq.write_table(pa.table({"x": [float(place)]}), folder / f"{place}.parquet")
    pieces, count = stream_parquet(parquet_files(folder), ["x"])
    assert count == 3
    assert pa.concat_tables(pieces)["x"].to_pylist() == [0.0, 1.0, 2.0]
    (folder / "notes.txt").touch()
    assert parquet_files(folder) == []
    assert load_model(package, blobs).predict(EXAMPLE).num_rows == 2
