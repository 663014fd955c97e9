"""0 ok, 1 failed work, 2 usage, 3 gate refused, 4 not found, 5 no server; and never a traceback for a user's mistake."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from flyball.registry.verdicts import GateDecision, Verdict
from flyball.session import connect
from tests.cli.conftest import Command
from tests.servers.processes import free_port

PIPELINE = """
import flyball as fb

@fb.step
def divide(by: int) -> float:
    return 1 / by

@fb.pipeline
def share(by: int = 0):
    return divide(by)
"""


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("modles list", "Did you mean 'models'?"),
        ("models lst", "Did you mean 'list'?"),
        ("models list --limit many", "'many' is not a valid integer"),
        ("runs show", "Missing argument 'RUN'"),
        ("run train_irises -p strengt=2", "Did you mean 'strength'?"),
        ("run train_irises -p strength=strong", "Parameter 'strength' of pipeline 'train_irises' cannot be 'strong'"),
        ("run train_irises -p strength", "-p name=value"),
        ("predict irises/1 --input nosuch.csv", "'nosuch.csv' matches no files"),
        ("predict irises/1 --input flyball.toml", "is no table file"),
        ("predict irises/1 --input data/irises.csv --keep flour", "has no column 'flour'"),
        ("predict irises/1 --input data/irises.csv --output out.txt", ".parquet or .csv"),
        ("predict nothing/else/at/all --input data/irises.csv", "models:/"),
        ("clock 2013-01-01", "system time"),
        ("up --host 0.0.0.0", "no login is set up"),
        ("up --port 99999", "from 0 to 65535"),
        ("loops list --url nowhere", "http://host:port"),
    ],
)
def test_a_mistake_in_what_is_asked_is_code_2(flyball: Command, project: Path, command: str, found: str) -> None:
    said = flyball(*command.split())
    assert said.code == 2
    assert found in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("run train_irisis", "Did you mean 'train_irises'?"),
        ("models show irisis/1", "irises"),
        ("models show irises/7", "version"),
        ("models show irises@champion", "champion"),
        ("runs show nosuch", "no run 'nosuch'"),
        ("runs metric nosuch auc", "no run 'nosuch'"),
        ("data show irisis", "Did you mean 'irises'?"),
        ("data history irisis", "Did you mean 'irises'?"),
        ("loops show irisis", "Did you mean 'irises'?"),
        ("loops why irisis", "Did you mean 'irises'?"),
        ("deployments show irises", "no deployment 'irises'"),
        ("monitor list irises", "no deployment 'irises'"),
        ("alerts show nosuch", "no alert 'nosuch'"),
        ("trace nosuch", "No prediction 'nosuch'"),
        ("plugins gates", "Did you mean 'gate'?"),
    ],
)
def test_what_is_not_there_is_code_4(flyball: Command, project: Path, command: str, found: str) -> None:
    said = flyball(*command.split())
    assert said.code == 4
    assert found in said.err
    assert "Traceback" not in said.err


def test_a_step_that_fails_is_code_1_and_the_line_is_told(flyball: Command, nowhere: Path) -> None:
    (nowhere / "project.py").write_text(PIPELINE, encoding="utf-8")
    said = flyball("run", "share")
    assert said.code == 1
    assert "Step 'divide' failed: ZeroDivisionError: division by zero" in said.err
    assert 'project.py", line 6, in divide\n    return 1 / by\n' in said.err
    assert "Traceback" not in said.err


def test_a_version_that_a_gate_held_back_is_code_3(flyball: Command, nowhere: Path) -> None:
    flyball("init", ".", "--name", "irises")
    flyball("run", "train_irises")
    registry = connect().registry
    version = registry.get_version("irises/1")
    decision = GateDecision(gate="at_least", passed=False, reason="roc_auc is 0.50, not 0.90")
    registry.record_verdict("irises", 1, Verdict(passed=False, decisions=(decision,), at=version.created))
    said = flyball("models", "gate", "irises/1")
    assert said.code == 3
    assert "at_least held version 1 of 'irises' back: roc_auc is 0.50, not 0.90" in said.err


def test_no_server_is_code_5(flyball: Command, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_URL", f"http://127.0.0.1:{free_port()}")
    for command in ("loops list", "events"):
        said = flyball(*command.split())
        assert said.code == 5
        assert "No server answers at" in said.err


def test_a_port_that_is_taken_is_told(flyball: Command, nowhere: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = flyball("up", "--port", str(taken.getsockname()[1]))
    assert said.code == 1
    assert "is taken: Address already in use" in said.err
    assert "--port" in said.err


def test_a_port_with_none_after_it_is_code_2(flyball: Command, nowhere: Path) -> None:
    said = flyball("up", "--port", "65535")
    assert said.code == 2
    assert "Choose a lower one" in said.err


def test_an_error_for_programs_is_one_json_document(flyball: Command, project: Path) -> None:
    said = flyball("models", "show", "irisis/1", "--json")
    assert said.json["error"]["code"] == "not_found"
    assert said.json["error"]["hint"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(:\n", "project.py:1: SyntaxError"),
        ("import nosuchlibrary\n", "project.py:1: ModuleNotFoundError: No module named 'nosuchlibrary'"),
        ("x = 1\ny = 1 / 0\n", "project.py:2: ZeroDivisionError"),
        ("raise SystemExit(0)\n", "project.py:1"),
    ],
)
def test_a_broken_project_file_is_told_with_its_line(flyball: Command, nowhere: Path, text: str, found: str) -> None:
    (nowhere / "project.py").write_text(text, encoding="utf-8")
    said = flyball("apply")
    assert said.code == 2
    assert found in said.err
    assert "Traceback" not in said.err


def test_no_project_file_is_told_with_the_way_to_begin(flyball: Command, nowhere: Path) -> None:
    said = flyball("run")
    assert said.code == 4
    assert "flyball init" in said.err


@pytest.mark.parametrize("text", ["nam = 'x'\n", "name =\n", "port = 'http'\n"])
def test_broken_settings_are_code_2(flyball: Command, nowhere: Path, text: str) -> None:
    (nowhere / "flyball.toml").write_text(text, encoding="utf-8")
    said = flyball("loops", "list")
    assert said.code == 2
    assert "flyball.toml" in said.err


def test_a_database_file_that_is_none_is_told(flyball: Command, nowhere: Path) -> None:
    (nowhere / ".flyball").mkdir()
    (nowhere / ".flyball" / "flyball.db").write_text("these are no pages of a database\n" * 9, encoding="utf-8")
    said = flyball("loops", "list")
    assert said.code == 1
    assert "flyball.db cannot be used: file is not a database" in said.err


def test_a_database_server_that_is_not_there_is_code_5_and_its_password_is_not_told(
    flyball: Command, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYBALL_DATABASE", f"postgresql://flyball:secret@127.0.0.1:{free_port()}/flyball")
    said = flyball("db", "show")
    assert said.code == 5
    assert "cannot be reached" in said.err
    assert "secret" not in said.err


def test_a_folder_that_cannot_be_written_to_is_told(flyball: Command, nowhere: Path) -> None:
    (nowhere / "file").write_text("", encoding="utf-8")
    said = flyball("loops", "list", "--workspace", "file/inside")
    assert said.code == 2
    assert "cannot be made" in said.err
