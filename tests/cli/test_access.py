"""Accounts, tokens, groups and members on the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def add(flyball: Command, name: str, *more: str) -> None:
    assert flyball("users", "add", name, "--no-password", *more).code == 0


def test_people_programs_and_what_they_may_do(flyball: Command) -> None:
    add(flyball, "ada", "--role", "owner", "--admin")
    assert flyball("service-accounts", "add", "nightly", "--role", "viewer").code == 0
    assert flyball("members", "set", "nightly", "contributor").code == 0
    found = {member["name"]: member["role"] for member in flyball("members", "list", "--json").json}
    assert found == {"ada": "owner", "nightly": "contributor"}
    assert [one["name"] for one in flyball("users", "list", "--json").json] == ["ada"]
    assert flyball("users", "show", "ada", "--json").json["admin"] is True
    assert flyball("members", "remove", "nightly").code == 0
    assert "nightly" not in flyball("members", "list").out


def test_a_token_is_printed_once(flyball: Command) -> None:
    add(flyball, "ada")
    made = flyball("tokens", "create", "a test", "--account", "ada", "--days", "1")
    secret = made.out.strip()
    assert secret.startswith("fly_")
    shown = flyball("tokens", "list", "--all")
    assert "a test" in shown.out
    assert secret.rpartition("_")[2] not in shown.out
    assert flyball("tokens", "revoke", secret).code == 0
    assert flyball("tokens", "list", "--all", "--json").json == []


def test_a_password_is_read_and_an_easy_one_refused(flyball: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    refused = flyball("users", "add", "ada", "--password-stdin")
    assert refused.code == 2
    assert "easy to guess" in refused.err
    monkeypatch.setattr("sys.stdin", io.StringIO("a few words do well\n"))
    assert flyball("users", "add", "ada", "--password-stdin", "--json").json["has_password"] is True


def test_groups(flyball: Command) -> None:
    add(flyball, "ada")
    assert flyball("groups", "add", "team", "--description", "ours").code == 0
    assert flyball("groups", "join", "team", "ada").code == 0
    assert flyball("members", "set", "team", "maintainer", "--group").code == 0
    assert flyball("groups", "list", "--json").json[0]["accounts"] == ["ada"]
    assert flyball("groups", "leave", "team", "ada").code == 0
    assert flyball("groups", "remove", "team").code == 0
    assert flyball("groups", "list").out == "There is none yet.\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("users", "show", "nobody"), 4),
        (("tokens", "revoke", "nothing"), 4),
        (("tokens", "create", "x", "--account", "nobody"), 4),
        (("groups", "join", "none", "nobody"), 4),
        (("members", "set", "nobody", "owner"), 4),
        (("login",), 2),
        (("login", "ftp://x"), 2),
        (("logout", "http://127.0.0.1:1"), 4),
        (("open",), 4),
        (("login", "http://127.0.0.1:1", "--token", "fly_a_b"), 5),
    ],
)
def test_what_cannot_be_done_is_said(flyball: Command, command: tuple[str, ...], code: int) -> None:
    said = flyball(*command)
    assert said.code == code
    assert said.err.startswith("Error: ")


def test_who_one_is_in_a_workspace_of_ones_own(flyball: Command) -> None:
    found = flyball("whoami", "--json").json
    assert (found["role"], found["proven"]) == ("owner", False)
