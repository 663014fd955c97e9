"""What Prometheus reads of the control plane, and that the dashboard asks for nothing that is not told."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from flyball.evaluation.scores import MetricValue
from flyball.loops.loop import Loop
from flyball.monitoring.evidence import ColumnDrift, DriftReport
from flyball.monitoring.windows import Window
from flyball.server.protocols.prometheus import render, samples
from flyball.serving import metrics as serving_metrics
from flyball.workspace import Workspace
from tests.loops.test_loops import LOOP

LINE = re.compile(r'flyball_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+-]+')
DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "flyball.json"


@pytest.fixture
def watched(workspace: Workspace) -> Workspace:
    """A loop with one window in which all there can be was found."""
    loop: Loop = replace(LOOP, name="churn")
    workspace.loops.apply(loop)
    workspace.loops.trigger("churn")
    workspace.alerts.open("critical", "drift", "loops:/churn", "drift", "It drifted")
    end = workspace.time.now()
    auc = MetricValue(name="roc_auc", value=0.71, low=0.7, high=0.72, n=900)
    column = ColumnDrift(
        column='a"ge\\', metric="psi", distance=0.3, excess=0.2, threshold=0.1, p_value=0.0, q_value=0.0, drifted=True,
        cause="older",
    )  # fmt: skip
    report = DriftReport(columns=(column,), drifted=True, share=1.0, n=1000, n_reference=9000)
    workspace.monitoring.record_window(
        Window(
            deployment="churn",
            start=end - timedelta(days=1),
            end=end,
            predictions=1000,
            labelled=900,
            complete=True,
            performance=(auc,),
            estimated=(auc,),
            drift=report,
        )
    )
    return workspace


def test_every_line_is_one_that_prometheus_reads(watched: Workspace) -> None:
    lines = render(samples(watched)).splitlines()
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in lines)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)), "a name is told in one place"


def test_what_is_known_is_told(watched: Workspace) -> None:
    text = render(samples(watched))
    assert 'flyball_alerts{severity="critical",state="open"} 1' in text
    assert 'flyball_trainings{loop="churn",state="pending"} 1' in text
    assert 'flyball_performance_low{deployment="churn",metric="roc_auc"} 0.7' in text
    assert 'flyball_estimated{deployment="churn",metric="roc_auc"} 0.71' in text
    assert 'flyball_drift_distance{deployment="churn",column="a\\"ge\\\\"} 0.3' in text


def test_an_empty_workspace_tells_nothing(workspace: Workspace) -> None:
    assert render(samples(workspace)) == "\n"


def test_it_is_told_over_http(watched: Workspace, url: str) -> None:
    answer = urllib3.request("GET", f"{url}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"flyball_loop_state" in answer.data


def test_the_dashboard_asks_for_nothing_that_is_not_told(watched: Workspace) -> None:
    asked = set(re.findall(r"flyball_[a-z_]+", json.dumps(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])))
    told = set(re.findall(r"^(flyball_[a-z_]+)", render(samples(watched)), re.MULTILINE))
    told |= set(re.findall(r"# TYPE (flyball_[a-z_]+)", serving_metrics.prometheus([])))
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= told
