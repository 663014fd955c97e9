"""The story of a demo: what the loop did month by month, as values, as a table and as a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.cli.output import print_table
from flyball.settings import load_settings
from flyball.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LOOP = "late-flights"
_SCORES = """
SELECT month(p.at) AS month, count(*) AS n, list(h.late ORDER BY h.flight_id) AS truth,
       list(p.probability ORDER BY h.flight_id) AS live, list(f.probability ORDER BY h.flight_id) AS frozen
FROM predictions p
JOIN history h ON h.flight_id = CAST(p.prediction_id AS BIGINT)
JOIN frozen f ON f.flight_id = h.flight_id
GROUP BY 1 ORDER BY 1
"""


def collect(root: Path, *, seconds: float) -> dict[str, Any]:
    """What the loop did month by month, from the workspace the demo left."""
    with Workspace(load_settings(start=root, environment={})) as workspace:
        scores = _scores(workspace, root)
        windows = workspace.monitoring.list_windows(_LOOP, limit=1000)
        trainings = [t for t in workspace.loops.list_trainings(_LOOP, limit=1000) if t.kind == "train"]
        versions = {v.version: v for v in workspace.registry.list_versions(_LOOP, limit=1000)}
        revisions = workspace.deployments.history(_LOOP, limit=1000)
        alerts = workspace.alerts.list(state="", limit=1000)
        rollouts = workspace.deployments.list_rollouts(_LOOP, limit=1000)
        story = workspace.loops.history(_LOOP, limit=1000, newest_first=False)
    months: list[dict[str, Any]] = []
    for month, count, auc_loop, auc_frozen in scores:
        own = [window for window in windows if window.start.month == month and window.predictions]
        drifted = [window for window in own if window.drift is not None and window.drift.drifted]
        started = [training for training in reversed(trainings) if training.created.month == month]
        months.append({
            "month": f"2013-{month:02d}",
            "predictions": count,
            "drift": f"{len(drifted)} of {len(own)} weeks",
            "alerts": sum(alert.opened.month == month for alert in alerts),
            "retrained": bool(started),
            "reason": "; ".join(_brief(training.reason) for training in started) or "nothing called for it",
            "gate": "; ".join(_gate(training.version, versions) for training in started),
            "champion": _champion(revisions, month),
            "auc_loop": round(auc_loop, 4),
            "auc_frozen": round(auc_frozen, 4),
        })  # fmt: skip
    judged = [versions[t.version].verdict for t in trainings if t.version in versions]
    totals = {
        "mean_auc_loop": round(sum(m["auc_loop"] for m in months) / len(months), 4),
        "mean_auc_frozen": round(sum(m["auc_frozen"] for m in months) / len(months), 4),
        "predictions": sum(m["predictions"] for m in months),
        "trainings": len(trainings),
        "refused": len([verdict for verdict in judged if verdict is not None and not verdict.passed]),
        "promoted": len([r for r in rollouts if r.state == "promoted"]),
        "rolled_back": len([r for r in rollouts if r.state == "rolled_back"]),
        "seconds": round(seconds, 1),
    }
    told = [{"at": d.at, "decision": d.decision, "reason": d.reason} for d in story]
    return {"months": months, "totals": totals, "story": told}


def show(story: dict[str, Any]) -> None:
    """Prints the table and its sum."""
    columns = [
        "month",
        "predictions",
        "drift",
        "alerts",
        "retrained",
        "why",
        "gate",
        "champion",
        "AUC loop",
        "AUC frozen",
    ]
    keys = [
        "month",
        "predictions",
        "drift",
        "alerts",
        "retrained",
        "reason",
        "gate",
        "champion",
        "auc_loop",
        "auc_frozen",
    ]
    print_table(columns, [[month[key] for key in keys] for month in story["months"]])
    totals = story["totals"]
    gain = totals["mean_auc_loop"] - totals["mean_auc_frozen"]
    print(
        f"\nMean AUC {totals['mean_auc_loop']:.3f} with the loop, {totals['mean_auc_frozen']:.3f} with the first version frozen "
        f"(+{gain:.3f}). {totals['predictions']:,} predictions, {totals['trainings']} trainings by the loop itself, "
        f"{totals['refused']} refused by a gate, {totals['promoted']} promoted, {totals['rolled_back']} rolled back."
    )


def write_html(story: dict[str, Any], path: Path) -> None:
    """Writes the story as one page that needs nothing else: styles, tables and plots stand in it."""
    from mako.template import Template

    source = (resources.files("flyball.cli") / "template" / "report.html").read_text(encoding="utf-8")
    page = Template(source, default_filters=["h"]).render(**story, plot=_plot(story["months"], story["story"]))
    path.write_text(page, encoding="utf-8")


def _scores(workspace: Workspace, root: Path) -> list[tuple[int, int, float, float]]:
    import duckdb
    import numpy as np
    import pyarrow.parquet as pq

    from flyball.evaluation.scores import METRICS
    from flyball.serving.prediction_log import read_predictions

    wanted = ["prediction_id", "at", "probability"]
    predictions, _ = read_predictions(workspace.store, _LOOP, columns=wanted)
    auc = METRICS.get("roc_auc").compute
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("predictions", predictions)
        connection.register("history", pq.read_table(root / "data" / "history.parquet"))
        connection.register("frozen", pq.read_table(root / "frozen.parquet"))
        rows = connection.execute(_SCORES).fetchall()

    def numbers(values: Sequence[float]) -> npt.NDArray[np.float64]:
        return np.asarray(values, dtype=np.float64)

    return [
        (month, n, auc(numbers(truth), numbers(live)), auc(numbers(truth), numbers(frozen)))
        for month, n, truth, live, frozen in rows
    ]


def _brief(reason: str) -> str:
    return reason if len(reason) <= 70 else reason[:67].rstrip() + "..."


def _gate(version: int | None, versions: dict[int, Any]) -> str:
    found = versions.get(version or 0)
    if found is None or found.verdict is None:
        return "no version"
    held = [decision.gate for decision in found.verdict.decisions if not decision.passed]
    return f"v{version} held by {', '.join(held)}" if held else f"v{version} passed"


def _champion(revisions: Sequence[Any], month: int) -> int:
    end = datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    before = [revision for revision in revisions if revision.at < end]
    return int((before or list(revisions)[-1:])[0].champion)


def _plot(months: list[dict[str, Any]], story: list[dict[str, Any]]) -> str:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.6))
    places: Any = [datetime.fromisoformat(f"{month['month']}-15") for month in months]
    axes.plot(places, [m["auc_loop"] for m in months], marker="o", color="#0b7285", label="with the loop")
    axes.plot(places, [m["auc_frozen"] for m in months], marker="o", color="#adb5bd", label="first version, frozen")
    colours = {
        "promote": ("#2b8a3e", "promoted"),
        "refuse": ("#e8590c", "refused"),
        "roll back": ("#c92a2a", "rolled back"),
    }
    bottom = axes.get_ylim()[0]
    for decision, (colour, label) in colours.items():
        at = [told["at"].replace(tzinfo=None) for told in story if told["decision"] == decision]
        if at:
            axes.scatter(at, [bottom] * len(at), marker="|", s=120, color=colour, label=label, zorder=3)
    axes.set_ylabel("ROC AUC of the month's live predictions")
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=5, fontsize=8)
    figure.tight_layout()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    plt.close(figure)
    text = drawn.getvalue()
    return text[text.index("<svg") :]
