"""What the tests of AutoML share: tables as people have them, and a workspace to search in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import flyball as fb
from flyball import testing
from flyball.model_search.run import AutoMlResult, automl
from flyball.pipelines.code_snapshot import load_project
from flyball.pipelines.engine import run_pipeline
from flyball.run_services import RunServices
from flyball.workspace import Workspace

QUICK = ("linear", "hist_gradient_boosting")


def services_in(workspace: Workspace) -> RunServices:
    """What a search in a workspace works with."""
    return RunServices(workspace=workspace, project_root=workspace.root, source_root=workspace.root)


def orders(rows: int = 600) -> pd.DataFrame:
    """Orders with all that tables have: gaps, categories, many shops, dates, words, a key, a constant."""
    random = np.random.default_rng(3)
    amount = random.gamma(2.0, 40.0, rows)
    channel = random.choice(["web", "shop", "phone"], rows, p=[0.5, 0.4, 0.1])
    shop = random.integers(0, 80, rows)
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 300, rows), unit="D")
    angry = random.random(rows) < 0.3
    words = np.where(angry, "this came broken and late again", "thank you for the quick and kind help")
    odds = -2.0 + 0.015 * amount + 1.2 * (channel == "phone") + 2.0 * angry + 0.02 * (shop - 40)
    amount[random.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "order_id": np.arange(rows),
            "amount": amount,
            "channel": pd.Series(channel).where(random.random(rows) > 0.05),
            "shop": [f"shop {number}" for number in shop],
            "ordered": day.strftime("%Y-%m-%d"),
            "message": [f"{text} {number}" for text, number in zip(words, random.integers(0, 400, rows), strict=True)],
            "country": "AT",
            "returned": random.random(rows) < 1 / (1 + np.exp(-odds)),
        }
    )


def sales(days: int = 150, shops: int = 2) -> pd.DataFrame:
    """Daily sales of shops, with a week's rhythm and a trend."""
    random = np.random.default_rng(5)
    found = []
    for shop in range(shops):
        day = np.arange(days)
        weekly = np.array([0, 0, 1, 2, 5, 9, 4])[day % 7]
        sold = 50 + 20 * shop + 0.3 * day + 3 * weekly + random.normal(0, 1.5, days)
        found.append(
            pd.DataFrame(
                {"day": pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D"), "shop": f"s{shop}", "sold": sold}
            )
        )
    return pd.concat(found, ignore_index=True)


def run_file(result: AutoMlResult, workspace: Workspace, folder: Path) -> Any:
    """The model version that the search's project file registers when it is run as any project."""
    folder.mkdir()
    (folder / "project.py").write_text(result.file, encoding="utf-8")
    project = load_project(folder, "project.py")
    (pipeline,) = project.pipelines.values()
    services = RunServices(workspace=workspace, project_root=folder, source_root=folder)
    return run_pipeline(pipeline, services=services).value()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with testing.workspace(tmp_path_factory.mktemp("automl")) as here:
        yield here


@pytest.fixture(scope="module")
def found(shared: Workspace) -> AutoMlResult:
    """A search for which orders come back."""
    rows = fb.Table(orders(), key="order_id", label="returned")
    return automl(rows, "returned", services=services_in(shared), time_budget=12, families=QUICK, name="returns")
