"""What the commands print, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.cli.commands import COMMANDS
from flyball.version import __version__
from tests.cli.conftest import Command

SHOWS = [
    "run",
    "data list",
    "data history irises",
    "data show irises",
    "features list",
    "runs list",
    "models list",
    "models list irises",
    "models show irises/1",
    "models gate irises/1",
    "deployments list",
    "loops list",
    "loops show irises",
    "loops why irises",
    "alerts list",
    "events",
    "plugins",
    "db show",
    "clock",
    "predict irises/1 --input data/irises.csv",
    "apply --plan",
]


def test_help_names_every_command(process: Command) -> None:
    said = process("--help")
    assert said.code == 0
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in said.out
        assert summary in said.out


def test_the_version_is_told(process: Command) -> None:
    assert process("--version").out == f"flyball {__version__}\n"


def test_no_command_is_answered_with_the_help_and_code_2(process: Command) -> None:
    said = process()
    assert (said.code, said.out.partition(" ")[0]) == (2, "Usage:")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_how_it_is_used(flyball: Command, name: str) -> None:
    said = flyball(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: flyball {name}")


@pytest.mark.parametrize("command", SHOWS)
def test_what_is_shown_to_people_is_text(flyball: Command, project: Path, command: str) -> None:
    said = flyball(*command.split())
    assert said.code == 0
    assert said.out.strip()
    assert not said.out.startswith(("{", "["))


@pytest.mark.parametrize("command", SHOWS)
def test_what_is_shown_to_programs_is_one_json_document(flyball: Command, project: Path, command: str) -> None:
    said = flyball(*command.split(), "--json")
    assert said.code == 0
    assert said.out.count("\n") == 1
    said.json  # noqa: B018 - it is read


def test_a_table_has_a_column_for_each_heading(flyball: Command, project: Path) -> None:
    heading, row = flyball("models", "list").out.splitlines()
    assert heading.split() == ["model", "versions", "champion"]
    assert row.split() == ["irises", "1", "-"]


def test_a_run_that_is_shown_tells_its_steps_and_why_they_ran(flyball: Command, project: Path) -> None:
    (run,) = flyball("runs", "list", "--json").json
    said = flyball("runs", "show", run["id"])
    for step in ("training_set", "validate", "split", "train", "evaluate", "register"):
        assert f"\n{step} " in said.out
    assert "it has not run before" in said.out


def test_a_metric_is_shown_value_by_value(flyball: Command, project: Path) -> None:
    (run,) = flyball("runs", "list", "--json").json
    (point,) = flyball("runs", "metric", run["id"], "roc_auc", "--json").json
    assert point["value"] > 0.9


def test_predictions_are_written_with_the_columns_that_are_kept(
    flyball: Command, project: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    given = ("--input", "data/irises.csv", "--output", str(target), "--keep", "flower")
    said = flyball("predict", "irises/1", *given)
    assert said.out == f"150 predictions of models:/irises/1 in {target}.\n"
    lines = target.read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0]) == (151, '"flower","prediction","probability"')


def test_what_is_applied_again_unchanged_is_unchanged(flyball: Command, project: Path) -> None:
    changes = flyball("apply", "--json").json["changes"]
    assert [(change["kind"], change["name"], change["change"]) for change in changes] == [
        ("dataset", "irises", "unchanged"),
        ("loop", "irises", "unchanged"),
    ]


def test_a_project_that_was_begun_already_is_left_alone(flyball: Command, project: Path) -> None:
    said = flyball("init", ".")
    assert said.code == 1
    assert "exists already" in said.err


def test_a_new_project_says_what_comes_next(flyball: Command, nowhere: Path) -> None:
    said = flyball("init", "sales")
    assert "`cd sales`" in said.out
    assert {path.name for path in (nowhere / "sales").iterdir()} == {".gitignore", "data", "flyball.toml", "project.py"}


def test_init_fills_up_a_folder_without_touching_what_is_there(flyball: Command, nowhere: Path) -> None:
    (nowhere / ".gitignore").write_text("mine\n", encoding="utf-8")
    assert flyball("init", ".", "--name", "sales").code == 0
    assert (nowhere / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_an_alert_is_acknowledged_and_resolved(flyball: Command, nowhere: Path) -> None:
    from flyball.session import connect

    alert = connect().alerts.open("warning", "drift", "loops:/churn", "drift:age", "Age drifted", "mean 41 -> 70").id
    assert "mean 41 -> 70" in flyball("alerts", "show", alert).out
    assert flyball("alerts", "ack", alert, "--by", "Ada", "--json").json["acknowledged_by"] == "Ada"
    assert flyball("alerts", "resolve", alert, "--json").json["state"] == "resolved"
    assert flyball("alerts", "list").out == "Nothing to see to.\n"


def test_a_loop_is_paused_resumed_triggered_and_removed(flyball: Command, nowhere: Path) -> None:
    flyball("init", ".", "--name", "sales")
    assert flyball("apply").code == 0
    flyball("loops", "pause", "irises", "--reason", "stock-taking")
    assert "stock-taking" in flyball("loops", "show", "irises").out
    assert flyball("loops", "resume", "irises", "--json").json["paused"] == ""
    assert flyball("loops", "trigger", "irises", "--json").json["trigger"] == "manual"
    assert flyball("loops", "remove", "irises", "--yes").out == "'irises' is taken back.\n"
    assert flyball("loops", "list", "--json").json == []
