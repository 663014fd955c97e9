"""`flyball models`: models, versions, aliases, gates; with what people say and do, and what they stand for by signature."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli import copying, models_explain, models_people, models_supply
from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import GateRefused, InvalidInput
from flyball.refs import Ref


@click.group()
def models() -> None:
    """Models, versions, aliases, gates."""


for _command in (*models_people.COMMANDS, *models_supply.COMMANDS, *models_explain.COMMANDS, copying.copy_model):
    models.add_command(_command)


@models.command("list")
@click.argument("model", required=False)
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def list_models(workspace: Any, model: str | None, limit: int, as_json: bool) -> None:
    """List the models, or the versions of MODEL."""
    if model is None:
        found = workspace.registry.list_models(limit=limit)
        if as_json:
            print_json(found)
        else:
            print_table(["model", "versions", "champion"], [[m.name, m.versions, m.champion] for m in found])
        return
    versions = workspace.registry.list_versions(model, limit=limit)
    if as_json:
        print_json(versions)
        return
    rows = [[v.version, v.stage, v.aliases, v.created, _scores(v), _verdict(v)] for v in versions]
    print_table(["version", "stage", "aliases", "registered", "scores", "gates"], rows)


@models.command()
@click.argument("version")
@workspace_options
def show(workspace: Any, version: str, as_json: bool) -> None:
    """Show VERSION (`name/3`, `name@champion`): lineage, scores, slices, gates."""
    found = workspace.registry.get_version(version)
    if as_json:
        print_json(found)
        return
    ref = str(Ref(kind="models", name=found.model, version=str(found.version)))
    deprecation = workspace.lifecycle.get(ref).deprecation
    plan = workspace.features.used_by(found.run) if found.run else None
    evaluation, twin = found.evaluation, found.package.twin
    print_facts({
        "model": found.model, "version": found.version, "stage": found.stage, "aliases": found.aliases,
        "deprecated": deprecation and deprecation.reason,
        "signed by": [one.by or one.key[:16] for one in workspace.signatures.list(ref)],
        "registered": found.created, "flavor": found.package.flavor, "bytes": found.package.size,
        "ONNX twin": twin and f"{twin.speedup:g} times faster, {twin.difference:.1g} apart at most on {twin.rows:,} rows",
        "content": found.package.id, "example": "yes" if found.package.input_example else "no", "run": found.run,
        "data": found.snapshots,
        "personal data": [f"{c.column} of {c.dataset} ({c.kind})" for c in workspace.privacy.origin(ref).columns],
        "features": [f"{one.view.name}@{one.view.version}" for one in plan.views] if plan else [],
        "code": found.code[:16], "evaluated on": f"{evaluation.n:,} rows" if evaluation else "", "tags": found.tags,
        "description": found.description,
    })  # fmt: skip
    if evaluation is not None:
        rows = [[m.name, m.value, m.low, m.high, m.n] for m in evaluation.metrics]
        print_table(["metric", "value", "low", "high", "rows"], rows)
        if evaluation.importance is not None:
            rows = [[c.column, c.value, c.low, c.high] for c in evaluation.importance.columns]
            print_table([f"worth of ({evaluation.importance.metric})", "value", "low", "high"], rows)
    if found.verdict is not None:
        rows = [[d.gate, "pass" if d.passed else "hold", d.reason] for d in found.verdict.decisions]
        print_table(["gate", "says", "because"], rows, empty="No gate was asked.")
    columns = found.package.signature.inputs.columns
    print_table(["input", "type", "nullable"], [[c.name, c.type, c.nullable] for c in columns])


@models.command()
@click.argument("version")
@workspace_options
def gate(workspace: Any, version: str, as_json: bool) -> None:
    """Say what the gates said of VERSION; exit code 3 if they held it back."""
    found = workspace.registry.get_version(version)
    decisions = () if found.verdict is None else found.verdict.decisions
    if as_json:
        print_json(found.verdict)
    else:
        rows = [[d.gate, "pass" if d.passed else "hold", d.reason] for d in decisions]
        print_table(["gate", "says", "because"], rows, empty="It has not been judged yet.")
    if found.verdict is not None and not found.verdict.passed:
        held = next(decision for decision in decisions if not decision.passed)
        raise GateRefused(f"{held.gate} held version {found.version} of '{found.model}' back: {held.reason}")


@models.command()
@click.argument("model")
@click.argument("alias")
@click.argument("version", type=int)
@workspace_options
def alias(workspace: Any, model: str, alias: str, version: int, as_json: bool) -> None:
    """Let ALIAS of MODEL point at VERSION."""
    workspace.registry.set_alias(model, alias, version)
    ref = str(Ref(kind="models", name=model, alias=alias))
    if as_json:
        print_json({"ref": ref, "version": version})
    else:
        click.echo(f"{ref} is version {version}.")


_STAGES = ("candidate", "challenger", "champion", "archived")
_REASON = click.option("--reason", default="", help="Why; kept in the history.")


@models.command()
@click.argument("version")
@_REASON
@workspace_options
def promote(workspace: Any, version: str, reason: str, as_json: bool) -> None:
    """Make VERSION (`name/3`) the champion; the former one is archived."""
    _put(workspace, version, "champion", reason, as_json)


@models.command()
@click.argument("version")
@click.argument("stage", type=click.Choice(_STAGES))
@_REASON
@workspace_options
def stage(workspace: Any, version: str, stage: str, reason: str, as_json: bool) -> None:
    """Say that VERSION (`name/3`) stands at STAGE; `retire` ends its life."""
    _put(workspace, version, stage, reason, as_json)


@models.command()
@click.argument("version")
@click.argument("text", default="")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; may be repeated.")
@workspace_options
def describe(workspace: Any, version: str, text: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Describe VERSION (`name/3`) with TEXT, and tag it."""
    found = _exact(workspace, version)
    if not all("=" in tag for tag in tags):
        raise InvalidInput("A tag has no value.", hint="Write it as --tag team=red.")
    given = {**found.tags, **dict(tag.partition("=")[::2] for tag in tags)} if tags else None
    made = workspace.registry.update(found.model, found.version, description=text or None, tags=given)
    if as_json:
        print_json(made)
    else:
        click.echo(f"Version {made.version} of '{made.model}' is described.")


