"""`flyball deployments`: what is served, and how it changes."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, split_pair, workspace_options
from flyball.errors import InvalidInput, NotFound
from flyball.refs import Ref


@click.group()
def deployments() -> None:
    """What is served: revisions, rollouts, rollback."""


@deployments.command("list")
@workspace_options
def list_deployments(workspace: Any, as_json: bool) -> None:
    """List what is served."""
    found = workspace.deployments.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [[d.name, d.model, d.champion, _rollout(d), d.generation, d.updated] for d in found]
    print_table(["deployment", "model", "champion", "rollout", "generation", "since"], rows)


@deployments.command()
@click.argument("name")
@workspace_options
def show(workspace: Any, name: str, as_json: bool) -> None:
    """Show a deployment: its model servers, its history, its rollouts."""
    from flyball.deployment.manifest import followers

    found = workspace.deployments.get(name)
    history, rollouts = (
        workspace.deployments.history(name, limit=20),
        workspace.deployments.list_rollouts(name, limit=10),
    )
    servers = followers(workspace.store, name)
    if as_json:
        print_json({"deployment": found, "history": history, "rollouts": rollouts, "model_servers": servers})
        return
    print_facts(
        {"deployment": found.name, "model": found.model, "champion": found.champion, "rollout": _rollout(found)}
    )
    rows = [[s.replica, s.address, s.state, s.generation, s.requests, s.errors, s.at] for s in servers]
    print_table(
        ["model server", "address", "state", "generation", "requests", "errors", "seen"], rows, empty="No model server."
    )
    print_table(
        ["generation", "champion", "percent", "since", "because"],
        [[h.generation, h.champion, h.percent, h.at, h.reason] for h in history],
    )
    rows = [[r.to_version, r.spec.strategy, r.state, r.percent, r.started, r.ended, r.reason] for r in rollouts]
    print_table(
        ["version", "rollout", "state", "percent", "started", "ended", "because"], rows, empty="No rollout yet."
    )


@deployments.command("logging")
@click.argument("name")
@click.option("--sample", type=float, default=1.0, show_default=True, help="Share of the predictions that are logged.")
@click.option("--inputs/--no-inputs", default=True, help="Whether their inputs are logged.")
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="COLUMN=HOW",
    help="Hide a column: drop, hash or text; can be given again.",
)
@workspace_options
def set_logging(workspace: Any, name: str, sample: float, inputs: bool, masks: tuple[str, ...], as_json: bool) -> None:
    """Say what of NAME's predictions is logged; what is hidden is hidden before anything is written."""
    mask = dict(split_pair(text, "--mask column=hash") for text in masks)
    wrong = next((how for how in mask.values() if how not in ("drop", "hash", "text")), "")
    if wrong:
        raise InvalidInput(f"'{wrong}' is no way to hide a column.", hint="Use drop, hash or text.")
    made = workspace.deployments.set_logging(name, sample, inputs, mask)
    tell_model_servers(workspace, name)
    _say(made, as_json, f"Of '{name}', {sample:.0%} is logged.")


@deployments.command()
@click.argument("name")
@workspace_options
def ab(workspace: Any, name: str, as_json: bool) -> None:
    """Show how the two versions of NAME's rollout, or of its last one, compare: failures, slow answers, wrong answers."""
    from flyball.deployment.comparison import compare_arms

    rollouts = workspace.deployments.list_rollouts(name, limit=1)
    workspace.deployments.get(name)
    if not rollouts:
        raise NotFound(f"There was no rollout on '{name}' yet.", hint="Start one with fb.ab_test() or fb.canary().")
    found = compare_arms(rollouts[0])
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "champion": found.champion,
            "challenger": found.challenger,
            "share": f"{found.percent} %",
            "state": found.state,
        }
    )
    rows = [[each.question, each.champion, each.challenger, each.p_value, each.says] for each in found.questions]
    print_table(["bad outcomes", "champion", "challenger", "p-value", "says"], rows, empty="Nothing was compared yet.")
    click.echo(found.says)


