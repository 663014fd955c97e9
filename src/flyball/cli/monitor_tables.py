"""`flyball monitor table`: two tables compared by the monitors; and how windows are shown on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_json, print_table, workspace_options

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.monitoring.windows import Window

_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 24


@click.command("table")
@click.argument("reference")
@click.argument("table")
@click.option("--every", default="", help="Windows of so many rows, or of a time such as 1d (with --time).")
@click.option("--time", "time_column", default="", help="Column of each row's time.")
@click.option("--by", default="", help="Column by whose values the table is examined segment by segment.")
@click.option("--columns", default="", help="Only these columns, separated by commas.")
@click.option("--metric", default="jensen_shannon", show_default=True, help="Drift metric that measures the size.")
@click.option("--joint/--no-joint", default=True, show_default=True, help="Compare rows as wholes too.")
@click.option("--fail", is_flag=True, help="Exit with 1 if something is found.")
@workspace_options
def compare_tables(
    workspace: Any,
    reference: str,
    table: str,
    every: str,
    time_column: str,
    by: str,
    columns: str,
    metric: str,
    joint: bool,
    fail: bool,
    as_json: bool,
) -> None:
    """Compare TABLE with REFERENCE: each a dataset, dataset@version, file or pattern."""
    from flyball.monitoring import joint as joints
    from flyball.monitoring import monitor
    from flyball.monitoring.reference import fit_reference
    from flyball.monitoring.tables import segments_of

    before, after = _read(workspace, reference), _read(workspace, table)
    wanted = [name.strip() for name in columns.split(",") if name.strip()] or None
    own = _windows(before, every, time_column) if every else []
    watched = before.drop_columns([time_column]) if time_column in before.column_names and wanted is None else before
    fitted = fit_reference(
        watched, columns=wanted, windows=own if len(own) > 2 else (), joint=joints.USUAL if joint else ()
    )
    monitors = [monitor.drift(metric=metric), monitor.quality(), *([monitor.multivariate()] if joint else [])]
    segments = segments_of(after, by) if by else {"": after}
    found = {
        name: _examined(part, fitted, monitors, every, time_column, name or table) for name, part in segments.items()
    }
    if as_json:
        print_json(found if by else found[""])
    else:
        for name, windows in found.items():
            _show_all(name, by, windows, fitted)
    if fail and any(window.causes for windows in found.values() for window in windows):
        raise click.exceptions.Exit(1)


def show_window(window: Window) -> None:
    """Prints what the monitors found in a window, table by table; what was not looked at is left out."""
    if window.drift is not None:
        counts = {} if window.profile is None else window.profile.columns
        rows = [
            [c.column, spark(counts[c.column].counts) if c.column in counts else "", c.distance, c.excess, c.q_value,
             c.drifted, c.cause]
            for c in window.drift.columns
        ]  # fmt: skip
        print_table(["column", "spread", "distance", "excess", "q", "drifted", "what changed"], rows)
    if window.quality:
        rows = [[f.column or "(rows)", f.kind, f.reference, f.current, f.detail] for f in window.quality]
        print_table(["column", "fault", "before", "now", "what is wrong"], rows)
    if window.multivariate:
        rows = [[j.group, j.metric, j.distance, j.p_value, j.drifted, j.cause] for j in window.multivariate]
        print_table(["rows of", "metric", "distance", "p", "drifted", "what changed"], rows)
    if window.outcomes:
        rows = [[c.column, c.distance, c.q_value, c.drifted, c.cause] for c in window.outcomes]
        print_table(["outcome", "distance", "q", "drifted", "what changed"], rows)
    measured = [("measured", m) for m in window.performance] + [("estimated", m) for m in window.estimated]
    if measured:
        rows = [[m.name.split()[0], how, m.value, m.low, m.high, m.n] for how, m in measured]
        print_table(["metric", "how", "value", "low", "high", "rows"], rows)
    if window.fairness:
        rows = [[f.column, f.measure, f.value, f.low, f.high, f.is_unfair, f.sentence] for f in window.fairness]
        print_table(["groups of", "measure", "value", "low", "high", "unfair", "worst pair"], rows)
    if window.bias:
        rows = [[b.column, b.group, b.n, getattr(b, b.metric), b.ratio, b.is_apart] for b in window.bias]
        print_table(["groups of", "group", "rows", "rate", "ratio", "apart"], rows)
    for finding in window.findings:
        click.echo(f"- {finding}")


def spark(values: Sequence[float | None]) -> str:
    """Numbers as a row of bars, the greatest the highest; a dot where there is none.

    >>> spark([1, 4, None, 8])
    '▁▄·█'
    """
    shown = list(values)
    if len(shown) > _MOST_BARS:  # neighbours together
        step = -(-len(shown) // _MOST_BARS)
        parts = [shown[start : start + step] for start in range(0, len(shown), step)]
        shown = [sum(value or 0.0 for value in part) for part in parts]
    top = max((value for value in shown if value is not None), default=0.0) or 1.0
    bars = ["·" if value is None else _BLOCKS[max(0, min(7, round(value / top * 8) - 1))] for value in shown]
    return "".join(bars)


def _read(workspace: Any, name: str) -> pa.Table:
    from flyball.data.snapshot import load_snapshot, read_files
    from flyball.errors import InvalidInput, NotFound

    if Path(name).exists() or "*" in name or Path(name).suffix in (".parquet", ".csv", ".json", ".jsonl"):
        return read_files(Path.cwd(), name)
    dataset, _, version = name.partition("@")
    try:
        snapshot = workspace.data.get_snapshot(dataset, version) if version else workspace.data.get_snapshot(dataset)
    except NotFound as error:
        raise InvalidInput(
            f"'{name}' is no file, and no dataset.", hint=error.hint or "Name a dataset, or a file or pattern."
        ) from error
    return load_snapshot(workspace.blobs, snapshot)


def _windows(table: pa.Table, every: str, time_column: str) -> list[pa.Table]:
    from flyball.clock import parse_duration
    from flyball.monitoring.tables import cut_windows

    if every.isdigit():
        return cut_windows(table, every=int(every))
    cut = cut_windows(table, every=parse_duration(every), time=time_column)
    return list(cut)


def _examined(
    table: pa.Table, reference: Any, monitors: Sequence[Any], every: str, time_column: str, name: str
) -> list[Window]:
    from flyball.monitoring.tables import Roles, examine_series

    windows = _windows(table, every, time_column) if every else [table]
    roles = Roles(prediction="", probability="", truth="", time=time_column)
    return examine_series(windows, reference, monitors=monitors, name=name, roles=roles)


def _show_all(name: str, by: str, windows: Sequence[Window], reference: Any) -> None:
    if by:
        click.secho(f"{by} {name}", bold=True)
    if len(windows) == 1:
        (window,) = windows
        click.echo(f"{window.predictions:,} rows beside {reference.n:,} of the reference")
        show_window(window)
        if not window.causes:
            click.echo("All is quiet.")
        return
    rows = [
        [place + 1, w.predictions, _share(w), ", ".join(w.causes) or "quiet", "; ".join(w.findings[:2])]
        for place, w in enumerate(windows)
    ]
    print_table(["window", "rows", "drifted", "causes", "findings"], rows)
    click.echo(f"drifted columns by window: {spark([0.0 if w.drift is None else w.drift.share for w in windows])}")


def _share(window: Window) -> str:
    if window.drift is None:
        return ""
    return f"{sum(column.drifted for column in window.drift.columns)} of {len(window.drift.columns)}"
