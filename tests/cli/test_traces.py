from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flyball.settings import load_settings
from flyball.tracking.spans import Span
from flyball.workspace import Workspace
from tests.cli.conftest import Command

NS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def span(number: int, trace: int = 1, parent: int = 0, start: int = 0, took: int = 10, **more: Any) -> Span:
    given = {"name": f"step{number}", "started_ns": NS + start * 10**6, "ended_ns": NS + (start + took) * 10**6}
    above = f"{parent:016x}" if parent else ""
    return Span(trace=f"tr-{trace:032x}", id=f"{number:016x}", parent=above, **{**given, **more})


@pytest.fixture
def workspace(sqlite_url: str, nowhere: Path) -> Iterator[Workspace]:
    """The workspace of the folder one stands in."""
    with Workspace(load_settings(environment={}, start=nowhere), durable=False) as made:
        spans = [
            span(1, name="agent", took=100, status="ok", inputs="why?"),
            span(2, parent=1, start=50, took=50, name="model", type="LLM", model="m-1", tokens={"total_tokens": 7}),
            span(3, parent=1, start=5, took=20, name="search", type="TOOL", status="error", message="boom"),
            span(4, parent=2, start=60, took=0, name="parse"),
        ]
        made.traces.record_spans("bot", spans)
        made.traces.record_spans("other", [span(1, trace=2, start=1000, status="error")])
        yield made


def test_traces_are_listed_newest_first(flyball: Command, workspace: Workspace) -> None:
    heading, second, first = flyball("traces", "list").out.splitlines()
    assert heading.split() == ["trace", "name", "state", "started", "ms", "spans", "tokens", "request"]
    assert first.split() == ["tr-" + "0" * 31 + "1", "agent", "ok", "2026-01-01", "00:00", "100", "4", "7", "why?"]
    assert second.split()[1:3] == ["step1", "error"]


def test_traces_are_listed_as_asked_for(flyball: Command, workspace: Workspace) -> None:
    listed = flyball("traces", "list", "--filter", "span.type = 'TOOL'", "--experiment", "bot", "--json").json
    assert [trace["name"] for trace in listed] == ["agent"]
    assert flyball("traces", "list", "--filter", "nonsense").code == 2


def test_a_trace_is_shown_as_a_tree_of_spans(flyball: Command, workspace: Workspace) -> None:
    workspace.assessments.create(f"tr-{1:032x}", "quality", 5, source="ann")
    said = flyball("traces", "show", f"tr-{1:032x}").out
    shown = said[said.index("span ") :].splitlines()[1:5]
    assert [row[: len(row) - len(row.lstrip())].count("  ") for row in shown] == [0, 1, 1, 2]
    assert [row.split()[0] for row in shown] == ["agent", "search", "model", "parse"]
    assert shown[0].endswith("=" * 24)
    assert shown[2].endswith("............============")
    assert "error: boom" in shown[1]
    assert "(m-1)" in shown[2]
    assert "quality" in said


def test_a_trace_is_shown_to_programs_with_all_that_is_kept(flyball: Command, workspace: Workspace) -> None:
    shown = flyball("traces", "show", f"tr-{1:032x}", "--json").json
    assert [one["name"] for one in shown["spans"]] == ["agent", "search", "model", "parse"]


def test_a_trace_that_is_not_there_is_not_found(flyball: Command, workspace: Workspace) -> None:
    assert flyball("traces", "show", "tr-9").code == 4


def test_traces_are_deleted(flyball: Command, workspace: Workspace) -> None:
    assert flyball("traces", "delete", "--yes", f"tr-{1:032x}", "tr-nope", "--json").json == {"deleted": 1}
    assert flyball("traces", "delete", "--yes", "--before", "2027-01-01").out == "Deleted traces: 1\n"
    assert workspace.traces.count() == 0


def test_deleting_asks_first_and_must_say_which(flyball: Command, workspace: Workspace) -> None:
    assert flyball("traces", "delete", "--yes").code == 2
    assert workspace.traces.count() == 2
