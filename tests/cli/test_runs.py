"""What `flyball runs` and `flyball experiments` show and change."""

from __future__ import annotations

import csv
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.cli.chart import Line, draw, spark
from flyball.cli.output import open_workspace
from flyball.tracking.limits import ParamValue
from flyball.tracking.runs import MetricPoint
from tests.cli.conftest import Command

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def some(nowhere: Path) -> Path:
    """One stands in a folder whose workspace has three runs."""
    with open_workspace() as workspace:
        for name, accuracy in (("a", 0.5), ("b", 0.9), ("c", 0.7)):
            params: dict[str, ParamValue] = {"depth": len(name), "kind": "tree" if name == "a" else "forest"}
            workspace.tracking.create_run("first", name=f"run {name}", id=name, params=params)
            points = [
                MetricPoint(key="acc", value=accuracy * n / 9, step=n, at=START + timedelta(seconds=n))
                for n in range(10)
            ]
            workspace.tracking.log(name, metrics=points)
            workspace.tracking.finish_run(name)
    return nowhere


def test_runs_are_listed_by_filter_and_order(flyball: Command, some: Path) -> None:
    asked = ("runs", "list", "--filter", "metrics.acc > 0.6", "--order", "metrics.acc DESC", "--column", "name")
    assert flyball(*asked).out.split("\n")[1:3] == ["run b", "run c"]
    assert [run["id"] for run in flyball(*asked, "--json").json] == ["b", "c"]


def test_a_filter_that_is_wrong_is_told_with_its_place(flyball: Command, some: Path) -> None:
    said = flyball("runs", "list", "--filter", "metrics.acc > x")
    assert (said.code, "character 15" in said.err) == (2, True)


def test_a_kept_search_is_shown(flyball: Command, some: Path) -> None:
    saved = flyball(
        *("runs", "views", "save", "best", "--filter", "metrics.acc > 0.6", "--order", "metrics.acc"),
        *("--column", "name", "--column", "metrics.acc"),
    )
    assert saved.code == 0
    assert [view["name"] for view in flyball("runs", "views", "list", "--json").json] == ["best"]
    lines = flyball("runs", "list", "--view", "best").out.splitlines()
    assert [line.split() for line in lines] == [["name", "metrics.acc"], ["run", "c", "0.7000"], ["run", "b", "0.9000"]]
    narrowed = flyball("runs", "list", "--view", "best", "--filter", "name = 'run b'", "--json").json
    assert [run["id"] for run in narrowed] == ["b"]
    assert flyball("runs", "views", "delete", "best").code == 0
    assert flyball("runs", "list", "--view", "best").code == 4


def test_runs_are_compared(flyball: Command, some: Path) -> None:
    said = flyball("runs", "compare", "a", "b").out
    assert "kind   tree   forest" in said
    assert "0.9000 *" in said
    assert flyball("runs", "compare", "a", "b", "--json").json["metrics"][0]["best"] == [1]
    assert flyball("runs", "compare", "a", "nobody").code == 4


def test_metrics_are_drawn(flyball: Command, some: Path) -> None:
    said = flyball("runs", "chart", "a", "b", "--width", "30")
    assert (said.code, said.out.startswith("acc\n")) == (0, True)
    assert "● run a" in said.out
    assert any("⠀" < character <= "⣿" for character in said.out)
    assert flyball("runs", "chart", "a", "--metric", "nowhere").out.startswith("There are no points.")
    assert flyball("runs", "chart", "nobody").code == 4
    curve = flyball("runs", "chart", "a", "--axis", "relative", "--json").json["acc"][0]
    assert curve["values"][-1] == 0.5


def test_the_best_are_shown(flyball: Command, some: Path) -> None:
    rows = flyball("runs", "leaderboard", "first", "acc").out.splitlines()
    assert flyball("runs", "leaderboard", "first", "metrics.acc").out.splitlines() == rows
    assert [row.split()[:2] for row in rows[1:]] == [["1", "b"], ["2", "c"], ["3", "a"]]
    assert flyball("runs", "leaderboard", "other", "acc").code == 4


def test_runs_are_shown_in_groups(flyball: Command, some: Path) -> None:
    rows = flyball("runs", "group", "params.kind", "--value", "max(metrics.acc)").out.splitlines()
    assert [row.split() for row in rows[1:]] == [["forest", "2", "0.9000"], ["tree", "1", "0.5000"]]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_runs_are_written_to_a_file(flyball: Command, some: Path, kind: str) -> None:
    said = flyball("runs", "export", f"runs.{kind}", "--filter", "metrics.acc > 0.6", "--json")
    assert said.json["runs"] == 2
    assert [path.name for path in some.iterdir() if path.name.startswith("runs.")] == [f"runs.{kind}"]
    if kind == "csv":
        rows = list(csv.DictReader((some / "runs.csv").read_text(encoding="utf-8").splitlines()))
        assert [(row["id"], round(float(row["metrics.acc"]), 3)) for row in rows] == [("c", 0.7), ("b", 0.9)]


def test_an_unknown_kind_of_file_is_refused(flyball: Command, some: Path) -> None:
    assert flyball("runs", "export", "runs.xlsx").code == 2


def test_runs_are_tagged_by_id_and_by_filter(flyball: Command, some: Path) -> None:
    assert flyball("runs", "tag", "a", "b", "--set", "team=red=blue").out == "2 runs are tagged.\n"
    assert flyball("runs", "tag", "--filter", "tags.team = 'red=blue'", "--set", "x=", "--json").json["runs"] == [
        "b",
        "a",
    ]
    assert flyball("runs", "tag", "a", "--set", "novalue").code == 2
    assert flyball("runs", "tag", "--set", "a=b").code == 2


