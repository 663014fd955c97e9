"""`flyball privacy`: what personal data things came of, and how long things are kept."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options


@click.group()
def privacy() -> None:
    """Personal data along the lineage; retention."""


@privacy.command()
@click.argument("ref")
@workspace_options
def origin(workspace: Any, ref: str, as_json: bool) -> None:
    """Show the personal data that REF (models:/NAME/3, datasets:/NAME, ...) was made from, near or far."""
    found = workspace.privacy.origin(ref)
    if as_json:
        print_json(found)
        return
    rows = [(each.dataset, each.column, each.kind, "yes" if each.is_input else "no") for each in found.columns]
    print_table(["dataset", "column", "kind", "input"], rows, empty="No personal data is known to be behind it.")


@privacy.command()
@click.argument("dataset")
@workspace_options
def models(workspace: Any, dataset: str, as_json: bool) -> None:
    """List the model versions that came of DATASET, near or far."""
    found = workspace.privacy.models_of(dataset)
    if as_json:
        print_json(found)
    else:
        print_table(["model version"], [(each,) for each in found])


@privacy.command()
@click.option("--yes", is_flag=True, help="Remove it. Without this, only what would go is told.")
@workspace_options
def retain(workspace: Any, yes: bool, as_json: bool) -> None:
    """Remove what is older than the policies of retention let it become."""
    report = workspace.privacy.retain(dry_run=not yes)
    if as_json:
        print_json(report)
        return
    rows = [
        (each.policy, each.of.replace("_", " "), each.name, each.before, each.removed, each.kept)
        for each in report.done
    ]
    went = "removed" if yes else "would go"
    print_table(
        ["policy", "of", "name", "older than", went, "kept, as"],
        rows,
        empty="There is no policy of retention: fb.rule.retention.",
    )
