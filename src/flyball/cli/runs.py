"""`flyball runs`: runs, found, compared, charted, and written to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flyball.cli import runs_many, runs_steps
from flyball.cli.data_versions import progress_bar
from flyball.cli.output import plain, print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput
from flyball.tracking.filters import parse_filter
from flyball.tracking.run_fields import RUN_FIELDS

if TYPE_CHECKING:
    from flyball.tracking.frame import RunTable

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = ["id", "experiment", "name", "state", "started", "seconds"]
_MOST_CURVES = 6


@click.group()
def runs() -> None:
    """Runs: list, compare, chart, tag, export, delete."""


def searching(command: F) -> F:
    """Adds what says which runs are meant: a view, a filter, experiments, an order."""
    for option in (
        click.option("--view", default="", help="The search that was kept under this name."),
        click.option("--order", "order_by", multiple=True, help="Such as 'metrics.accuracy DESC'; may be repeated."),
        click.option("--experiment", "experiments", multiple=True, help="Name or id; may be repeated."),
        click.option(
            "--filter", "filter_", default="", help="Such as \"metrics.accuracy > 0.9 AND params.depth = '5'\"."
        ),
    ):
        command = option(command)
    return command


def asked(
    workspace: Any,
    view: str,
    filter_: str,
    experiments: Sequence[str],
    order_by: Sequence[str],
    columns: Sequence[str] = (),
) -> tuple[str, list[str], list[str], list[str]]:
    """Filter, experiments, order and columns that options mean, together with those of a saved view."""
    # Read by itself first, so that an error tells the place in what was written.
    parse_filter(filter_, RUN_FIELDS)
    if not view:
        return filter_, list(experiments), list(order_by), list(columns)
    saved = workspace.saved_views.get(view)
    both = [f"({one})" for one in (saved.filter, filter_) if one.strip()]
    return (
        " AND ".join(both) if len(both) > 1 else saved.filter or filter_,
        list(experiments) or saved.experiments,
        list(order_by) or saved.order_by,
        list(columns) or saved.columns,
    )


@runs.command("list")
@searching
@click.option("--column", "columns", multiple=True, help="Such as params.depth or metrics.accuracy; may be repeated.")
@click.option("--kind", default="", help="Only those of this kind, such as pipeline, step, training.")
@click.option("--steps", is_flag=True, help="Also the steps of pipelines.")
@click.option("--deleted", is_flag=True, help="Those in the trash.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def list_runs(
    workspace: Any,
    view: str,
    filter_: str,
    experiments: tuple[str, ...],
    order_by: tuple[str, ...],
    columns: tuple[str, ...],
    kind: str,
    steps: bool,
    deleted: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, newest first, or those that a filter finds."""
    from flyball.tracking.frame import reader

    where, names, order, shown = asked(workspace, view, filter_, experiments, order_by, columns)
    more = f"kind = '{kind.replace(chr(39), chr(39) * 2)}'" if kind else "" if steps or where else "kind != 'step'"
    where = " AND ".join(f"({one})" for one in (where, more) if one.strip())
    page = workspace.run_search.search(
        where, experiments=names, order_by=order, limit=limit, deleted="deleted" if deleted else "active"
    )
    if as_json:
        print_json(page.runs)
        return
    readers = [reader(column) for column in (shown or _SHORT)]
    rows: list[list[object]] = [[read(run) for read in readers] for run in page.runs]
    if not shown:
        # What the machine did meanwhile would drown what the run is about; `show` tells it.
        told = [
            {key: value for key, value in run.metrics.items() if not key.startswith("system/")} for run in page.runs
        ]
        rows = [[*row, metrics] for row, metrics in zip(rows, told, strict=True)]
    print_table([*(shown or ["run", *_SHORT[1:], "metrics"])], rows)
    if page.next_page_token:
        click.echo(f"There are more than these {limit}; see --limit and --filter.")


@runs.command()
@click.argument("run")
@workspace_options
def show(workspace: Any, run: str, as_json: bool) -> None:
    """Show a run: params, metrics, steps, artifacts."""
    found = workspace.tracking.get_run(run)
    steps = workspace.tracking.list_runs(parent=run, limit=1000)
    artifacts = workspace.tracking.list_artifacts(run)
    if as_json:
        print_json({"run": found, "steps": steps, "artifacts": artifacts})
        return
    facts = {key: value for key, value in plain(found).items() if key not in ("environment", "metrics", "error")}
    print_facts({**facts, **{f"metric {name}": value for name, value in found.metrics.items()}})
    if steps:
        rows = [[s.name, s.state, _seconds(s), s.tags.get("why", ""), s.params] for s in reversed(steps)]
        print_table(["step", "state", "seconds", "why", "params"], rows)
    if artifacts:
        print_table(
            ["artifact", "kind", "bytes", "digest"], [[a.name, a.kind, a.size, a.digest[:12]] for a in artifacts]
        )
    if found.error:
        click.echo(f"\n{found.error}")


