"""The commands of data, from the first snapshot to the last rows of a person."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flyball.cli.group import invoke
from tests.cli.conftest import Command

PROJECT = """
import flyball as fb

planes = fb.dataset("planes", "planes.csv")
flights = fb.dataset("flights", "flights.csv", key="mail", watch="1h")
weather = fb.feature_view("weather", "weather.csv", entity="tail", time="since")


@fb.step(cache=False)
def rows():
    return fb.load("flights")


@fb.pipeline
def check(column: str = "tail"):
    return fb.validate(rows(), [fb.expect.foreign_key(column, "planes", "tail")])
"""
ROWS = [f"N{number % 4},{number % 7},person{number}@example.org" for number in range(40)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions of a dataset."""
    folder = tmp_path_factory.mktemp("flights")
    (folder / "project.py").write_text(PROJECT)
    (folder / "flyball.toml").write_text('name = "flights"\n')
    (folder / "planes.csv").write_text("tail\nN0\nN1\nN2\nN3\n")
    (folder / "weather.csv").write_text("tail,since,wind\nN0,2026-01-01T00:00:00Z,3\n")
    here = Path.cwd()
    try:
        os.chdir(folder)
        for count in (30, 40):
            (folder / "flights.csv").write_text("\n".join(["tail,late,mail", *ROWS[:count], ""]))
            assert invoke(["data", "snapshot", "flights", "--json"]) == 0
        assert invoke(["data", "snapshot", "planes", "--json"]) == 0
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the present folder."""
    folder = tmp_path / "flights"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_history_tells_what_changed(project: Path, flyball: Command) -> None:
    said = flyball("data", "history", "flights", "--json")
    assert [version["rows"] for version in said.json] == [40, 30]
    assert "10 rows" in flyball("data", "history", "flights").out


def test_names_are_given_moved_and_taken(project: Path, flyball: Command) -> None:
    first = flyball("data", "history", "flights", "--json").json[1]["id"]
    assert flyball("data", "tag", "flights", "paper", "--version", first).code == 0
    assert flyball("data", "branch", "flights", "trial").code == 0
    assert flyball("data", "move", "flights", "trial", first).code == 0
    assert {one["name"] for one in flyball("data", "refs", "flights", "--json").json} >= {"paper", "trial"}
    assert flyball("data", "delete", "flights@trial").code == 0
    assert "trial" not in flyball("data", "refs", "flights").out


def test_a_rollback_goes_back_and_loses_nothing(project: Path, flyball: Command) -> None:
    first = flyball("data", "history", "flights", "--json").json[1]["id"]
    assert flyball("data", "rollback", "flights", first).code == 0
    assert flyball("data", "show", "flights", "--json").json["rows"] == 30
    assert len(flyball("data", "history", "flights", "--json").json) >= 2


def test_a_diff_and_a_checkout_show_another_version(project: Path, flyball: Command) -> None:
    first = flyball("data", "history", "flights", "--json").json[1]["id"]
    said = flyball("data", "diff", f"flights@{first}", "flights", "--key", "mail", "--json")
    assert said.json["rows"]["added"] == 10
    assert flyball("data", "checkout", f"flights@{first}", "old").code == 0
    (file,) = Path("old").iterdir()
    assert file.read_text().count("\n") == 31


def test_what_is_kept_is_verified_and_nothing_young_is_removed(project: Path, flyball: Command) -> None:
    assert flyball("data", "verify").code == 0
    assert flyball("data", "gc", "--dry-run", "--json").json["blobs"] == 0


def test_checks_are_proposed_written_and_run(project: Path, flyball: Command) -> None:
    assert flyball("data", "check", "flights").code != 0  # there are none yet
    assert flyball("data", "suggest", "flights", "--write", "checks.yaml").code == 0
    assert flyball("data", "suggest", "flights", "--write", "checks.yaml").err.count("is there already") == 1
    report = flyball("data", "check", "flights", "--json")
    assert report.code == 0, report.out
    assert report.json["passed"]
    Path("checks.yaml").write_text("checks:\n  - in_range: {column: late, high: 3}\n")
    failed = flyball("data", "check", "flights", "--sample", "20")
    assert failed.code == 1
    assert "lie outside" in failed.out
    assert "person" not in failed.out  # values of a column of mails are masked


def test_a_profile_masks_what_is_personal_until_people_say_otherwise(project: Path, flyball: Command) -> None:
    assert "<mail>" in str(flyball("data", "profile", "flights", "--json").json)
    assert flyball("data", "profile", "flights", "--html", "page.html").code == 0
    assert "person1@" not in Path("page.html").read_text()
    assert flyball("data", "pii", "flights", "mail", "none").code == 0
    assert "<mail>" not in str(flyball("data", "profile", "flights", "--again", "--json").json)


def test_a_clean_report_names_what_is_odd_and_how_to_mend_it(project: Path, flyball: Command) -> None:
    rows = [*ROWS, ROWS[0], "N1,,nobody@example.org"]
    Path("flights.csv").write_text("\n".join(["tail,late,mail", *rows, ""]))
    assert flyball("data", "snapshot", "flights").code == 0
    said = flyball("data", "clean", "flights")
    assert said.code == 0
    assert "repeat" in said.out
    assert "fb.clean.drop_duplicates(rows)" in said.out
    assert "nobody@" not in said.out


def test_a_person_is_forgotten(project: Path, flyball: Command) -> None:
    would = flyball("data", "forget", "flights", "--key", "person3@example.org", "--dry-run", "--json")
    assert sum(would.json["rows"].values()) == 2
    done = flyball("data", "forget", "flights", "--key", "person3@example.org", "--yes")
    assert "2 rows were purged from 2 versions" in done.out
    assert [version["rows"] for version in flyball("data", "history", "flights", "--json").json] == [39, 29]


def test_a_project_without_a_loop_can_be_applied(project: Path, flyball: Command) -> None:
    said = flyball("apply", "--json")
    assert said.code == 0, said.err
    assert {change["name"] for change in said.json["changes"]} == {"planes", "flights", "weather"}


def test_a_step_checks_against_another_dataset(project: Path, flyball: Command) -> None:
    assert flyball("run", "check", "--json").code == 0
    Path("planes.csv").write_text("tail\nN0\n")
    assert flyball("data", "snapshot", "planes").code == 0
    said = flyball("run", "check", "--no-cache")
    assert said.code != 0
    assert "30 of 40 values of 'tail'" in said.err + said.out
