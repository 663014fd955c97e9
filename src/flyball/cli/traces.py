"""`flyball traces`: what applications did to answer requests, span by span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from flyball.cli.output import format_value, print_facts, print_json, print_table, workspace_options

_WIDTH = 24
_DEEPEST = 60


@click.group()
def traces() -> None:
    """Traces of applications: list, show, delete."""


@traces.command("list")
@click.option("--experiment", "experiments", multiple=True, help="Only those of this experiment, by name or id.")
@click.option("--filter", "text", default="", help="Such as \"status = 'ERROR' AND span.type = 'LLM'\".")
@click.option("--order", "order_by", multiple=True, help="Such as 'execution_time DESC'; newest first by default.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def list_traces(
    workspace: Any, experiments: Sequence[str], text: str, order_by: Sequence[str], limit: int, as_json: bool
) -> None:
    """List traces, newest first."""
    page = workspace.traces.search(
        text, experiments=list(experiments) or None, order_by=list(order_by), limit=max(1, min(limit, 500))
    )
    if as_json:
        print_json(page.traces)
        return
    rows = [
        [
            t.id,
            t.name,
            t.state,
            t.started,
            t.milliseconds,
            t.span_count,
            t.tokens.get("total_tokens"),
            t.request_preview,
        ]
        for t in page.traces
    ]
    print_table(["trace", "name", "state", "started", "ms", "spans", "tokens", "request"], map(_short, rows))


@traces.command()
@click.argument("trace")
@workspace_options
def show(workspace: Any, trace: str, as_json: bool) -> None:
    """Show a TRACE: its spans as a tree with their durations, and what was thought of it."""
    found = workspace.traces.get(trace)
    if as_json:
        print_json(found)
        return
    facts = {name: getattr(found, name) for name in ("id", "experiment", "name", "state", "started", "milliseconds")}
    more = ("session", "tokens", "cost", "request_preview", "response_preview", "tags")
    print_facts(facts | {name: getattr(found, name) for name in more if getattr(found, name)})
    if found.spans:
        click.echo()
        print_table(["span", "type", "status", "ms", "when"], _tree(found.spans))
    if found.assessments:
        click.echo()
        rows = [[a.name, a.kind, a.value, a.source, a.rationale, a.valid] for a in found.assessments]
        print_table(["assessment", "kind", "value", "by", "why", "valid"], rows)


@traces.command()
@click.argument("traces", nargs=-1)
@click.option("--experiment", default="", help="Only those of this experiment, by name or id.")
@click.option("--before", default=None, help="Those that started then or earlier, such as 2026-01-31.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
def delete(
    workspace: Any, traces: Sequence[str], experiment: str, before: str | None, yes: bool, as_json: bool
) -> None:
    """Delete TRACES for good, with their spans and judgements."""
    from flyball.clock import parse_time

    if not yes:
        click.confirm("Deleted traces cannot be brought back. Go on?", abort=True)
    until = parse_time(before) if before else None
    gone = workspace.traces.delete(experiment, traces=list(traces) or None, before=until)
    if as_json:
        print_json({"deleted": gone})
    else:
        click.echo(f"Deleted traces: {gone}")


def _tree(spans: Sequence[Any]) -> Iterator[list[object]]:
    """Every span beneath its parent, and where in the trace it stood."""
    ids = {span.id for span in spans}
    children: dict[str, list[Any]] = {}
    for span in spans:
        children.setdefault(span.parent if span.parent in ids else "", []).append(span)
    first = min(span.started_ns for span in spans)
    last = max(span.ended_ns or span.started_ns for span in spans)
    left = [(span, 0) for span in reversed(children.get("", []))]
    seen: set[str] = set()
    while left:
        span, depth = left.pop()
        seen.add(span.id)
        label = "  " * min(depth, _DEEPEST) + span.name + (f" ({span.model})" if span.model else "")
        took = None if span.milliseconds is None else f"{span.milliseconds:,.1f}"
        yield [
            label,
            span.type,
            span.status + (f": {span.message}" if span.message else ""),
            took,
            _bar(span, first, last),
        ]
        below = sorted(children.get(span.id, []), key=lambda one: (-one.started_ns, one.id))
        left += [(child, depth + 1) for child in below if child.id not in seen]


def _bar(span: Any, first: int, last: int) -> str:
    length = max(last - first, 1)
    start = min(int((span.started_ns - first) * _WIDTH // length), _WIDTH - 1)
    end = max(int(((span.ended_ns or last) - first) * _WIDTH // length), start + 1)
    return "." * start + "=" * (end - start) + "." * (_WIDTH - end)


def _short(row: list[object]) -> list[str]:
    """A row whose texts fit on a line."""
    shown = [" ".join(format_value(value).split()) for value in row]
    return [text if len(text) <= 60 else text[:57] + "..." for text in shown]