@deployments.command()
@click.argument("name")
@click.option(
    "--silent", default="5m", show_default=True, help="After how long without a word a server counts as silent."
)
@workspace_options
def fleet(workspace: Any, name: str, silent: str, as_json: bool) -> int:
    """Show how far the model servers of NAME are; exit code 1 until all that speak answer with the newest."""
    from flyball.clock import parse_duration
    from flyball.deployment.manifest import fleet_state

    deployment = workspace.deployments.get(name)
    found = fleet_state(workspace.store, deployment, now=workspace.time.now(), silent_after=parse_duration(silent))
    if as_json:
        print_json(found)
    else:
        print_facts(
            {"generation": found.generation, "servers": found.servers, "ready": found.ready, "silent": found.silent}
        )
        print_table(["generation", "servers"], list(found.by_generation.items()), empty="No model server.")
        if found.failed:
            print_table(["failed", "because"], [[each.replica, each.error] for each in found.failed])
    return 0 if found.ready >= found.servers - found.silent else 1


@deployments.command()
@click.argument("name")
@click.argument("version")
@click.option("--reason", default="", help="Why; kept in the history.")
@workspace_options
def deploy(workspace: Any, name: str, version: str, reason: str, as_json: bool) -> None:
    """Let VERSION (`model/3`, `model@champion`) answer under NAME at once."""
    found = workspace.registry.get_version(version)
    made = workspace.deployments.deploy(name, found.model, found.version, reason)
    tell_model_servers(workspace, name)
    _say(made, as_json, f"'{name}' answers with version {made.champion}.")


@deployments.command()
@click.argument("name")
@click.option("--to", "version", type=int, default=0, help="Version to go back to; by default the champion before.")
@click.option("--reason", default="", help="Why; kept in the history.")
@workspace_options
def rollback(workspace: Any, name: str, version: int, reason: str, as_json: bool) -> None:
    """Go back: end the rollout under way, or let the champion before answer again."""
    made = workspace.deployments.roll_back(name, reason, version)
    tell_model_servers(workspace, name)
    _say(made, as_json, f"'{name}' answers with version {made.champion}.")


@deployments.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the history.")
@workspace_options
def promote(workspace: Any, name: str, reason: str, as_json: bool) -> None:
    """End the rollout under way by letting the new version answer all."""
    made = workspace.deployments.promote(name, reason)
    tell_model_servers(workspace, name)
    _say(made, as_json, f"'{name}' answers with version {made.to_version}.")


@deployments.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the history.")
@workspace_options
def abort(workspace: Any, name: str, reason: str, as_json: bool) -> None:
    """End the rollout under way by letting the champion answer all again."""
    made = workspace.deployments.abort(name, reason)
    tell_model_servers(workspace, name)
    _say(made, as_json, f"The rollout of version {made.to_version} is ended.")


@deployments.command()
@click.argument("name")
@click.option("--reason", default="", help="Why.")
@workspace_options
def pause(workspace: Any, name: str, reason: str, as_json: bool) -> None:
    """Keep the rollout under way at its present step."""
    _say(workspace.deployments.pause(name, reason), as_json, "The rollout is paused.")


@deployments.command()
@click.argument("name")
@workspace_options
def resume(workspace: Any, name: str, as_json: bool) -> None:
    """Let a paused rollout go on."""
    _say(workspace.deployments.resume(name), as_json, "The rollout goes on.")


@deployments.command()
@click.argument("name")
@click.confirmation_option(prompt="Nothing will answer under this name any more. Go on?")
@workspace_options
def remove(workspace: Any, name: str, as_json: bool) -> None:
    """Take a deployment down; its history stays."""
    workspace.deployments.remove(name)
    _say({"removed": str(Ref(kind="deployments", name=name))}, as_json, f"'{name}' is taken down.")


def _rollout(deployment: Any) -> str:
    rollout = deployment.rollout
    return "" if rollout is None else f"version {rollout.to_version} at {rollout.percent} % ({rollout.state})"


def tell_model_servers(workspace: Any, name: str) -> None:
    """Lets model servers know at once; without a store of our own, the server's controller does it."""
    if workspace.settings.url:
        return
    from flyball.deployment.manifest import publish

    found = workspace.deployments.get(name)
    publish(workspace.store, found, workspace.registry, workspace.features, workspace.manifest_key)


def _say(noun: object, as_json: bool, words: str) -> None:
    if as_json:
        print_json(noun)
    else:
        click.echo(words)
