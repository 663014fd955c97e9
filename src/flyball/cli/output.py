"""What commands share: the workspace they work on, tables, key-value lists, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from flyball.errors import InvalidInput
from flyball.serialization import to_json, to_plain
from flyball.settings import load_settings

if TYPE_CHECKING:
    from flyball.client import RemoteWorkspace
    from flyball.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


def workspace_options(command: F) -> F:
    """Adds `--workspace`, `--url`, `--project` and `--json`; the command is handed `workspace` and `as_json`."""

    @wraps(command)
    def wrapped(
        *args: Any, workspace_folder: str | None, url: str | None, project_name: str | None, **kwargs: Any
    ) -> Any:
        with open_workspace(workspace_folder, url, project_name) as workspace:
            return command(*args, workspace=workspace, **kwargs)

    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
        click.option(
            "--project", "project_name", metavar="NAME", help="The project to work in (default FLYBALL_PROJECT)."
        ),
        click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace."),
        click.option(
            "--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball)."
        ),
    ):
        wrapped = option(wrapped)
    return cast("F", wrapped)


def open_workspace(
    folder: str | None = None, url: str | None = None, project: str | None = None
) -> Workspace | RemoteWorkspace:
    """The workspace of the present folder, or the project of it, after the command line's own settings."""
    settings = load_settings({"workspace": folder, "url": url, "project": project})
    if settings.url:
        from flyball.client import RemoteWorkspace

        return RemoteWorkspace(settings)
    # What speaks HTTP takes as long to import as many a command takes in all, and a local one needs none of it.
    from flyball.workspace import Workspace

    return Workspace(settings)


def split_pair(text: str, form: str = "-p name=value") -> tuple[str, str]:
    """Name and value of a `NAME=VALUE`.

    Raises:
        InvalidInput: it is none.
    """
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InvalidInput(f"'{text}' cannot be read.", hint=f"Write it as {form}.")
    return name, value


def print_json(value: object) -> None:
    """Prints one JSON document."""
    sys.stdout.write(to_json(value).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "There is none yet.") -> None:
    """Prints rows as a table: ruled and coloured on a terminal, tab-aligned text elsewhere."""
    shown = [[format_value(value) for value in row] for row in rows]
    if not shown:
        sys.stdout.write(empty + "\n")
        return
    if sys.stdout.isatty():
        _print_rich(columns, shown)
        return
    widths = [max(len(column), *(len(row[place]) for row in shown)) for place, column in enumerate(columns)]
    for line in ([*columns], *shown):
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


def print_facts(facts: Mapping[str, object]) -> None:
    """Prints named values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        sys.stdout.write(f"{name + ':':<{width + 1}} {format_value(value)}\n")


def format_value(value: object) -> str:
    """A value as people read it: short numbers, moments without microseconds, a dash for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={format_value(v)}" for k, v in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(item) for item in value) or "-"
    return str(value)


def plain(value: object) -> Any:
    """A noun as plain values, for `print_facts` and JSON with additions."""
    return to_plain(value)


def _print_rich(columns: Sequence[str], rows: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_escape(cell) for cell in row))
    Console().print(table)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
