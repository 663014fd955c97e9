"""What a fuzzed workspace holds, and how what is drawn is made to name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from flyball.data.dataset import Dataset
from flyball.tracking.nouns import MetricPoint
from flyball.workspace import Workspace

ODD = [
    "a/b",
    "..",
    "",
    "\u0000",
    "\ud800",
    "é" * 200,
    "x" * 5000,
    "'; --",
    "%",
    "\\",
    "*",
    "2013-03-01",
    "1d",
    "[",
    "(" * 300,
]
KNOWN = ["churn", "orders", "first", "1", "2", "champion", "candidate", "auc", "depth", "ada", "finished", "high"]
NUMBERS: list[Any] = [0, 1, 2, -1, 2**31, 2**53 + 1, -(2**63), 2**64, 0.1, -0.0, 1e308, None, True]


def plant(workspace: Workspace) -> list[str]:
    """Fills a workspace with one of most things; gives the texts that name them, and odd ones."""
    tracking = workspace.tracking
    run = tracking.create_run("churn", "first", params={"depth": 5}, tags={"team": "blue"}).id
    tracking.log(
        run, metrics=[MetricPoint(key="auc", value=0.7, step=step, at=workspace.time.now()) for step in (0, 1)]
    )
    blob = workspace.blobs.put(b"some bytes")
    tracking.log_artifact(run, "a.txt", blob, 10)
    experiment = workspace.experiments.create("orders")
    workspace.registered_models.create("churn")
    workspace.model_versions.create("churn", source=f"runs:/{run}/a.txt", run=run)
    workspace.model_versions.create("churn", source=f"runs:/{run}/a.txt")
    workspace.registry.set_alias("churn", "champion", 1)
    comment = workspace.comments.add("models:/churn", "a word", by="ada").id
    workspace.data.declare(Dataset(name="orders", source="orders.parquet", key="id"))
    workspace.saved_views.save("first", filter="metrics.auc > 0.5")
    evaluation_set = workspace.evaluation_sets.create("churn").id
    alert = workspace.alerts.open("info", "drift", "models:/churn", "c", "t").id
    webhook = workspace.webhooks.create("first", "https://example.invalid/hook", ["model_version.created"]).id
    ids = [run, experiment.id, blob, comment, evaluation_set, alert, webhook]
    return [
        *ids,
        *KNOWN,
        f"runs:/{run}",
        "models:/churn",
        "models:/churn@champion",
        "models:/churn/1",
        "datasets:/orders",
        *ODD,
    ]


@st.composite
def bent(draw: st.DrawFn, value: Any, names: list[str]) -> Any:
    """The value, some of whose texts and numbers are others."""
    if isinstance(value, Mapping):
        return {key: draw(bent(item, names)) for key, item in value.items()}
    if isinstance(value, list):
        return [draw(bent(item, names)) for item in value]
    if isinstance(value, str) and draw(st.booleans()):
        return draw(st.sampled_from(names))
    if isinstance(value, int | float) and draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(NUMBERS))
    return value
