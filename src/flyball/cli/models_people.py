"""`flyball models`: what people say of a version, and how its life ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flyball.cli.deployments import tell_model_servers
from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.clock import parse_time
from flyball.principals import machine_user
from flyball.refs import Ref

F = TypeVar("F", bound=Callable[..., Any])


def as_option(command: F) -> F:
    """Adds `--as NAME`; the command is handed `by`, by default the name one is logged in with."""
    return click.option("--as", "by", metavar="NAME", default=machine_user, help="Who you are (default: your login).")(
        command
    )


@click.command()
@click.argument("version")
@click.option("--approver", "approvers", multiple=True, metavar="NAME", help="Who may decide; everybody by default.")
@click.option("--needed", default=1, show_default=True, help="How many must approve.")
@click.option("--four-eyes", is_flag=True, help="Whoever asks may not decide.")
@click.option("--note", default="", help="What they should know.")
@as_option
@workspace_options
def request(
    workspace: Any,
    version: str,
    approvers: tuple[str, ...],
    needed: int,
    four_eyes: bool,
    note: str,
    by: str,
    as_json: bool,
) -> None:
    """Ask that VERSION (`name/3`) be approved."""
    made = workspace.approvals.request(version, by, approvers=approvers, needed=needed, four_eyes=four_eyes, note=note)
    whom = ", ".join(made.approvers) or "anybody"
    _say(made, as_json, f"{made.needed} of {whom} must approve version {made.version} of '{made.model}'.")


@click.command()
@click.argument("version")
@click.option("--reason", default="", help="Why.")
@as_option
@workspace_options
def approve(workspace: Any, version: str, reason: str, by: str, as_json: bool) -> None:
    """Say yes to VERSION, whose approval was asked for."""
    made = workspace.approvals.approve(version, by, reason)
    left = made.needed - len(made.approved_by)
    more = "" if made.state == "approved" else f" {left} more must approve it."
    _say(made, as_json, f"{by} approved version {made.version} of '{made.model}'.{more}")


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; it is kept.")
@as_option
@workspace_options
def reject(workspace: Any, version: str, reason: str, by: str, as_json: bool) -> None:
    """Say no to VERSION, whose approval was asked for."""
    made = workspace.approvals.reject(version, by, reason)
    _say(made, as_json, f"{by} rejected version {made.version} of '{made.model}'.")


@click.command()
@click.argument("version")
@as_option
@workspace_options
def withdraw(workspace: Any, version: str, by: str, as_json: bool) -> None:
    """Take back your request that VERSION be approved."""
    made = workspace.approvals.withdraw(version, by)
    _say(made, as_json, f"The request for version {made.version} of '{made.model}' is withdrawn.")


@click.command()
@click.argument("model", default="")
@click.option("--state", type=click.Choice(["requested", "approved", "rejected", "withdrawn"]), help="Only those.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def approvals(workspace: Any, model: str, state: str | None, limit: int, as_json: bool) -> None:
    """List requests for approval: all, or those of MODEL (`name` or `name/3`)."""
    found = workspace.approvals.list(model, state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [f"{one.model}/{one.version}", one.state, one.requested_by, one.requested, f"{len(one.approved_by)}/{one.needed}",
         "; ".join(f"{word.by}: {word.word} {word.reason}".strip() for word in one.words)]
        for one in found
    ]  # fmt: skip
    print_table(["version", "state", "asked by", "on", "approved", "said"], rows)


@click.command()
@click.argument("ref")
@click.argument("text", default="")
@click.option("--reply-to", default="", metavar="ID", help="The comment that this answers.")
@click.option("--edit", default="", metavar="ID", help="Change what you said in this comment.")
@click.option("--delete", default="", metavar="ID", help="Take this comment of yours back.")
@as_option
@workspace_options
def comment(workspace: Any, ref: str, text: str, reply_to: str, edit: str, delete: str, by: str, as_json: bool) -> None:
    """Say TEXT about REF: `models:/name/3`, `runs:/id`, or any other thing."""
    if delete:
        workspace.comments.delete(delete, by)
        _say({"deleted": delete}, as_json, f"Comment {delete} is deleted.")
        return
    ref = str(Ref.parse(ref, kind=None if ":/" in ref else "models"))
    made = workspace.comments.edit(edit, text, by) if edit else workspace.comments.add(ref, text, by, reply_to=reply_to)
    _say(made, as_json, f"Comment {made.id} about {made.ref}.")


@click.command()
@click.argument("ref")
@click.option("--limit", default=200, show_default=True, help="How many to show.")
@workspace_options
def comments(workspace: Any, ref: str, limit: int, as_json: bool) -> None:
    """List what was said about REF, oldest first."""
    ref = str(Ref.parse(ref, kind=None if ":/" in ref else "models"))
    found = workspace.comments.list(ref, limit=limit)
    if as_json:
        print_json(found)
    else:
        rows = [[one.id, one.at, one.by, one.text, one.reply_to] for one in found]
        print_table(["id", "on", "who", "said", "answers"], rows, empty="Nobody has said anything.")


@click.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def mentions(workspace: Any, name: str, limit: int, as_json: bool) -> None:
    """List what was said to NAME by @NAME, about anything, newest first."""
    found = workspace.comments.mentions(name, limit)
    if as_json:
        print_json(found)
    else:
        rows = [[one.at, one.by, one.ref, one.text] for one in found]
        print_table(["on", "who", "about", "said"], rows, empty=f"Nobody has said anything to @{name}.")


@click.command()
@click.argument("version")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File to write it to.")
@workspace_options
def card(workspace: Any, version: str, output: Path | None, as_json: bool) -> None:
    """Print the card of VERSION: all that is known of it, with sources, as Markdown."""
    if as_json:
        print_json(workspace.model_cards.get(version))
        return
    text = workspace.model_cards.card(version)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"The card of {version} is in {output}.")


@click.command()
@click.argument("ref")
@click.argument("heading")
@click.argument("text", default="-")
@click.option("--delete", is_flag=True, help="Remove it.")
@as_option
@workspace_options
def section(workspace: Any, ref: str, heading: str, text: str, delete: bool, by: str, as_json: bool) -> None:
    """Write a section of the card: TEXT (or what is piped in) under HEADING.

    REF is a version (`name/3`), or a model's name for all of its versions.
    """
    if delete:
        workspace.model_cards.delete_section(ref, heading, by)
        _say({"deleted": heading}, as_json, f"The section '{heading}' is deleted.")
        return
    said = sys.stdin.read() if text == "-" else text
    made = workspace.model_cards.write_section(ref, heading, said, by)
    whom = "every version" if made.version == 0 else f"version {made.version}"
    _say(made, as_json, f"The section '{made.heading}' is on the card of {whom} of '{made.model}'.")


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; it is kept.")
@click.option("--until", default="", metavar="DAY", help="When it is to be retired.")
@click.option("--instead", default="", metavar="REF", help="What to use instead.")
@as_option
@workspace_options
def deprecate(workspace: Any, version: str, reason: str, until: str, instead: str, by: str, as_json: bool) -> None:
    """Say that VERSION should no longer be used. It goes on to work."""
    made = workspace.lifecycle.deprecate(
        version, reason, by=by, until=parse_time(until) if until else None, instead=instead
    )
    _say(made, as_json, f"Version {made.version} of '{made.model}' is deprecated.")


@click.command()
@click.argument("version")
@click.option("--reason", default="", help="Why.")
@as_option
@workspace_options
def undeprecate(workspace: Any, version: str, reason: str, by: str, as_json: bool) -> None:
    """Take back that VERSION is deprecated."""
    workspace.lifecycle.undeprecate(version, by=by, reason=reason)
    _say({"undeprecated": version}, as_json, f"{version} is not deprecated.")


@click.command()
@click.argument("version")
@click.option("--reason", default="", help="Why.")
@click.option("--keep-files", is_flag=True, help="Leave its files, so that it can be restored for sure.")
@as_option
@workspace_options
def retire(workspace: Any, version: str, reason: str, keep_files: bool, by: str, as_json: bool) -> None:
    """End the life of VERSION and free its files; refused while anything uses it. Its facts stay."""
    made = workspace.lifecycle.retire(version, reason, by=by, keep_files=keep_files)
    freed = f"{made.freed_files} files of {made.freed_bytes:,} bytes were freed"
    _say(made, as_json, f"Version {made.version} of '{made.model}' is retired; {freed}.")


@click.command()
@click.argument("version")
@click.option("--reason", default="", help="Why.")
@as_option
@workspace_options
def restore(workspace: Any, version: str, reason: str, by: str, as_json: bool) -> None:
    """Bring the retired VERSION back, if its files are still there."""
    made = workspace.lifecycle.restore(version, by=by, reason=reason)
    _say(made, as_json, f"Version {made.version} of '{made.model}' is {made.stage}.")


@click.command()
@click.argument("version")
@workspace_options
def standing(workspace: Any, version: str, as_json: bool) -> None:
    """Show how VERSION stands: deprecated, retired, used by what."""
    found = workspace.lifecycle.get(version)
    if as_json:
        print_json(found)
        return
    deprecation, retirement = found.deprecation, found.retirement
    print_facts({
        "model": found.model, "version": found.version, "stage": found.stage, "aliases": found.aliases,
        "used by": found.held_by, "deprecated": deprecation and deprecation.reason,
        "to be retired": deprecation and deprecation.until, "use instead": deprecation and deprecation.instead,
        "retired": retirement and retirement.at, "missing": found.missing,
    })  # fmt: skip


@click.command()
@click.argument("model")
@click.option("--reason", default="", help="Why; it stands in the history.")
@as_option
@workspace_options
def rollback(workspace: Any, model: str, reason: str, by: str, as_json: bool) -> None:
    """Make the former champion of MODEL the champion again, and let its deployments answer with it."""
    made = workspace.lifecycle.rollback(model, reason, by=by)
    turned = []
    for deployment in workspace.deployments.list(limit=1000):
        if deployment.model == model and (deployment.champion != made.to_version or deployment.rollout):
            workspace.deployments.roll_back(deployment.name, reason or f"rolled back by {by}", made.to_version)
            tell_model_servers(workspace, deployment.name)
            turned.append(deployment.name)
    if as_json:
        print_json({"rollback": made, "deployments": turned})
        return
    click.echo(f"Version {made.to_version} of '{made.model}' is the champion again.")
    for name in turned:
        click.echo(f"Deployment '{name}' answers with it.")


@click.command()
@click.argument("model")
@click.option("--alias", default="", help="Only of this alias.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def history(workspace: Any, model: str, alias: str, limit: int, as_json: bool) -> None:
    """List where the aliases of MODEL have pointed, newest first."""
    found = workspace.registry.alias_history(model, alias, limit=limit)
    if as_json:
        print_json(found)
    else:
        rows = [[one.at, one.alias, one.previous, one.version, one.reason] for one in found]
        print_table(["on", "alias", "from", "to", "because"], rows)


COMMANDS = (
    request, approve, reject, withdraw, approvals, comment, comments, mentions, card, section, deprecate, undeprecate, retire,
    restore, standing, rollback, history,
)  # fmt: skip


def _say(made: object, as_json: bool, text: str) -> None:
    if as_json:
        print_json(made)
    else:
        click.echo(text)
