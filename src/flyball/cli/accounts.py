"""`flyball users`, `service-accounts`, `tokens`, `groups`, `members`: who may come in, and what they may do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.principals import ROLES

_ROLES = click.Choice(ROLES[1:])
_IN_PROJECT = click.option(
    "--in", "project", default="", metavar="PROJECT", help="Another project than the one at hand."
)


@click.group()
def users() -> None:
    """People: add, list, show, change, remove; passwords."""


@users.command("add")
@click.argument("name")
@click.option("--full-name", default="", help="For people to read.")
@click.option("--email", default="", help="Where they are written to.")
@click.option("--role", type=_ROLES, help="Their role in a project from the start.")
@click.option("--admin", is_flag=True, help="They look after the instance: accounts, groups, projects, stores.")
@click.option("--auditor", is_flag=True, help="They may read everything, the audit log too, and change nothing.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="They come by single sign-on alone.")
@workspace_options
def add_user(
    workspace: Any, name: str, full_name: str, email: str, role: str | None, admin: bool, auditor: bool,
    password_stdin: bool, no_password: bool, as_json: bool,
) -> None:  # fmt: skip
    """Add a person; asks for a password."""
    password = "" if no_password else _password(password_stdin)
    made = workspace.accounts.create(
        name, full_name=full_name, email=email, password=password, admin=admin, auditor=auditor, role=role or "none",
        project=workspace.settings.project,
    )  # fmt: skip
    print_json(made) if as_json else click.echo(f"Added {made.name}.")


@users.command("list")
@click.option("--limit", default=100, show_default=True, help="How many to show.")
@workspace_options
def list_users(workspace: Any, limit: int, as_json: bool) -> None:
    """List people, by name."""
    _list(workspace, "user", limit, as_json)


@users.command("show")
@click.argument("name")
@workspace_options
def show_user(workspace: Any, name: str, as_json: bool) -> None:
    """Show an account."""
    found = workspace.accounts.get(name)
    if as_json:
        print_json(found)
        return
    print_facts({
        "name": found.name, "kind": found.kind, "full name": found.full_name, "e-mail": found.email,
        "admin": found.admin, "auditor": found.auditor, "disabled": found.disabled, "password": found.has_password,
        "single sign-on": found.single_sign_on, "groups": found.groups, "since": found.created, "last seen": found.seen,
    })  # fmt: skip


@users.command("set")
@click.argument("name")
@click.option("--full-name", help="For people to read.")
@click.option("--email", help="Where they are written to.")
@click.option("--admin/--no-admin", default=None, help="Whether they look after the instance.")
@click.option("--auditor/--no-auditor", default=None, help="Whether they may read everything.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether the door is closed to them.")
@workspace_options
def set_user(workspace: Any, name: str, as_json: bool, **given: Any) -> None:
    """Change an account. Disabling one ends its tokens and sessions at once."""
    found = workspace.accounts.update(name, **given)
    print_json(found) if as_json else click.echo(f"Changed {found.name}.")


@users.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the new password from standard input.")
@workspace_options
def passwd(workspace: Any, name: str, password_stdin: bool, as_json: bool) -> None:
    """Set a password; one's own needs the present one. All sessions of the account end."""
    me = workspace.accounts.whoami()
    current = "" if me.admin else click.prompt("Present password", hide_input=True, err=True)
    workspace.accounts.set_password(name, _password(password_stdin), current)
    print_json({"name": name}) if as_json else click.echo("Set.")


@users.command("remove")
@click.argument("name")
@workspace_options
def remove_user(workspace: Any, name: str, as_json: bool) -> None:
    """Remove an account, its tokens and memberships. What it did stays under its name."""
    workspace.accounts.delete(name)
    print_json({"removed": name}) if as_json else click.echo(f"Removed {name}.")


@click.group("service-accounts")
def service_accounts() -> None:
    """Programs with an account of their own: add, list, remove."""


@service_accounts.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, help="Its role in a project.")
@workspace_options
def add_service(workspace: Any, name: str, role: str | None, as_json: bool) -> None:
    """Add a program; `flyball tokens create --account NAME` gives it a token."""
    made = workspace.accounts.create(name, kind="service", role=role or "none", project=workspace.settings.project)
    print_json(made) if as_json else click.echo(f"Added {made.name}.")


@service_accounts.command("list")
@click.option("--limit", default=100, show_default=True, help="How many to show.")
@workspace_options
def list_services(workspace: Any, limit: int, as_json: bool) -> None:
    """List programs, by name."""
    _list(workspace, "service", limit, as_json)


service_accounts.add_command(remove_user, "remove")


@click.group()
def tokens() -> None:
    """Tokens: what programs show in place of a password."""


@tokens.command("create")
@click.argument("name")
@click.option("--account", default="", help="Whose it is; yours by default.")
@click.option("--read-only", is_flag=True, help="It may change nothing.")
@click.option("--role", type=_ROLES, default="contributor", show_default=True, help="The most it may do.")
@click.option("--only", default="", metavar="PROJECT", help="The only project that it is good for.")
@click.option("--days", default=90.0, show_default=True, help="How long it is good for; 0 for until it is revoked.")
@workspace_options
def create_token(
    workspace: Any, name: str, account: str, read_only: bool, role: str, only: str, days: float, as_json: bool
) -> None:
    """Make a token, and print it: once, and never again. NAME says what it is for."""
    scope = "read" if read_only else "write"
    made = workspace.tokens.create(name, account=account, scope=scope, role=role, project=only, days=days)
    if as_json:
        print_json(made)
        return
    click.echo(made.secret)
    until = f"until {made.token.expires:%Y-%m-%d}" if made.token.expires else "until it is revoked"
    click.echo(f"  Good {until}. It is not shown again; `flyball tokens revoke {made.token.id}` ends it.", err=True)


