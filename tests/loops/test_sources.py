"""Watched sources make snapshots by themselves."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import flyball as fb
from flyball.loops.sources import Sources
from flyball.workspace import Workspace

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def watched(workspace: Workspace) -> Path:
    """A file that is looked at once by each watcher."""
    source = workspace.root / "prices.csv"
    source.write_text("a\n1\n")
    workspace.data.declare(fb.dataset("prices", str(source), watch="1h"))
    return source


def kinds(workspace: Workspace) -> list[str]:
    return [event.kind for event in workspace.events.list(limit=100) if event.kind.startswith(("data.s", "alerts"))]


def test_a_change_makes_a_snapshot_and_tells_of_it(workspace: Workspace, watched: Path) -> None:
    sources = Sources(workspace)
    sources.look()
    watched.write_text("a\n1\n2\n")
    assert sources.look() == []  # it is not time yet
    Sources(workspace).look()
    Sources(workspace).look()
    assert [snapshot.rows for snapshot in workspace.data.list_snapshots("prices")] == [2, 1]
    assert kinds(workspace).count("data.source_changed") == 2


def test_a_source_that_cannot_be_read_is_an_alert_until_it_can(workspace: Workspace, watched: Path) -> None:
    watched.rename(watched.with_suffix(".away"))
    for _ in range(2):
        Sources(workspace).look()
    (alert,) = workspace.alerts.list("active")
    assert (alert.subject, alert.cause, alert.count) == ("datasets:/prices", "source", 2)
    assert "prices.csv" in alert.detail
    watched.with_suffix(".away").rename(watched)
    Sources(workspace).look()
    assert workspace.alerts.list("active") == []
    assert workspace.data.get_snapshot("prices").rows == 1


def test_only_who_acts_looks(workspace: Workspace, watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.loops.sources._PAUSE_SECONDS", 0.01)
    stop, acting = threading.Event(), threading.Event()
    thread = threading.Thread(target=Sources(workspace, may_look=acting.is_set).run, args=(stop,))
    thread.start()
    try:
        time.sleep(0.1)
        assert workspace.data.list_snapshots("prices") == []
        acting.set()
        until = time.monotonic() + 20
        while not workspace.data.list_snapshots("prices"):
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()
