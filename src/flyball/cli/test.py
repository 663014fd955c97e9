"""`flyball test`: runs the tests of the project, of its code, data, schema, features, pipelines and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options


@click.command()
@click.argument("only", default="")
@click.option("--sample", default=0, metavar="ROWS", help="Train on so many rows of each dataset; all by default.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as JUnit XML.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False),
              help="Append a summary in Markdown, as for GITHUB_STEP_SUMMARY.")  # fmt: skip
@workspace_options
def test(workspace: Any, only: str, sample: int, junit: Path | None, markdown: Path | None, as_json: bool) -> int:
    """Run the project's tests, or those whose name has ONLY in it: what fb.test declares, and every test_*.py.

    Exits with 0 where all hold, 1 where one does not, 2 where there is nothing to test.
    """
    from flyball.project_tests.session import markdown_of, run_tests

    report = run_tests(workspace, only=only, sample=sample, junit=junit, quiet=True)
    if markdown is not None:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(markdown_of(report))
    if as_json:
        print_json({"passed": report.passed, "seconds": report.seconds, "results": report.results})
        return 0 if report.passed else 1
    rows = [[one.outcome, one.kind, one.name, one.seconds, " ".join(one.found.split())[:160]] for one in report.results]
    print_table(["", "kind", "test", "s", "found"], rows)
    failed = report.count("failed") + report.count("error")
    click.echo(
        f"\n{report.count('passed')} hold, {failed} do not, {report.count('skipped')} skipped in {report.seconds:.1f} s."
    )
    return 0 if report.passed else 1
