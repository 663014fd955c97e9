"""`flyball reproduce`: whether a version can be made again."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options

_EXIT = {"identical": 0, "equal": 0, "different": 1}


@click.command()
@click.argument("version")
@click.option("--tolerance", default=1e-9, show_default=True, help="Largest difference of two equal predictions.")
@click.option(
    "--record", is_flag=True, help="Record the outcome as a check of the loop's maturity, if it is the same model."
)
@workspace_options
@click.pass_context
def reproduce(ctx: click.Context, workspace: Any, version: str, tolerance: float, record: bool, as_json: bool) -> None:
    """Train VERSION (models:/NAME@champion) again and prove that the same model comes of it.

    From its own code, on its own data, in a clean process. Where another model comes of it, trains again under other
    conditions until it is clear what is in the way, and exits with 1.
    """
    from flyball.reproducer import reproduce as train_again

    def say(text: str) -> None:
        if not as_json:
            click.echo(f"  … {text}", err=True)

    found = train_again(workspace, version, tolerance=tolerance, on_progress=say)
    if record and found.outcome != "different":
        loop, said = found.version.removeprefix("models:/").partition("/")[0], f"{found.version} is {found.outcome}"
        workspace.maturity.record_check(loop, "infrastructure.1", f"{said}: runs {', '.join(found.runs)}")
    if as_json:
        print_json(found)
    else:
        compared = found.comparison
        print_facts(
            {
                "version": found.version,
                "outcome": found.outcome,
                "files": "the same, byte for byte" if compared.is_same_content else "other bytes",
                "predictions": _predictions(compared),
                "then": compared.predictions[0][:16],
                "now": compared.predictions[1][:16],
                "runs": ", ".join(found.runs),
            }
        )
        if found.metrics:
            click.echo("")
            print_table(["metric", "then", "now"], [[name, *values] for name, values in found.metrics.items()])
        for title, lines in (("Why", found.reasons), ("Changed since", () if found.reasons else found.environment)):
            if lines:
                click.echo(f"\n{title}:")
                for line in lines:
                    click.echo(f"  {line}")
    ctx.exit(_EXIT[found.outcome])


def _predictions(compared: Any) -> str:
    if not compared.changed:
        return f"all {compared.rows:,} the same"
    far = "" if compared.largest_difference is None else f", by up to {compared.largest_difference:.3g}"
    return f"{compared.changed:,} of {compared.rows:,} differ{far}"
