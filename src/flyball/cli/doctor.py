"""`flyball doctor`: what may be wrong, and how it is mended."""

from __future__ import annotations

import sys

import click

from flyball.cli.data_versions import progress_bar
from flyball.cli.output import plain, print_json

_MARKS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "problem": ("BAD", "red")}


@click.command()
@click.option("--workspace", "folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
@click.option("--fix", is_flag=True, help="Mend what is safe to: rights of keys, leftovers, a log that grew too large.")
@click.option("--deep", is_flag=True, help="Read every byte of every blob, and compare it with its name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(folder: str | None, fix: bool, deep: bool, as_json: bool) -> int:
    """Look at settings, disk, databases, stores, keys and backups; each finding tells the mend.

    The exit code is 1 where something is wrong, and 0 where all is well or only worth a look.
    """
    from flyball.doctor.examine import examine

    with progress_bar("reading", hidden=as_json or not deep) as progress:
        found = list(examine({"workspace": folder}, fix=fix, deep=deep, progress=progress))
    bad = sum(one.state == "problem" for one in found)
    if as_json:
        print_json({"problems": bad, "findings": plain(found)})
        return 1 if bad else 0
    for one in found:
        word, colour = _MARKS[one.state]
        where = f"{one.check} of {one.project}" if one.project else one.check
        mark = click.style(f"{word:<5}", fg=colour) if sys.stdout.isatty() else f"{word:<5}"
        click.echo(f"{mark} {where}: {one.said}")
        if one.mend:
            click.echo(f"      -> {one.mend}")
    looks = sum(one.state == "warning" for one in found)
    click.echo(f"{len(found)} things looked at: {bad} wrong, {looks} worth a look.")
    return 1 if bad else 0
