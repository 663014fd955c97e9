"""The audit log on the command line."""

from __future__ import annotations

import getpass
import sqlite3
from pathlib import Path

from tests.cli.conftest import Command


def _do_something(flyball: Command) -> None:
    assert flyball("experiments", "create", "one").code == 0
    assert flyball("experiments", "create", "two").code == 0


def test_it_is_listed_shown_and_verified(flyball: Command, nowhere: Path) -> None:
    _do_something(flyball)
    rows = flyball("audit", "list", "--json").json
    assert [row["action"] for row in rows] == ["tracking.experiment_created"] * 2
    assert {row["who"] for row in rows} == {getpass.getuser()}
    assert "tracking.experiment_created" in flyball("audit", "show", "1").out
    assert flyball("audit", "show", "9").code == 4
    assert flyball("audit", "verify", "--json").json["broken"] is None


def test_a_touched_row_is_named(flyball: Command, nowhere: Path) -> None:
    _do_something(flyball)
    (path,) = nowhere.rglob("flyball.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE audit SET who = 'eve' WHERE id = 2")
    said = flyball("audit", "verify")
    assert said.code == 1
    assert "Row 2: changed." in said.err


def test_an_export_is_verified_alone(flyball: Command, nowhere: Path) -> None:
    _do_something(flyball)
    file = nowhere / "audit.jsonl"
    facts = flyball("audit", "export", "--output", str(file), "--json").json
    assert facts["rows"] == facts["signed"] == 3
    assert flyball("audit", "verify", "--file", str(file)).code == 0
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    assert "Row 2: removed." in flyball("audit", "verify", "--file", str(file)).err
    file.write_text(lines[0] + "\n")
    assert "cut off" in flyball("audit", "verify", "--file", str(file)).err