def test_runs_go_into_the_trash_and_come_back(flyball: Command, some: Path) -> None:
    assert flyball("runs", "delete", "a").out == "Run a is in the trash.\n"
    assert flyball("runs", "delete", "--filter", "metrics.acc > 0.8").out == "Run b is in the trash.\n"
    assert [run["id"] for run in flyball("runs", "list", "--json").json] == ["c"]
    assert [run["id"] for run in flyball("runs", "list", "--deleted", "--json").json] == ["b", "a"]
    assert flyball("runs", "restore", "--experiment", "first").out == "2 runs are back.\n"
    assert flyball("runs", "delete", "nobody").code == 4


def test_a_running_run_is_not_put_into_the_trash(flyball: Command, some: Path) -> None:
    with open_workspace() as workspace:
        workspace.tracking.create_run("first", id="going")
    said = flyball("runs", "delete", "going")
    assert (said.code, "It is running." in said.err) == (1, True)


def test_the_trash_is_emptied_only_when_that_is_said(flyball: Command, some: Path) -> None:
    flyball("runs", "delete", "a")
    told = flyball("runs", "gc", "--older-than", "0")
    assert "would be removed:" in told.out
    assert flyball("runs", "gc", "--older-than", "0", "--dry-run").out == told.out
    assert flyball("runs", "show", "a").code == 0
    assert flyball("runs", "gc", "--older-than", "0", "--remove", "--json").json["runs"] == 1
    assert flyball("runs", "show", "a").code == 4
    assert flyball("runs", "gc", "--grace", "1").code == 2


def test_experiments_are_made_found_renamed_and_deleted(flyball: Command, some: Path) -> None:
    number = flyball("experiments", "create", "second", "--tag", "team=red", "--json").json["id"]
    found = flyball("experiments", "list", "--filter", "tags.team = 'red'", "--json").json
    assert [one["name"] for one in found] == ["second"]
    assert flyball("experiments", "rename", "second", "third").out == f"Experiment {number} is 'third' now.\n"
    assert flyball("experiments", "delete", "third").code == 0
    names = [one["name"] for one in flyball("experiments", "list", "--json").json]
    assert ("third" in names, "first" in names) == (False, True)
    assert flyball("experiments", "restore", number).code == 0
    shown = flyball("experiments", "show", "first").out
    assert "depth, kind" in shown
    assert flyball("experiments", "show", "nobody").code == 4


def test_a_curve_goes_from_corner_to_corner() -> None:
    rows = draw([Line(name="up", xs=[0, 1], ys=[0.0, 1.0])], width=20, height=5).splitlines()
    canvas = [row.split("┤")[1] for row in rows[:5]]
    assert (len(canvas[0]), canvas[4][0] > "⠀") == (20, True)


@pytest.mark.parametrize(
    "line",
    [
        Line(name="one", xs=[5], ys=[1.0]),
        Line(name="flat", xs=[0, 1], ys=[2.0, 2.0]),
        Line(name="huge", xs=[-(1 << 62), 1 << 62], ys=[-1e308, 1e308]),
        Line(name="\x1b[2J", xs=[0, 0], ys=[0.0, 1.0]),
    ],
    ids=lambda line: line.name[:4].strip("\x1b"),
)
def test_any_curve_can_be_drawn(line: Line) -> None:
    assert "\x1b" not in draw([line], width=20, height=5)


def test_values_are_shown_as_blocks() -> None:
    assert spark([1.0, 1.0]) == "▁▁"
    assert spark([None]) == ""
    assert len(spark([float(n) for n in range(1000)])) == 24


def test_nothing_that_a_project_needs_is_ever_removed(
    flyball: Command, trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "copy"
    shutil.copytree(trained_once, project)
    monkeypatch.chdir(project)
    blobs = [path for path in project.rglob("objects/blobs/*/*") if path.is_file()]
    loose = blobs[0].parent.parent / "00" / ("00" * 32)
    loose.parent.mkdir(exist_ok=True)
    loose.write_bytes(b"loose")
    for path in (*blobs, loose):
        os.utime(path, (0, time.time() - 90 * 86_400))
    found = flyball("runs", "gc", "--older-than", "0", "--remove", "--json").json
    gone = [path for path in blobs if not path.exists()]
    assert (found["runs"], found["blobs"], loose.exists()) == (0, len(gone) + 1, False)
    assert len(gone) < len(blobs) / 4  # what a step wrote and nobody kept
    for command in ("models gate irises/1", "predict irises/1 --input data/irises.csv", "apply", "run train_irises"):
        assert flyball(*command.split()).code == 0, command


def test_what_a_run_left_behind_is_fetched(flyball: Command, some: Path) -> None:
    with open_workspace() as workspace:
        for name in ("plots/a.txt", "plots/b.txt", "c.txt"):
            workspace.tracking.log_artifact("a", name, workspace.blobs.put(name.encode()), len(name))
    assert flyball("runs", "download", "a").out == "3 files in a\n"
    assert {path.relative_to(some / "a").as_posix(): path.read_text() for path in (some / "a").rglob("*.txt")} == {
        name: name for name in ("plots/a.txt", "plots/b.txt", "c.txt")
    }
    assert flyball("runs", "download", "a", "c.txt", "--to", "there", "--json").json == ["there/c.txt"]
    failed = flyball("runs", "download", "a", "none")
    assert "left nothing called 'none' behind" in failed.err
