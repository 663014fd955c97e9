"""`flyball audit`: who did what to which thing, and proof that nobody touched what was written about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    from flyball.governance.audit_check import AuditCheck

_PAGE = 5_000


@click.group()
def audit() -> None:
    """The audit log: who did what; proof; export."""


@audit.command("list")
@click.option("--who", default="", help="Only by this account.")
@click.option("--action", default="", help="Only this action or verb; `registry.` stands for all of that room.")
@click.option("--subject", default="", help="Only what was done to this; one that ends with / stands for all beneath.")
@click.option("--since", default="", help="Only from this moment on, such as 2026-01-31.")
@click.option("--until", default="", help="Only before this moment.")
@click.option("--limit", default=30, show_default=True, help="At most this many, the newest.")
@workspace_options
def list_(
    workspace: Any, who: str, action: str, subject: str, since: str, until: str, limit: int, as_json: bool
) -> None:
    """Who did what, newest first."""
    from flyball.clock import parse_time

    found = workspace.audit.list(
        who=who, action=action, subject=subject, limit=limit,
        since=parse_time(since) if since else None, until=parse_time(until) if until else None,
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    rows = [(row.id, row.at, row.who, row.action, row.subject, row.facts) for row in found]
    print_table(["id", "at", "who", "action", "subject", "facts"], rows, empty="Nothing was done yet.")


@audit.command()
@click.argument("id", type=int)
@workspace_options
def show(workspace: Any, id: int, as_json: bool) -> None:
    """All that is known of one row."""
    from flyball.serialization import to_plain

    found = workspace.audit.show(id)
    if as_json:
        print_json(found)
    else:
        print_facts(to_plain(found))


@audit.command()
@click.option("--key", "keys", multiple=True, type=click.Path(path_type=Path), help="A further trusted public key.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="An export to check, in place of the log itself.")
@workspace_options
def verify(workspace: Any, keys: tuple[Path, ...], file: Path | None, as_json: bool) -> None:
    """Look through the whole log for the first row that is not what was written.

    An export is checked alone: with `--file`, no workspace is needed but the public key of the one that made it.
    """
    if file is not None:
        found = _verify_file(file, keys)
    else:
        found = workspace.audit.verify(public_keys=[_read_text(path) for path in keys])
    if as_json:
        print_json(found)
    else:
        _say(found)
    if found.broken is not None:
        where = f"Row {found.broken.id}" if found.broken.id else "The log"
        raise Corrupt(f"{where}: {found.broken.what}. {found.broken.why}", row=found.broken.id)


@audit.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "syslog"]), default="jsonl", show_default=True)
@click.option("--after", default=0, help="Only rows after this one, such as the last of the export before.")
@click.option("--output", type=click.Path(path_type=Path), help="File to write; by default it is printed.")
@workspace_options
def export(workspace: Any, form: str, after: int, output: Path | None, as_json: bool) -> None:
    """Write the log as JSON lines, or as syslog messages (RFC 5424), oldest first.

    Beside a file, the signed head of the log is written with the ending `.head.json`, and the public key with `.pub`.
    """
    if output is None:
        _export(workspace, form, after, sys.stdout)
        return
    with output.open("w", encoding="utf-8", newline="\n") as file:
        count, last = _export(workspace, form, after, file)
    if last.head is not None:
        from flyball.serialization import to_json

        output.with_name(f"{output.name}.head.json").write_bytes(to_json(last.head))
        output.with_name(f"{output.name}.pub").write_text(last.public_key, encoding="ascii")
    facts = {"file": str(output), "rows": count, "last": last.last, "signed": last.head.id if last.head else None}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


def _export(workspace: Any, form: str, after: int, sink: IO[str]) -> tuple[int, Any]:
    count = 0
    while True:
        part = workspace.audit.export(after=after, limit=_PAGE, format=form)
        sink.writelines(f"{line}\n" for line in part.lines)
        count, after = count + len(part.lines), part.last
        if part.is_all:
            return count, part


def _verify_file(file: Path, keys: tuple[Path, ...]) -> AuditCheck:
    from flyball.governance.audit import rows_of_lines
    from flyball.governance.audit_check import Checker
    from flyball.governance.audit_keys import key_id, public_bytes, read_public
    from flyball.serialization import from_json
    from flyball.storage.audit_chain import START, Seal

    trusted = [read_public(path) for path in keys or (file.with_name(f"{file.name}.pub"),)]
    head = file.with_name(f"{file.name}.head.json")
    signed = [from_json(head.read_bytes(), Seal)] if head.is_file() else []
    try:
        with file.open(encoding="utf-8") as lines:
            rows = rows_of_lines(line for line in lines if line.strip())
            first = next(rows, None)
            start = (0, START) if first is None or first[0] == 1 else (first[0] - 1, str(first[-2]))
            checker = Checker(signed, {key_id(public_bytes(key)): key for key in trusted}, start)
            if first is not None and checker.take([first]):
                checker.take(rows)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is no text.") from error
    return checker.result()


def _say(found: AuditCheck) -> None:
    print_facts(
        {
            "rows": found.rows,
            "whole": found.is_whole,
            "signed up to": found.signed,
            "keys not trusted": ", ".join(key[:16] for key in found.unknown_keys),
        }
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The key {path} cannot be read.") from error
