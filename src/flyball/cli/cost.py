"""`flyball cost`: what work took and what that costs; prices; budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput

_GIB = float(1 << 30)


@click.group(invoke_without_command=True)
@click.option(
    "--by",
    type=click.Choice(["project", "pipeline", "loop", "who", "run", "step"]),
    default="pipeline",
    show_default=True,
)
@click.option("--since", default="", help="From this moment on, such as 2026-01-31; 30 days ago by default.")
@click.option("--until", default="", help="Before this moment; now by default.")
@click.option("--loop", default="", help="Only of this loop.")
@click.option("--pipeline", default="", help="Only of this pipeline.")
@click.option("--run", default="", help="Only of this run of a pipeline.")
@click.option("--limit", default=30, show_default=True)
@click.pass_context
@workspace_options
def cost(ctx: click.Context, /, workspace: Any, as_json: bool, **wanted: Any) -> None:
    """What work took and what that costs, in the last 30 days."""
    if ctx.invoked_subcommand is not None:
        return
    from flyball.clock import parse_time

    for name in ("since", "until"):
        wanted[name] = parse_time(wanted[name]) if wanted[name] else None
    report = workspace.cost.report(**wanted)
    if as_json:
        print_json(report)
        return
    money = f"money ({report.currency})" if report.currency else "money"
    columns = [report.by, "runs", "hours", "core-hours", "GiB-hours", "accelerator-hours", money]
    rows = [_line(row, row.key or ("beside the steps" if report.by == "step" else "none")) for row in report.rows]
    print_table(columns, [*rows, *([_line(report.total, "all")] if len(rows) > 1 else [])])
    if report.storage_bytes is not None:
        kept = f"{report.storage_bytes / _GIB:,.3f} GiB kept, {report.storage_byte_days / _GIB:,.3f} GiB-days"
        click.echo(
            f"Storage: {kept}"
            + (f", {report.storage_money:,.4f} {report.currency}." if report.storage_money is not None else ".")
        )
    if not report.currency:
        click.echo("There are no prices yet: flyball cost prices FILE.")


@cost.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@workspace_options
def prices(workspace: Any, file: Path | None, as_json: bool) -> None:
    """Show the prices, or set them from FILE (YAML): currency, core_hour, memory_gib_hour, accelerator_hour, storage_gib_month."""
    from flyball.governance.cost import Prices
    from flyball.serialization import convert, to_plain

    found = workspace.cost.prices()
    if file is not None:
        found = workspace.cost.set_prices(convert(_read_yaml(file), Prices))
    if as_json:
        print_json(found)
    else:
        print_facts(to_plain(found))


@cost.command()
@workspace_options
def budgets(workspace: Any, as_json: bool) -> None:
    """Budgets, and what of each is spent."""
    found = workspace.cost.budgets()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each.budget.name,
            f"{each.budget.scope} {each.budget.key}".strip(),
            each.budget.period,
            each.budget.amount,
            each.spent,
            f"{each.share:.0%}",
        )
        for each in found
    ]
    print_table(["budget", "for", "period", "amount", "spent", "share"], rows, empty="There is no budget yet.")


@cost.command()
@click.argument("name")
@click.argument("amount", type=float, required=False)
@click.option("--loop", default="", help="For this loop alone.")
@click.option("--pipeline", default="", help="For this pipeline alone.")
@click.option("--who", default="", help="For this person or service alone.")
@click.option("--period", type=click.Choice(["day", "week", "month"]), default="month", show_default=True)
@click.option("--warn-at", default=0.8, show_default=True, help="Share at which an alert is opened.")
@click.option("--remove", is_flag=True, help="Take the budget away.")
@workspace_options
def budget(
    workspace: Any, name: str, amount: float | None, loop: str, pipeline: str, who: str, period: str, warn_at: float,
    remove: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say what may be spent: AMOUNT in the currency of the prices, or in core-hours where there are none."""
    from flyball.governance.cost import Budget
    from flyball.serialization import convert

    if remove:
        workspace.cost.remove_budget(name)
        click.echo(f"The budget '{name}' is gone.")
        return
    keys = [(scope, key) for scope, key in (("loop", loop), ("pipeline", pipeline), ("who", who)) if key]
    if amount is None or len(keys) > 1:
        raise InvalidInput(
            "A budget is an amount for one thing.", hint="Such as: flyball cost budget training 100 --loop churn."
        )
    scope, key = keys[0] if keys else ("project", "")
    given = {"name": name, "amount": amount, "scope": scope, "key": key, "period": period, "warn_at": warn_at}
    made = workspace.cost.set_budget(convert(given, Budget))
    if as_json:
        print_json(made)
    else:
        click.echo(f"The budget '{name}' is {amount:,.2f} a {period}.")


@cost.command()
@workspace_options
def storage(workspace: Any, as_json: bool) -> None:
    """Look how many bytes are kept, and note it for today."""
    found = workspace.cost.sample_storage()
    if as_json:
        print_json({"bytes": found})
    else:
        click.echo(f"{found / _GIB:,.3f} GiB are kept.")


def _line(row: Any, key: str) -> tuple[object, ...]:
    hours = (row.wall_seconds, row.core_seconds, row.memory_byte_seconds / _GIB, row.accelerator_seconds)
    money = None if row.money is None else f"{row.money:.4g}"
    return (key, row.runs, *(f"{seconds / 3600:.4g}" for seconds in hours), money)


def _read_yaml(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.") from error
