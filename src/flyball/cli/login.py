"""`flyball login`, `logout`, `whoami`, `open`: who one is to a server."""

from __future__ import annotations

import base64
import json
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_facts, print_json, workspace_options
from flyball.errors import FlyballError, InvalidInput, LoginNeeded, NotFound
from flyball.settings import load_settings

if TYPE_CHECKING:
    from flyball.client import Connection

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command()
@click.argument("url", required=False)
@click.option("--token", help="Take this token instead of asking; `-` reads it from standard input.")
@click.option("--user", help="Log in with this name and a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@_JSON
def login(url: str | None, token: str | None, user: str | None, password_stdin: bool, as_json: bool) -> None:
    """Log in to a server, URL or that of the settings: prints a code and where to type it in, and waits.

    What comes of it, a token, is kept for this server in a file of yours, and every command and program uses it.
    """
    from flyball.access.credentials import keep_token, kept_token
    from flyball.client import Connection

    address = (url or load_settings().url).rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise InvalidInput("Which server?", hint="Run: flyball login https://ml.example.org")
    if token == "-":  # noqa: S105 - the usual name of standard input
        token = sys.stdin.readline().strip()
    elif token is None and (user or password_stdin):
        token = _by_password(address, user or click.prompt("Name", err=True), password_stdin)
    made = token or _by_device(Connection(address), address)
    with_it = Connection(address, made)
    who = json.loads(with_it.request("GET", "/api/accounts/whoami"))
    before = kept_token(address)
    path = keep_token(address, made)
    if before not in ("", made):
        _revoke(with_it, before)  # nobody knows it any more
    if as_json:
        print_json({"url": address, "account": who["name"], "kept_in": str(path)})
    else:
        click.echo(f"Logged in to {address} as {who['name']}.")
        click.echo(f"  The token is kept in {path}; `flyball logout` removes it.", err=True)


@click.command()
@click.argument("url", required=False)
@_JSON
def logout(url: str | None, as_json: bool) -> None:
    """Log out of a server: its token is revoked there and removed here."""
    from flyball.access.credentials import keep_token, kept_token
    from flyball.client import Connection

    address = (url or load_settings().url).rstrip("/")
    token = kept_token(address) if address else ""
    if not token:
        raise NotFound(
            f"No token is kept for {address or 'any server'}.", hint="`flyball logout URL` names the server."
        )
    revoked = _revoke(Connection(address, token), token)
    keep_token(address, "")
    if as_json:
        print_json({"url": address, "revoked": revoked})
    else:
        click.echo(f"Logged out of {address}." if revoked else f"Forgotten here; {address} could not be told.")


@click.command()
@workspace_options
def whoami(workspace: Any, as_json: bool) -> None:
    """Show who you are to the workspace, and what you may do."""
    found = workspace.accounts.whoami()
    if as_json:
        print_json(found)
        return
    print_facts({
        "name": found.name, "kind": found.kind, "role": f"{found.role} in {found.project}", "projects": found.projects,
        "looks after the instance": found.admin, "auditor": found.auditor, "proven by a login": found.proven,
    })  # fmt: skip


@click.command("open")
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
@click.option("--browser", is_flag=True, help="Open it in a browser too.")
@_JSON
def open_page(workspace_folder: str | None, browser: bool, as_json: bool) -> None:
    """Print a link that opens the page of the server of this workspace, once, within an hour."""
    from flyball.server.up import page_link

    settings = load_settings({"workspace": workspace_folder})
    try:
        facts = json.loads((settings.workspace / "up.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotFound(f"The workspace {settings.workspace} is not up.", hint="Run `flyball up`.") from None
    link = page_link(settings, facts["url"])
    print_json({"page": link}) if as_json else click.echo(link)
    if browser:
        import webbrowser

        webbrowser.open(link)


def _revoke(http: Connection, token: str) -> bool:
    """Ends a token; False where the server is gone, or knows it no longer."""
    parts = token.split("_")
    try:
        http.request(
            "POST", "/api/tokens/revoke", body=json.dumps({"id": parts[1] if len(parts) > 2 else token}).encode()
        )
    except FlyballError:
        return False
    return True


def _by_password(address: str, user: str, from_stdin: bool) -> str:
    """A token for who knows the password: a session is opened for as long as it takes to make it."""
    from flyball.client import Connection

    password = sys.stdin.readline().rstrip("\n") if from_stdin else click.prompt("Password", hide_input=True, err=True)
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    body = json.dumps({"name": f"flyball login on {socket.gethostname()[:100]}", "role": "owner"}).encode()
    answer = Connection(address).request(
        "POST", "/api/tokens/create", body=body, headers={"authorization": f"Basic {basic}"}
    )
    return str(json.loads(answer)["secret"])


def _by_device(http: Connection, address: str) -> str:
    begun = json.loads(http.request("POST", "/login/device", body=b"{}"))
    click.echo(f"Open {address}/#/device and enter the code  {begun['user_code']}", err=True)
    click.echo(f"  Waiting, for {begun['expires_in'] // 60} minutes; Ctrl-C stops it.", err=True)
    asked = json.dumps({"device_code": begun["device_code"], "name": f"flyball login on {socket.gethostname()[:100]}"})
    deadline = time.monotonic() + float(begun["expires_in"])
    while time.monotonic() < deadline:
        time.sleep(float(begun["interval"]))
        found = json.loads(http.request("POST", "/login/device/token", body=asked.encode()))
        if "token" in found:
            return str(found["token"])
    raise LoginNeeded("Nobody typed the code in.", hint="Run `flyball login` again.")