@tokens.command("for-serving")
@click.argument("name")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), required=True, help="The file that the model server reads."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def for_serving(name: str, path: Path, as_json: bool) -> None:
    """Make a token for model servers that run with --tokens FILE, and print it: once, and never again.

    The file gets a line with the token's digest; to take the line out closes the door to it.
    """
    from flyball.serving.protected import add_token

    token = add_token(path, name)
    print_json({"token": token, "file": str(path)}) if as_json else click.echo(token)


@tokens.command("list")
@click.option("--account", default="", help="Whose; yours by default.")
@click.option("--all", "everybodys", is_flag=True, help="Those of every account.")
@click.option("--past", is_flag=True, help="Also those that have ended.")
@click.option("--limit", default=100, show_default=True, help="How many to show.")
@workspace_options
def list_tokens(workspace: Any, account: str, everybodys: bool, past: bool, limit: int, as_json: bool) -> None:
    """List tokens, newest first."""
    found = workspace.tokens.list(account=account, all=everybodys, past=past, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            t.id,
            t.account,
            t.name,
            t.kind,
            "reads" if t.scope == "read" else t.role,
            t.project or "all",
            t.expires,
            t.used,
            t.revoked,
        ]
        for t in found
    ]
    columns = ["token", "account", "for", "kind", "at most", "project", "expires", "last used", "revoked"]
    print_table(columns, rows)


@tokens.command()
@click.argument("token")
@workspace_options
def revoke(workspace: Any, token: str, as_json: bool) -> None:
    """End a token at once, on every server. TOKEN is its id, or all of it."""
    parts = token.split("_")
    ended = workspace.tokens.revoke(parts[1] if token.startswith("fly_") and len(parts) > 2 else token)
    print_json(ended) if as_json else click.echo("Revoked.")


@click.group()
def groups() -> None:
    """Groups of accounts: a role given to one is given to all in it."""


@groups.command("add")
@click.argument("name")
@click.option("--description", default="", help="What it is.")
@workspace_options
def add_group(workspace: Any, name: str, description: str, as_json: bool) -> None:
    """Add a group."""
    made = workspace.groups.create(name, description)
    print_json(made) if as_json else click.echo(f"Added {made.name}.")


@groups.command("list")
@workspace_options
def list_groups(workspace: Any, as_json: bool) -> None:
    """List groups, and who is in them."""
    found = workspace.groups.list(limit=1000)
    if as_json:
        print_json(found)
        return
    print_table(["group", "accounts", "what"], [[g.name, g.accounts, g.description] for g in found])


@groups.command("join")
@click.argument("group")
@click.argument("account")
@workspace_options
def join(workspace: Any, group: str, account: str, as_json: bool) -> None:
    """Add an account to a group."""
    found = workspace.groups.add(group, account)
    print_json(found) if as_json else click.echo(f"{account} is in {group}.")


@groups.command("leave")
@click.argument("group")
@click.argument("account")
@workspace_options
def leave(workspace: Any, group: str, account: str, as_json: bool) -> None:
    """Take an account out of a group, at once."""
    found = workspace.groups.remove(group, account)
    print_json(found) if as_json else click.echo(f"{account} is no longer in {group}.")


@groups.command("remove")
@click.argument("name")
@workspace_options
def remove_group(workspace: Any, name: str, as_json: bool) -> None:
    """Remove a group, and what it gave to those in it."""
    workspace.groups.delete(name)
    print_json({"removed": name}) if as_json else click.echo(f"Removed {name}.")


@click.group()
def members() -> None:
    """Members of a project and their roles: viewer, contributor, maintainer, owner."""


@members.command("list")
@workspace_options
def list_members(workspace: Any, as_json: bool) -> None:
    """List the members of a project."""
    found = workspace.members.list(workspace.settings.project)
    if as_json:
        print_json(found)
        return
    print_table(["member", "kind", "role", "since", "by"], [[m.name, m.kind, m.role, m.since, m.by] for m in found])


@members.command("set")
@click.argument("name")
@click.argument("role", type=_ROLES)
@click.option("--group", "is_group", is_flag=True, help="NAME is that of a group.")
@workspace_options
def set_member(workspace: Any, name: str, role: str, is_group: bool, as_json: bool) -> None:
    """Give an account or a group a role in a project."""
    found = workspace.members.set(
        name, role, kind="group" if is_group else "account", project=workspace.settings.project
    )
    print_json(found) if as_json else click.echo(f"{name} is {role} of {found.project}.")


@members.command("remove")
@click.argument("name")
@click.option("--group", "is_group", is_flag=True, help="NAME is that of a group.")
@workspace_options
def remove_member(workspace: Any, name: str, is_group: bool, as_json: bool) -> None:
    """Take a role in a project away, at once."""
    workspace.members.remove(name, kind="group" if is_group else "account", project=workspace.settings.project)
    print_json({"removed": name}) if as_json else click.echo(f"{name} is no longer a member.")


def _list(workspace: Any, kind: str, limit: int, as_json: bool) -> None:
    found = workspace.accounts.list(kind=kind, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[a.name, a.full_name, a.email, a.admin, a.auditor, a.disabled, a.seen] for a in found]
    print_table(["name", "full name", "e-mail", "admin", "auditor", "disabled", "last seen"], rows)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return given
