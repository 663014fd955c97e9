"""`flyball secrets`: what steps, webhooks and channels need and nobody may read."""

from __future__ import annotations

import sys
from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options
from flyball.errors import InvalidInput


@click.group()
def secrets() -> None:
    """Secrets: set, list their names, delete; encrypted, never shown again."""


@secrets.command("set")
@click.argument("name")
@workspace_options
def set_(workspace: Any, name: str, as_json: bool) -> None:
    """Keep the secret NAME. Its value is asked for, or read from standard input: never from the command line."""
    if sys.stdin.isatty():
        value = str(click.prompt(f"Value of {name}", hide_input=True, err=True))
    else:
        value = sys.stdin.read().rstrip("\n")
    if not value:
        raise InvalidInput("There is no value on standard input.", hint=f"printf %s VALUE | flyball secrets set {name}")
    made = workspace.secrets.set(name, value)
    if as_json:
        print_json(made)
    else:
        click.echo(f"The secret '{name}' is kept, version {made.version}.")


@secrets.command("list")
@workspace_options
def list_(workspace: Any, as_json: bool) -> None:
    """The names of all secrets, and who set them when."""
    found = workspace.secrets.list()
    if as_json:
        print_json(found)
        return
    rows = [(each.name, each.version, each.by, each.changed, each.key) for each in found]
    print_table(["name", "version", "by", "changed", "key"], rows)


@secrets.command()
@click.argument("name")
@workspace_options
def delete(workspace: Any, name: str, as_json: bool) -> None:
    """Forget the secret NAME for good."""
    workspace.secrets.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"The secret '{name}' is forgotten.")


@secrets.command("rotate-key")
@workspace_options
def rotate_key(workspace: Any, as_json: bool) -> None:
    """Make a new key, and encrypt the keys of all secrets under it."""
    count = workspace.secrets.rotate_key()
    if as_json:
        print_json({"secrets": count})
    else:
        click.echo(f"{count} secret{'' if count == 1 else 's'} stand under a new key.")