@runs.command()
@click.argument("run")
@click.argument("name", default="")
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), help="Folder for the files (default: the run's id)."
)
@workspace_options
def download(workspace: Any, run: str, name: str, to: Path | None, as_json: bool) -> None:
    """Fetch what a run left behind: all of its artifacts, or the file or folder NAME.

    Files that stand there under the same names are replaced.
    """
    from flyball.tracking.downloads import download_artifacts

    target = to or Path(run)
    with progress_bar("fetching", hidden=as_json) as progress:
        found = download_artifacts(workspace, run, target, prefix=name, tell=progress)
    if as_json:
        print_json([str(path) for path in found])
    else:
        click.echo(f"{len(found)} {'file' if len(found) == 1 else 'files'} in {target}")


@runs.command()
@click.argument("run")
@click.argument("metric")
@workspace_options
def metric(workspace: Any, run: str, metric: str, as_json: bool) -> None:
    """Show every value of a METRIC of a RUN."""
    found = workspace.tracking.metric_history(run, metric, limit=10_000)
    if as_json:
        print_json(found)
    else:
        print_table(["step", "value", "at"], [[point.step, point.value, point.at] for point in found])


@runs.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--all", "show_all", is_flag=True, help="Also the params that are equal.")
@click.option("--diff", is_flag=True, help="Also the lines of code that differ.")
@workspace_options
def compare(workspace: Any, runs: tuple[str, ...], show_all: bool, diff: bool, as_json: bool) -> None:
    """Show what is different between RUNS: params, metrics, data, environment, code."""
    found = workspace.run_search.compare(list(runs))
    if as_json:
        print_json(found)
        return
    names = [run.name or run.id for run in found.runs]
    print_facts({f"run {place}": f"{run.id} {run.name}" for place, run in enumerate(found.runs, 1)})
    for title, rows in (
        ("param", [[row.key, *row.values] for row in found.params]),
        ("equal param", [[key, *[value] * len(names)] for key, value in found.same_params.items()] if show_all else []),
        ("metric", [[row.key, *_marked(row.values, row.best)] for row in found.metrics]),
        ("tag", [[row.key, *row.values] for row in found.tags]),
        ("data", [[row.name, *row.states] for row in found.data]),
        ("environment", [[row.key, *row.values] for row in found.environment]),
    ):
        if rows:
            click.echo()
            print_table([title, *names], rows)
    for code in found.code:
        click.echo(f"\nCode of {code.run}: " + ("" if code.known else "another, and not kept file by file."))
        for file in code.files:
            click.echo(f"  {file.change:<8} {file.path}")
            if diff and file.diff:
                click.echo(file.diff)


@runs.command()
@click.argument("runs", nargs=-1, required=True)
@click.option(
    "--metric", "metrics", multiple=True, help="Which metric; may be repeated. By default all of the first run."
)
@click.option("--axis", type=click.Choice(["step", "time", "relative"]), default="step", show_default=True)
@click.option("--width", default=72, show_default=True, type=click.IntRange(20, 400), help="Characters across.")
@click.option("--height", default=14, show_default=True, type=click.IntRange(4, 100), help="Lines.")
@workspace_options
def chart(
    workspace: Any, runs: tuple[str, ...], metrics: tuple[str, ...], axis: str, width: int, height: int, as_json: bool
) -> None:
    """Draw metrics of RUNS as curves."""
    from flyball.cli.chart import Line, draw

    found = {run.id: run for run in workspace.tracking.get_runs(list(runs))}
    for run in runs:
        if run not in found:
            workspace.tracking.get_run(run)  # says what is wrong
    keys = metrics or tuple(list(found[runs[0]].metrics)[:_MOST_CURVES])
    curves = {key: workspace.tracking.chart(list(runs), key, buckets=width * 2, axis=axis) for key in keys}
    if as_json:
        print_json(curves)
        return
    units = {"step": "step", "time": "seconds since 1970", "relative": "seconds"}
    for key, lines in curves.items():
        drawn = []
        for line in lines:
            xs = line.steps if axis == "step" else [time / 1e6 for time in line.times]
            points = [(x, y) for x, y in zip(xs, line.values, strict=True) if y is not None]
            name = found[line.run].name or line.run
            drawn.append(Line(name=name, xs=[x for x, _ in points], ys=[y for _, y in points]))
        click.echo(draw(drawn, width=width, height=height, title=key, unit=units[axis]) + "\n")
    if not keys:
        click.echo("There are no metrics.")


