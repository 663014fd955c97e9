"""Secrets are encrypted, used by name, noted when used, and never given out."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import flyball as fb
import flyball.testing
from flyball.alerts.channels.base import ChannelSpec
from flyball.alerts.delivery import deliver
from flyball.cli.group import invoke
from flyball.errors import Corrupt, InvalidInput, NotFound, WorkFailed
from flyball.governance.key_wrappers.base import WRAPPERS
from flyball.governance.secrets import without_secrets
from flyball.pipelines.engine import run_pipeline
from flyball.principals import Principal, acting_as
from flyball.run_services import RunServices
from flyball.verbs import verbs_of
from flyball.workspace import Workspace, service_class

VALUE = "correct horse battery staple"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with flyball.testing.workspace(tmp_path) as made, acting_as(Principal(name="ada", role="owner")):
        yield made


def test_no_verb_gives_a_value_out() -> None:
    offered = verbs_of(service_class("secrets"))
    assert set(offered) == {"set", "list", "delete", "rotate_key"}
    assert "value" not in {
        name for verb in offered.values() if verb.effect == "read" for name in str(verb.returns).split()
    }


def test_what_was_set_is_known_by_name_and_used_here(here: Workspace) -> None:
    assert here.secrets.set("DB", VALUE).version == 1
    assert here.secrets.set("DB", VALUE + "!").version == 2
    assert [(each.name, each.version, each.by) for each in here.secrets.list()] == [("DB", 2, "ada")]
    assert here.secrets.reveal("DB", "a test") == VALUE + "!"
    assert here.secrets.resolve("secret:DB", "a test") == VALUE + "!"
    assert here.secrets.resolve("plain", "a test") == "plain"


def test_use_is_noted_and_no_value_stands_anywhere(here: Workspace) -> None:
    here.secrets.set("DB", VALUE)
    here.secrets.reveal("DB", "step train of run r1")
    actions = [(row.who, row.action, row.subject, row.facts.get("purpose")) for row in here.audit.list()]
    assert ("ada", "secrets.used", "secrets:/DB", "step train of run r1") in actions
    here.close()
    for path in here.settings.workspace.rglob("*"):
        assert not path.is_file() or VALUE.encode() not in path.read_bytes(), path


def test_what_is_deleted_is_gone(here: Workspace) -> None:
    here.secrets.set("DB", VALUE)
    here.secrets.delete("DB")
    with pytest.raises(NotFound):
        here.secrets.reveal("DB", "a test")
    with pytest.raises(NotFound):
        here.secrets.delete("DB")


@pytest.mark.parametrize(("name", "value"), [("a b", "x"), ("", "x"), ("1A", "x"), ("A", ""), ("A", "x" * 70_000)])
def test_bad_names_and_values_are_refused(here: Workspace, name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        here.secrets.set(name, value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'B') WHERE name = 'A'",
        "UPDATE secrets SET (sealed, wrapped) = (SELECT sealed, wrapped FROM secrets WHERE name = 'B') WHERE name = 'A'",
        "UPDATE secrets SET version = 7 WHERE name = 'A'",
    ],
    ids=["value", "value and key", "version"],
)
def test_a_value_that_was_moved_or_changed_does_not_open(here: Workspace, statement: str) -> None:
    here.secrets.set("A", "one of them")
    here.secrets.set("B", "the other one")
    with sqlite3.connect(str(here.database.url.database)) as connection:
        connection.execute(statement)
    with pytest.raises(Corrupt):
        here.secrets.reveal("A", "a test")


def test_the_key_file_is_for_its_owner_only_and_rotates(here: Workspace) -> None:
    before = here.secrets.set("A", VALUE).key
    path = here.settings.workspace / "keys" / "secrets.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert here.secrets.rotate_key() == 1
    assert here.secrets.list()[0].key != before
    assert here.secrets.reveal("A", "a test") == VALUE
    assert len(path.read_text().split()) == 2
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="Others can read"):
        here.secrets.reveal("A", "a test")
    path.unlink()
    with pytest.raises(NotFound, match="key file"):
        here.secrets.reveal("A", "a test")


KMS = """
import base64, os, sys
data, context = base64.b64decode(sys.stdin.read()), os.environ["FLYBALL_CONTEXT"].encode()
if sys.argv[1] == "wrap":
    sys.stdout.write(base64.b64encode(context + b"|" + data[::-1]).decode())
