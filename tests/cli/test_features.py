"""Features from the declaration to a prediction that is asked for by key alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3

from flyball.cli.group import invoke
from flyball.serialization import from_json
from tests.cli.conftest import Command
from tests.cli.test_up import up

PROJECT = '''
from sklearn.ensemble import HistGradientBoostingRegressor

import flyball as fb

trips = fb.dataset("trips", "trips.parquet", key="trip", time="at", label="minutes", label_time="known")
weather = fb.feature_view(
    "weather", "weather.parquet", entity="city", time="since", ttl="30d", tests=[fb.expect.not_null("city")]
)
traffic = fb.feature_view(
    "traffic", trips, entity="city", time="at", created="known",
    windows=[fb.window("minutes", "mean", over="3d"), fb.window("minutes", "count", over="3d")],
)


@fb.feature_view("size", entity="city", time="since", inputs=["weather"])
def size(weather):
    """How often a city was observed."""
    import pyarrow.compute as pc

    return weather.select(["city", "since"]).append_column("letters", pc.utf8_length(weather["city"]))


@fb.on_demand(inputs=["distance", "wind"])
def effort(rows):
    return [d * (w if w is not None else 1.0) for d, w in zip(rows["distance"].to_pylist(), rows["wind"].to_pylist())]


both = fb.feature_set("trips-v1", [weather, traffic, size, effort])


COLUMNS = ["distance", "wind", "minutes_mean_3d", "minutes_count_3d", "letters", "effort"]


@fb.step
def train(rows: fb.Table) -> fb.Model:
    x, y = rows.xy()
    return HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=2).fit(x[COLUMNS], y)


@fb.pipeline
def learn():
    rows = fb.training_set(trips, features=both)
    model = train(rows)
    return fb.register("trips", model, fb.evaluate(model, rows), reference=rows)
'''
ROWS = 60
NOW = datetime.now(UTC).replace(microsecond=0)


def moments(*hours: float) -> pa.Array:
    return pa.array([NOW - timedelta(hours=hour) for hour in hours], pa.timestamp("us", "UTC"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model that was trained on features."""
    folder = tmp_path_factory.mktemp("trips")
    (folder / "project.py").write_text(PROJECT)
    (folder / "flyball.toml").write_text('name = "trips"\n')
    hours = [ROWS - n for n in range(ROWS)]
    trips = {
        "trip": [f"t{n}" for n in range(ROWS)],
        "city": [["Rome", "Oslo"][n % 2] for n in range(ROWS)],
        "distance": [float(n % 7) for n in range(ROWS)],
        "at": moments(*hours),
        "known": moments(*[hour - 0.5 for hour in hours]),
        "minutes": [float(10 + n % 7 * 3 + n % 2) for n in range(ROWS)],
    }
    pq.write_table(pa.table(trips), folder / "trips.parquet")
    weather = {"city": ["Rome", "Oslo", "Rome"], "since": moments(200, 200, 30), "wind": [1.0, 2.0, 3.0]}
    pq.write_table(pa.table(weather), folder / "weather.parquet")
    here = Path.cwd()
    try:
        os.chdir(folder)
        assert invoke(["features", "materialize", "weather", "--json"]) == 0
        assert invoke(["run", "learn", "--json"]) == 0
        assert invoke(["features", "materialize", "--json"]) == 0
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def test_views_are_listed_and_shown_with_their_history(project: Path, flyball: Command) -> None:
    listed = flyball("features", "list", "--json").json
    assert [(view["name"], view["version"]) for view in listed] == [("size", 1), ("traffic", 1), ("weather", 1)]
    shown = flyball("features", "show", "weather@1", "--json").json
    assert [column["name"] for column in shown["schema"]["columns"]] == ["city", "since", "wind"]
    assert shown["materialization"]["keys"] == 2
    assert len(flyball("features", "history", "weather", "--json").json) == 1
    for command in ("list", "freshness", "show weather", "history traffic"):
        said = flyball("features", *command.split())
        assert said.code == 0, said.err
        assert "weather" in said.out or "minutes_mean_3d" in said.out
    assert flyball("features", "show", "wether").code == 4


def test_values_are_read_by_key(project: Path, flyball: Command) -> None:
    found = flyball("features", "get", "trips-v1", "city=Rome", "distance=2.0", "--json").json
    assert found["features"]["wind"] == 3.0
    assert found["features"]["effort"] == 6.0
    assert found["features"]["letters"] == 4
    assert found["features"]["minutes_count_3d"] == 30
    assert found["missing"] == {}
    said = flyball("features", "get", "weather", "city=Bonn")
    assert "weather: missing, unknown" in said.err


