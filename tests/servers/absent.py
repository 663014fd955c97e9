"""What happens to tests whose server cannot be had: named at the end of the run, and a failure in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.provision import Program

NOT_RUN = "NOT RUN: "


def found(program: Program) -> Path:
    """Where a program stands. Without it the test is not run; with CI set it fails."""
    if path := program.find():
        return path
    reason = f"{program.name} is not on this machine (make test, or python -m tools.provision, gets it)"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(NOT_RUN + reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Lists what was not run, so that nobody takes a short run for a whole one."""
    absent: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if NOT_RUN in reason:
            absent.setdefault(reason.partition(NOT_RUN)[2], []).append(report.nodeid)
    if absent:
        terminalreporter.section("tests that were not run", sep="=", red=True, bold=True)
    for reason, tests in absent.items():
        terminalreporter.line(f"{NOT_RUN}{len(tests)} tests. {reason}", red=True)
        for test in sorted(tests):
            terminalreporter.line(f"  {test}")
