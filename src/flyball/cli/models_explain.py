"""`flyball models explain`: what each column contributed to the predictions of a file's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import format_value, print_json, print_table, workspace_options

_WIDTH = 12
_MOST_COLUMNS = 10
_SCALES = {
    "value": "the predicted value",
    "log": "the logarithm of the predicted value",
    "probability": "the probability",
    "log-odds": "the log-odds",
    "margin": "the margin",
}


@click.command()
@click.argument("version")
@click.option(
    "--input", "source", required=True, metavar="FILE", help="Parquet, CSV or JSON lines with the model's columns."
)
@click.option(
    "--rows", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many rows, from the first."
)
@click.option("--target", metavar="CLASS", help="The class to explain; by default the last one.")
@click.option("--method", help="Explainer: linear, tree, booster, sampling; by default the most exact that fits.")
@click.option(
    "--samples", default=64, show_default=True, help="Orders of the columns drawn a row, where they are drawn."
)
@workspace_options
def explain(
    workspace: Any, version: str, source: str, rows: int, target: str | None, method: str | None, samples: int, as_json: bool
) -> None:  # fmt: skip
    """Say what each column contributed to what VERSION predicts for the rows of a file."""
    from flyball.data.snapshot import read_files
    from flyball.registry.explaining import explain_version

    table = read_files(Path.cwd(), source).slice(0, rows)
    found = explain_version(
        workspace.registry.get_version(version),
        table,
        blobs=workspace.blobs,
        target=target,
        method=method,
        samples=samples,
    )
    if as_json:
        print_json(found)
        return
    of_class = "" if found.target is None else f" of {found.target}"
    click.echo(f"{found.how} They add up to {_SCALES[found.scale]}{of_class}; base {format_value(found.base)}.")
    for place, row in enumerate(found.rows, 1):
        click.echo(f"\nRow {place}: {format_value(row.prediction)}")
        _print_bars([(one.column, one.value, one.contribution, one.error) for one in row.contributions])
    if len(found.rows) > 1:
        click.echo("\nOver all rows:")
        lines = [[one.column, one.size, one.error] for one in found.columns[:_MOST_COLUMNS]]
        print_table(["column", "mean size", "error"], lines)


COMMANDS = (explain,)


def _print_bars(contributions: list[tuple[str, object, float, float | None]]) -> None:
    shown, rest = contributions[:_MOST_COLUMNS], contributions[_MOST_COLUMNS:]
    if rest:
        shown.append((f"{len(rest)} others", "", sum(each[2] for each in rest), None))
    largest = max((abs(each[2]) for each in shown), default=0.0)
    drawn = any(error is not None for *_, error in shown)
    lines = [
        [column, value, f"{size:+.4g}", *([error] if drawn else []), bar(size, largest)]
        for column, value, size, error in shown
    ]
    print_table(["column", "value", "moves it by", *(["error"] if drawn else []), "down | up"], lines)


def bar(size: float, largest: float) -> str:
    """A bar to the left for what lowers the prediction, to the right for what raises it.

    >>> bar(-1, 2)
    '      ██████|'
    >>> bar(2, 2)
    '            |████████████'
    """
    length = round(abs(size) / largest * _WIDTH) if largest else 0
    return ("█" * length).rjust(_WIDTH) + "|" if size < 0 else " " * _WIDTH + "|" + "█" * length
