"""`flyball predict`: a file of rows in, a file of predictions out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options
from flyball.errors import InvalidInput
from flyball.refs import Ref

_PIECE = 65_536


@click.command()
@click.argument("model")
@click.option(
    "--input", "source", required=True, metavar="FILE", help="Parquet, CSV or JSON lines with the model's columns."
)
@click.option("--output", "target", metavar="FILE", help="Parquet or CSV; by default the first rows are shown.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Column of the input to keep beside the prediction.")
@click.option(
    "--features", "views", multiple=True, metavar="VIEW", help="Feature view of the project whose values are joined."
)
@click.option("--time", "time_column", metavar="COLUMN", help="Column with the time at which features are looked up.")
@workspace_options
def predict(
    workspace: Any, model: str, source: str, target: str | None, keep: tuple[str, ...], views: tuple[str, ...],
    time_column: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Score a file with MODEL: `models:/name@champion`, `models:/name/3`, or a deployment's name."""
    import pyarrow as pa

    from flyball.data.snapshot import read_files
    from flyball.models.package import load_model

    version = workspace.registry.get_version(_ref(workspace, model))
    loaded = load_model(version.package, workspace.blobs)
    rows = read_files(Path.cwd(), source)
    if views:
        rows = _join(workspace, rows, views, time_column)
    unknown = [name for name in keep if name not in rows.column_names]
    if unknown:
        raise InvalidInput(f"'{source}' has no column '{unknown[0]}'.", hint=f"It has: {', '.join(rows.column_names)}.")
    parts = []
    for start in range(0, rows.num_rows, _PIECE):
        piece = rows.slice(start, _PIECE)
        scored = loaded.predict(piece)
        for place, name in enumerate(keep):
            scored = scored.add_column(place, name, piece[name])
        parts.append(scored)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{min(start + _PIECE, rows.num_rows):,} of {rows.num_rows:,} rows")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    result = pa.concat_tables(parts) if parts else loaded.predict(rows)
    if target is not None:
        _write(result, Path(target))
    used = f"models:/{version.model}/{version.version}"
    if as_json:
        body: dict[str, object] = {"model": used, "rows": result.num_rows, "output": target}
        print_json(body if target is not None else {**body, "predictions": result.to_pylist()})
    elif target is None:
        shown = result.slice(0, 20)
        print_table(shown.column_names, [list(row.values()) for row in shown.to_pylist()])
        if result.num_rows > 20:
            click.echo(f"... and {result.num_rows - 20:,} more; give --output to keep them.", err=True)
    else:
        click.echo(f"{result.num_rows:,} predictions of {used} in {target}.")


def _join(workspace: Any, rows: Any, views: tuple[str, ...], time_column: str | None) -> Any:
    from flyball.data.snapshot import read_files
    from flyball.features.join import join_features

    if time_column is None:
        raise InvalidInput("Features are looked up at a time.", hint="Name its column with --time.")
    root = workspace.project
    found = [workspace.features.get(name) for name in views]
    return join_features(rows, [(view, read_files(root, view.source)) for view in found], time=time_column)


def _ref(workspace: Any, model: str) -> str:
    names = {deployment.name: deployment for deployment in workspace.deployments.list(limit=1000)}
    if model in names:
        return str(Ref(kind="models", name=names[model].model, version=str(names[model].champion)))
    return model


def _write(table: Any, path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise InvalidInput(f"'{path}' is no name for predictions.", hint="Give a .parquet or .csv file.")
    fresh = path.with_name(path.name + ".part")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, fresh)
    else:
        import pyarrow.csv as csv

        csv.write_csv(table, fresh)
    fresh.replace(path)