def test_a_file_is_joined(project: Path, flyball: Command, tmp_path: Path) -> None:
    rows = pa.table({"city": ["Rome", "Rome"], "at": moments(100, 10)})
    pq.write_table(rows, tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    said = flyball(
        "features", "join", str(tmp_path / "rows.parquet"), "weather", "--time", "at", "--output", str(out), "--json"
    )
    assert said.json["report"]["views"][0]["found"] == 2
    assert pq.read_table(out)["wind"].to_pylist() == [1.0, 3.0]
    assert (
        "2 of 2 rows found"
        in flyball("features", "join", str(out.with_name("rows.parquet")), "weather", "--time", "at").out
    )


@contextmanager
def serving(project: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball.cli", "features", "serve", "--port", "0", "--json"],
        cwd=project, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield from_json(process.stdout.readline(), dict)["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_feature_server_reads_and_takes_rows(project: Path) -> None:
    with serving(project) as url:

        def ask(path: str, body: Any) -> tuple[int, Any]:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            for _ in range(100):
                try:
                    answer = urllib3.request("POST", url + path, body=data, retries=False, timeout=10)
                    return answer.status, answer.json()
                except urllib3.exceptions.HTTPError:
                    time.sleep(0.1)
            raise AssertionError("no answer")

        cities = [{"city": "Rome"}, {"city": "Bonn"}, {"city": None}]
        assert ask("/features", {"features": ["weather"], "entities": cities}) == (
            200,
            {
                "rows": [{"wind": 3.0}, {"wind": None}, {"wind": None}],
                "missing": [{}, {"weather": "unknown"}, {"weather": "unknown"}],
            },
        )
        pushed = [{"city": "Lima", "since": NOW.isoformat(), "wind": 9.0}]
        assert ask("/push/weather", pushed)[1]["written"] == 1
        assert ask("/features", {"features": ["weather@1"], "entities": [{"city": "Lima"}]})[1]["rows"] == [
            {"wind": 9.0}
        ]
        for path, body, status in (
            ("/features", {"features": ["rain"], "entities": []}, 404),
            ("/features", {"features": [], "entities": []}, 422),
            ("/features", {"features": ["weather"], "entities": [{"city": 7}]}, 422),
            ("/features", b"{", 422),
            ("/push/weather", [{"city": "Lima"}], 422),
            ("/nowhere", {}, 404),
        ):
            code, answer = ask(path, body)
            assert code == status, answer
            assert answer["message"]


def test_a_prediction_asked_by_key_is_the_one_asked_with_all_values(project: Path, flyball: Command) -> None:
    from flyball.settings import load_settings
    from flyball.workspace import Workspace

    with Workspace(load_settings()) as workspace:
        version = workspace.registry.get_version("trips")
        workspace.deployments.deploy("trips", "trips", version.version)
        edges = {edge.source for edge in workspace.lineage.upstream(f"models:/trips/{version.version}")}
        assert {"features:/weather/1", "features:/traffic/1", "features:/size/1"} <= edges
        found = workspace.features_online.get(["trips-v1"], [{"city": "Oslo", "distance": 3.0}]).rows[0]
    whole = {"distance": 3.0, **found}
    with up(project) as running:

        def predict(row: dict[str, Any], name: str) -> tuple[int, Any]:
            body = {"rows": [row], "ids": [name]}
            for _ in range(600):
                answer = urllib3.request("POST", f"{running.model_url}/predict/trips", json=body, retries=False)
                if answer.status not in (404, 503):
                    return answer.status, answer.json()
                time.sleep(0.05)
            raise AssertionError(answer.data)

        by_key = predict({"city": "Oslo", "distance": 3.0}, "key")
        assert by_key[0] == 200, by_key[1]
        by_value = predict(whole, "whole")
        assert by_key[1]["predictions"][0]["prediction"] == by_value[1]["predictions"][0]["prediction"]
        other = predict({"city": "Oslo", "distance": 3.0, "wind": 50.0}, "given")
        assert other[1]["predictions"][0]["prediction"] != by_value[1]["predictions"][0]["prediction"]
        assert predict({"city": 3, "distance": 3.0}, "bad")[0] == 422
        urllib3.request("POST", f"{running.model_url}/flush")
        metrics = urllib3.request("GET", f"{running.model_url}/metrics").data.decode()
    from flyball.serving.prediction_log import find_prediction

    with Workspace(load_settings()) as workspace:
        logged = {name: find_prediction(workspace.store, "trips", name)[0] for name in ("key", "whole", "given")}
    for name in whole:
        assert logged["key"][f"input.{name}"] == logged["whole"][f"input.{name}"] == whole[name], name
    assert logged["given"]["input.wind"] == 50.0
    assert logged["given"]["input.effort"] == 150.0
    assert "flyball_serving_features_missing_total" in metrics
