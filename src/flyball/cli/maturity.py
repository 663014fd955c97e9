"""`flyball maturity`: how ready loops are, what is missing, and the command for it."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput


@click.command()
@click.argument("loop", default="")
@click.option(
    "--check", "test", default="", metavar="TEST", help="Record that you made this test by hand, such as model.5."
)
@click.option("--evidence", default="", help="What shows it: a reference, an address, a sentence.")
@click.option("--checks", is_flag=True, help="Show the checks that were made by hand.")
@workspace_options
def maturity(workspace: Any, loop: str, test: str, evidence: str, checks: bool, as_json: bool) -> None:
    """Level of maturity and ML Test Score of LOOP, or of all loops: what the facts say, and the next step."""
    if (test or checks) and not loop:
        raise InvalidInput("Which loop is meant?", hint="Give its name: flyball maturity LOOP --check TEST.")
    if test:
        done = workspace.maturity.record_check(loop, test, evidence)
        if as_json:
            print_json(done)
        else:
            click.echo(f"{done.by} checked {done.test} of '{loop}': {done.evidence}")
    elif checks:
        _show_checks(workspace.maturity.list_checks(loop), as_json=as_json)
    elif loop:
        _show(workspace.maturity.get(loop), as_json=as_json)
    else:
        _show_all(workspace.maturity.list(), as_json=as_json)


def _show_checks(found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(check.test, check.at, check.by, check.kind, check.evidence) for check in found]
    print_table(["test", "at", "by", "kind", "evidence"], rows, empty="Nobody has made a check by hand.")


def _show_all(found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(r.loop, r.level, f"{r.score:g} of 7", r.next_step, r.command) for r in found]
    print_table(["loop", "level", "score", "next step", "command"], rows, empty="There is no loop yet.")


def _show(report: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    sections = ", ".join(f"{section.section} {section.points:g}" for section in report.sections)
    print_facts(
        {
            "loop": report.loop,
            "level": f"{report.level} of 2",
            "ML Test Score": f"{report.score:g} of 7: {report.meaning}",
            "sections": sections,
            "next step": report.next_step,
            "command": report.command,
        }
    )
    click.echo("")
    rows = [
        (each.level, "yes" if each.is_met else "no", each.title, "" if each.is_met else each.mend)
        for each in report.criteria
    ]
    print_table(["level", "met", "criterion", "how"], rows)
    click.echo("")
    tests = [(each.test, f"{each.points:g}", each.title, each.why, each.mend) for each in report.tests]
    print_table(["test", "points", "what", "why", "how to get more"], tests)