@runs.command()
@click.argument("experiment")
@click.argument("metric")
@click.option("--direction", type=click.Choice(["auto", "max", "min"]), default="auto", show_default=True)
@click.option("--filter", "filter_", default="", help="Only runs that it finds.")
@click.option("--limit", default=10, show_default=True, help="How many to show.")
@workspace_options
def leaderboard(
    workspace: Any, experiment: str, metric: str, direction: str, filter_: str, limit: int, as_json: bool
) -> None:
    """Show the best runs of an EXPERIMENT by a METRIC."""
    # As filters and orders name it as well.
    metric = metric.removeprefix("metrics.")
    board = workspace.run_search.leaderboard(experiment, metric, direction, limit, filter_)
    if as_json:
        print_json(board)
        return
    rows = [[s.rank, s.run.id, s.run.name, s.value, s.behind, s.run.params] for s in board.standings]
    print_table(["rank", "run", "name", metric, "behind", "params"], rows, empty="No run has that metric.")


@runs.command()
@click.argument("by", nargs=-1, required=True)
@click.option("--value", "values", multiple=True, help="Such as 'mean(metrics.accuracy)'; may be repeated.")
@click.option("--filter", "filter_", default="", help="Only runs that it finds.")
@click.option("--experiment", "experiments", multiple=True, help="Name or id; may be repeated.")
@click.option("--limit", default=50, show_default=True, help="How many groups to show.")
@workspace_options
def group(
    workspace: Any,
    by: tuple[str, ...],
    values: tuple[str, ...],
    filter_: str,
    experiments: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Show runs in groups that have BY in common, such as params.depth or state."""
    found = workspace.run_search.group(list(by), list(values), filter_, list(experiments), limit)
    if as_json:
        print_json(found)
    else:
        rows = [[*one.values, one.count, *one.results] for one in found.groups]
        print_table([*by, "runs", *values], rows)


@runs.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@searching
@click.option("--column", "columns", multiple=True, help="Such as params.depth or metrics.accuracy; may be repeated.")
@click.option("--limit", default=100_000, show_default=True, help="How many runs at most.")
@workspace_options
def export(
    workspace: Any,
    file: Path,
    view: str,
    filter_: str,
    experiments: tuple[str, ...],
    order_by: tuple[str, ...],
    columns: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Write runs to a FILE: .csv, .parquet or .jsonl."""
    from flyball.tracking.frame import runs_table

    if file.suffix not in _WRITERS:
        raise InvalidInput(f"Runs cannot be written as '{file.suffix}'.", hint=f"Use {', '.join(_WRITERS)}.")
    where, names, order, shown = asked(workspace, view, filter_, experiments, order_by, columns)
    table = runs_table(
        workspace.run_search, where, experiments=names, order_by=order, columns=shown or None, limit=limit
    )
    fresh = file.with_name(file.name + ".part")
    _WRITERS[file.suffix](table, fresh)
    fresh.replace(file)
    if as_json:
        print_json({"file": str(file), "runs": len(table), "columns": table.columns})
    else:
        click.echo(f"{len(table):,} runs with {len(table.columns)} columns are in {file}.")


def _write_csv(table: RunTable, path: Path) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(table.arrow, path)


def _write_parquet(table: RunTable, path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(table.arrow, path)


def _write_lines(table: RunTable, path: Path) -> None:
    from flyball.serialization import to_json

    with path.open("wb") as file:
        file.writelines(to_json(row) + b"\n" for row in table.to_pylist())


_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet, ".jsonl": _write_lines}


def _marked(values: Sequence[float | None], best: Sequence[int]) -> list[object]:
    from flyball.cli.output import format_value

    return [f"{format_value(value)} *" if place in best else value for place, value in enumerate(values)]


def _seconds(run: Any) -> float | None:
    return None if run.ended is None else (run.ended - run.started).total_seconds()


for _command in (*runs_many.COMMANDS, *runs_steps.COMMANDS):
    runs.add_command(_command)
