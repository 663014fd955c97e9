"""Writes the pages of the documentation that can be read off the code: the commands and the plug-ins.

    python -m tools.write_docs

A test holds the pages to what this writes.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from flyball.cli.__main__ import main as flyball_main
from flyball.cli.commands import COMMANDS
from flyball.cli.group import flyball
from flyball.cli.plugins import KINDS
from flyball.plugins import PluginGroup

DOCS = Path(__file__).parents[1] / "docs"
_WIDTH = 100


def commands_page() -> str:
    """The page on the command line: what `--help` says of every command."""
    lines = [
        "# Commands",
        "",
        "Written by `python -m tools.write_docs` from what `--help` says. Every command takes `--json` for programs.",
        "",
        "Exit codes: " + (inspect.getdoc(flyball_main) or "").partition("\n\n")[2].replace("\n", " "),
    ]
    for name, (_, summary) in COMMANDS.items():
        command = flyball.get_command(click.Context(flyball), name)
        assert command is not None
        lines += ["", f"## flyball {name}", "", summary]
        for words, one in _with_subcommands(f"flyball {name}", command):
            lines += ["", f"### {words}"] if one is not command else []
            lines += ["", "```text", _help(words, one), "```"]
    return "\n".join(lines) + "\n"


def plugins_page() -> str:
    """The page on plug-ins: each kind, its folder, and what there is."""
    lines = [
        "# Plug-ins",
        "",
        "Written by `python -m tools.write_docs` from the first line of each plug-in's file. `flyball plugins` lists them too.",
        "",
        "A plug-in is one file in the folder of its kind; the file's name is the plug-in's name, and the file ends with",
        "`plugin: Kind = Name()`. A package of your own offers one by an entry point of the group that is named below.",
    ]
    for kind, place in KINDS.items():
        module, _, attribute = place.partition(":")
        group: PluginGroup[object] = getattr(importlib.import_module(module), attribute)
        folder = f"src/{group.package.replace('.', '/')}"
        lines += [
            "",
            f"## {kind}",
            "",
            f"Folder [`{folder}`](../{folder}), entry-point group `flyball.{group.kind}`.",
            "",
        ]
        lines += ["| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {_first_line(f'{group.package}.{name}')} |" for name in group.names()]
    return "\n".join(lines) + "\n"


PAGES = {"cli.md": commands_page, "plugins.md": plugins_page}


def main() -> None:
    """Writes the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


def _with_subcommands(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _with_subcommands(f"{words} {name}", one)


def _help(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=words, terminal_width=_WIDTH, max_content_width=_WIDTH)
    return command.get_help(context).rstrip()


def _first_line(module: str) -> str:
    doc = inspect.getdoc(importlib.import_module(module)) or ""
    return " ".join(doc.partition("\n\n")[0].split())


if __name__ == "__main__":
    main()
