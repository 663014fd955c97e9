"""`flyball predict`: a file of rows in, a file of predictions out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options
from flyball.errors import InvalidInput
from flyball.refs import Ref

_SHOWN = 20


@click.command()
@click.argument("model")
@click.option(
    "--input", "source", required=True, metavar="FILE", help="Parquet, CSV or JSON lines with the model's columns."
)
@click.option("--output", "target", metavar="FILE", help="Parquet or CSV; by default the first rows are shown.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Column of the input to keep beside the prediction.")
@click.option(
    "--features",
    "views",
    multiple=True,
    metavar="VIEW",
    help="Feature view, or on-demand features of the project, to join.",
)
@click.option("--time", "time_column", metavar="COLUMN", help="Column with the time at which features are looked up.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that score.")
@workspace_options
def predict(
    workspace: Any, model: str, source: str, target: str | None, keep: tuple[str, ...], views: tuple[str, ...],
    time_column: str | None, workers: int, as_json: bool,
) -> None:  # fmt: skip
    """Score a file with MODEL: `models:/name@champion`, `models:/name/3`, or a deployment's name.

    With --output, Parquet is read and scored piece by piece; run the same again after a run that was cut off, and it goes on.
    """
    version = workspace.registry.get_version(_ref(workspace, model))
    used = f"models:/{version.model}/{version.version}"
    if target is None:
        _show(version, workspace.blobs, _rows(workspace, source, keep, views, time_column), keep, used, as_json=as_json)
        return
    from flyball.serving.batch_scoring import score_to_file

    pieces, count, mark = _pieces(workspace, version, source, keep, views, time_column)
    with click.progressbar(length=count, label="Scoring", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        score = score_to_file(
            version.package, workspace.blobs, pieces, Path(target), keep=keep, source=mark, workers=workers,
            tell=lambda done: bar.update(done - bar.pos),
        )  # fmt: skip
    if as_json:
        print_json({"model": used, "rows": score.rows, "resumed": score.resumed, "output": target})
        return
    resumed = f", {score.resumed:,} of them by a former run" if score.resumed else ""
    click.echo(f"{score.rows:,} predictions of {used} in {target}{resumed}.")


def _pieces(
    workspace: Any, version: Any, source: str, keep: tuple[str, ...], views: tuple[str, ...], time_column: str | None
) -> tuple[Iterator[Any], int, str]:
    """The input in pieces, its number of rows, and what tells it from another."""
    from flyball.serving.batch_scoring import parquet_files, slices, stream_parquet

    files = [] if views else parquet_files(Path(source))
    if not files:
        rows = _rows(workspace, source, keep, views, time_column)
        return slices(rows), rows.num_rows, f"{source} {rows.num_rows} {views} {time_column} {_mark([Path(source)])}"
    import pyarrow.parquet as pq

    for path in files:
        _check_kept(source, pq.read_schema(path).names, keep)
    pieces, count = stream_parquet(files, [*version.package.signature.inputs.names, *keep])
    return pieces, count, _mark(files)


def _mark(files: list[Path]) -> str:
    found = [(str(path), path.stat()) for path in files if path.exists()]
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found)


def _rows(workspace: Any, source: str, keep: tuple[str, ...], views: tuple[str, ...], time_column: str | None) -> Any:
    from flyball.data.snapshot import read_files

    rows = read_files(Path.cwd(), source)
    if views:
        rows = _join(workspace, rows, views, time_column)
    _check_kept(source, rows.column_names, keep)
    return rows


def _check_kept(source: str, names: list[str], keep: tuple[str, ...]) -> None:
    unknown = [name for name in keep if name not in names]
    if unknown:
        raise InvalidInput(f"'{source}' has no column '{unknown[0]}'.", hint=f"It has: {', '.join(names)}.")


def _show(version: Any, blobs: Any, rows: Any, keep: tuple[str, ...], used: str, *, as_json: bool) -> None:
    from flyball.models.package import load_model

    wanted = rows if as_json else rows.slice(0, _SHOWN)
    scored = load_model(version.package, blobs).predict(wanted)
    for place, name in enumerate(keep):
        scored = scored.add_column(place, name, wanted[name])
    if as_json:
        print_json({"model": used, "rows": rows.num_rows, "output": None, "predictions": scored.to_pylist()})
        return
    print_table(scored.column_names, [list(row.values()) for row in scored.to_pylist()])
    if rows.num_rows > _SHOWN:
        click.echo(f"... and {rows.num_rows - _SHOWN:,} more; give --output to keep them.", err=True)


def _join(workspace: Any, rows: Any, views: tuple[str, ...], time_column: str | None) -> Any:
    from flyball.cli.features import with_features

    if time_column is None:
        raise InvalidInput("Features are looked up at a time.", hint="Name its column with --time.")
    return with_features(workspace, rows, views, time_column)


def _ref(workspace: Any, model: str) -> str:
    names = {deployment.name: deployment for deployment in workspace.deployments.list(limit=1000)}
    if model in names:
        return str(Ref(kind="models", name=names[model].model, version=str(names[model].champion)))
    return model