@models.command()
@click.argument("version")
@workspace_options
def delete(workspace: Any, version: str, as_json: bool) -> None:
    """Delete VERSION (`name/3`); the champion is refused."""
    found = workspace.registry.get_version(version)
    workspace.registry.delete_version(found.model, found.version)
    if as_json:
        print_json({"deleted": f"models:/{found.model}/{found.version}"})
    else:
        click.echo(f"Version {found.version} of '{found.model}' is deleted.")


def _exact(workspace: Any, version: str) -> Any:
    """The one version that is meant: what is done to one must not fall on whichever is the newest."""
    parsed = Ref.parse(version, kind="models")
    if not parsed.version and not parsed.alias:
        raise InvalidInput(
            f"'{version[:200]}' names no version.", hint=f"Write it as {parsed.name}/3 or {parsed.name}@alias."
        )
    return workspace.registry.get_version(version)


def _put(workspace: Any, version: str, stage: str, reason: str, as_json: bool) -> None:
    found = _exact(workspace, version)
    made = workspace.registry.set_stage(found.model, found.version, stage, reason)
    if as_json:
        print_json(made)
    else:
        click.echo(
            f"Version {made.version} of '{made.model}' is {'the ' if stage == 'champion' else ''}{made.stage} now."
        )


def _scores(version: Any) -> dict[str, float]:
    if version.evaluation is None:
        return {}
    return {metric.name: metric.value for metric in version.evaluation.metrics[:3]}


def _verdict(version: Any) -> str:
    if version.verdict is None:
        return ""
    held = [decision.gate for decision in version.verdict.decisions if not decision.passed]
    return "passed" if not held else f"held by {', '.join(held)}"