else:
    bound, _, kept = data.partition(b"|")
    if bound != context:
        sys.exit("bound to something else")
    sys.stdout.write(base64.b64encode(kept[::-1]).decode())
"""


def test_a_key_management_system_is_asked_by_a_command(here: Workspace, tmp_path: Path) -> None:
    program = tmp_path / "kms.py"
    program.write_text(KMS, encoding="utf-8")
    wrapper = WRAPPERS.get("command").open(f"{sys.executable} {program}", tmp_path)
    kept = wrapper.wrap(b"k" * 32, "A 1")
    assert wrapper.unwrap(kept, "A 1", wrapper.key) == b"k" * 32
    with pytest.raises(WorkFailed, match="bound to something else"):
        wrapper.unwrap(kept, "B 1", wrapper.key)
    with pytest.raises(InvalidInput):
        wrapper.renew()
    with pytest.raises(WorkFailed, match="cannot be run"):
        WRAPPERS.get("command").open("/nowhere/kms", tmp_path).wrap(b"k", "A")
    settings = replace(here.settings, secrets_key=f"command:{sys.executable} {program}")
    with Workspace(settings, durable=False) as other, acting_as(Principal(name="ada", role="owner")):
        other.secrets.set("A", VALUE)
        assert other.secrets.reveal("A", "a test") == VALUE


@fb.step(cache=False, secrets=["WAREHOUSE"])
def connect() -> int:
    value = fb.secret("WAREHOUSE")
    print("the password is", value)
    logging.getLogger("a.library").warning("connecting with %s", value)
    return len(value)


@fb.pipeline
def load() -> int:
    return connect()


def test_a_step_uses_it_by_name_and_its_output_does_not_show_it(
    here: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here.secrets.set("WAREHOUSE", VALUE)
    services = RunServices(workspace=here, project_root=tmp_path, source_root=tmp_path)
    result = run_pipeline(load, {}, services=services)
    (step,) = result.steps
    (log,) = [each for each in here.tracking.list_artifacts(step.run) if each.name.endswith("log.txt")]
    printed = here.blobs.get(log.digest).decode()
    assert "the password is ***" in printed
    assert VALUE not in printed
    assert VALUE not in caplog.text
    assert "connecting with ***" in caplog.text
    assert "secrets.used" in {row.action for row in here.audit.list()}


def test_a_step_that_names_no_known_secret_says_how_to_set_it(here: Workspace, tmp_path: Path) -> None:
    services = RunServices(workspace=here, project_root=tmp_path, source_root=tmp_path)
    with pytest.raises(WorkFailed, match="flyball secrets set WAREHOUSE"):
        run_pipeline(load, {}, services=services)


def test_a_channel_names_its_secret(here: Workspace, tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    here.secrets.set("PAGER", VALUE)
    here.alerts.open("warning", "drift", "loops:/churn", "drift:age", "It drifts.")
    asked: list[str] = []

    def reveal(text: str, purpose: str) -> str:
        asked.append(purpose)
        return here.secrets.resolve(text, purpose)

    spec = ChannelSpec(
        channel="command",
        settings={"command": [sys.executable, "-c", f"open({str(told)!r}, 'w')"], "secret": "secret:PAGER"},
    )
    assert deliver(here.alerts, {"churn": [spec]}, reveal=reveal) == 1
    assert told.exists()
    assert asked
    assert "secrets.used" in {row.action for row in here.audit.list()}


def test_what_was_used_is_hidden_in_texts(here: Workspace) -> None:
    here.secrets.set("LINES", "first line\nsecond line")
    here.secrets.reveal("LINES", "a test")
    assert without_secrets("x second line y") == "x *** y"


def test_the_command_reads_the_value_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "value").write_text(VALUE + "\n", encoding="utf-8")
    with (tmp_path / "value").open() as given:
        monkeypatch.setattr("sys.stdin", given)
        assert invoke(["secrets", "set", "DB", "--json"]) == 0
    assert invoke(["secrets", "list"]) == 0
    assert invoke(["secrets", "rotate-key"]) == 0
    assert invoke(["secrets", "delete", "DB"]) == 0
    assert invoke(["secrets", "delete", "DB"]) == 4
    said = capfd.readouterr()
    assert VALUE not in said.out + said.err
