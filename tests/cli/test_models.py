"""What people do with versions from a terminal, from approval to retirement."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.models.package import save_model
from flyball.serialization import from_json
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.cli.conftest import Command
from tests.registry.constant import always_eight, always_seven


@pytest.fixture
def house(nowhere: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in a folder whose workspace has two versions of `churn`; one is called Ada."""
    monkeypatch.setenv("FLYBALL_DATABASE", sqlite_url)
    monkeypatch.setenv("LOGNAME", "Ada")
    with Workspace(load_settings(), durable=False) as here:
        for model in (always_seven, always_eight):
            here.registry.register("churn", save_model(model, here.blobs, example=pa.table({"age": [1.0]})))
    return nowhere


def test_a_version_is_asked_for_approved_and_listed(flyball: Command, house: Path) -> None:
    said = flyball("models", "request", "churn/1", "--approver", "Grace", "--approver", "Edsger", "--needed", "2")
    assert said.out == "2 of Grace, Edsger must approve version 1 of 'churn'.\n"
    assert flyball("models", "approve", "churn/1", "--as", "Grace").out.endswith("1 more must approve it.\n")
    said = flyball("models", "approve", "churn/1", "--as", "Edsger", "--reason", "looks right", "--json")
    assert (said.json["state"], said.json["requested_by"]) == ("approved", "Ada")
    heading, row = flyball("models", "approvals", "churn").out.splitlines()
    assert heading.split()[:3] == ["version", "state", "asked"]
    assert row.split()[:3] == ["churn/1", "approved", "Ada"]
    assert "Edsger: approve looks right" in row
    assert flyball("models", "approvals", "--state", "rejected", "--json").json == []


def test_who_may_not_decide_is_told_so(flyball: Command, house: Path) -> None:
    flyball("models", "request", "churn/1", "--four-eyes", "--note", "please")
    said = flyball("models", "approve", "churn/1")
    assert (said.code, said.err.splitlines()[0]) == (1, "Error: Ada asked for this approval and may not give it.")
    assert flyball("models", "reject", "churn/1", "--as", "Grace").code == 2
    assert flyball("models", "reject", "churn/1", "--as", "Grace", "--reason", "biased").code == 0
    flyball("models", "request", "churn/1")
    assert flyball("models", "withdraw", "churn/1").out == "The request for version 1 of 'churn' is withdrawn.\n"
    assert flyball("models", "approve", "churn/1").code == 4


def test_a_version_is_promoted_staged_and_described(flyball: Command, house: Path) -> None:
    said = flyball("models", "promote", "churn/1", "--reason", "first")
    assert said.out == "Version 1 of 'churn' is the champion now.\n"
    assert flyball("models", "promote", "churn/2", "--json").json["stage"] == "champion"
    assert flyball("models", "show", "churn/1", "--json").json["stage"] == "archived"
    said = flyball("models", "stage", "churn/1", "challenger")
    assert said.out == "Version 1 of 'churn' is challenger now.\n"
    flyball("models", "describe", "churn/2", "eight", "--tag", "team=growth", "--tag", "a=b=c")
    shown = flyball("models", "show", "churn@champion").out
    facts = dict(line.split(":", 1) for line in shown.splitlines() if ": " in line)
    assert (facts["description"].strip(), facts["tags"].strip()) == ("eight", "team=growth, a=b=c")
    assert "first" in flyball("models", "history", "churn").out


def test_what_is_done_to_a_version_names_one(flyball: Command, house: Path) -> None:
    said = flyball("models", "promote", "churn")
    assert (said.code, "Write it as churn/3 or churn@alias." in said.err) == (2, True)
    assert flyball("models", "promote", "churn/9").code == 4
    assert flyball("models", "stage", "churn/1", "best").code == 2
    assert flyball("models", "describe", "churn/1", "--tag", "team").code == 2


def test_things_are_spoken_of(flyball: Command, house: Path) -> None:
    made = flyball("models", "comment", "churn/1", "why so few rows?", "--json").json
    assert (made["ref"], made["by"]) == ("models:/churn/1", "Ada")
    answer = flyball(
        "models", "comment", "churn/1", "holidays", "--reply-to", made["id"], "--as", "Grace", "--json"
    ).json
    flyball("models", "comment", "churn/1", "why so many?", "--edit", made["id"])
    out = flyball("models", "comments", "models:/churn/1").out
    assert "why so many?" in out
    assert "holidays" in out
    assert flyball("models", "comment", "churn/1", "--delete", answer["id"]).code == 1
    assert flyball("models", "comment", "churn/1", "--delete", answer["id"], "--as", "Grace").code == 0
    assert len(flyball("models", "comments", "churn/1", "--json").json) == 1
    assert flyball("models", "comments", "runs:/r1").out == "Nobody has said anything.\n"


def test_a_card_is_printed_and_written(flyball: Command, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flyball("models", "section", "churn", "Intended use", "Only here.").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("Piped in."))
    assert flyball("models", "section", "churn/1", "Ethics").code == 0
    out = flyball("models", "card", "churn/1").out
    assert out.startswith("# churn, version 1\n")
    assert "Only here." in out
    assert "Piped in." in out
    assert flyball("models", "card", "churn/1", "-o", "card.md").out == "The card of churn/1 is in card.md.\n"
    assert (house / "card.md").read_text(encoding="utf-8").startswith("# churn, version 1\n")
    assert flyball("models", "section", "churn/1", "Ethics", "--delete").code == 0
    assert [section["heading"] for section in flyball("models", "card", "churn/1", "--json").json["own"]] == [
        "Intended use"
    ]


def test_a_version_is_deprecated_retired_and_restored(flyball: Command, house: Path) -> None:
    made = flyball(
        "models", "deprecate", "churn/1", "--reason", "slow", "--until", "2026-05-01", "--instead", "churn/2", "--json"
    )
    assert (made.json["until"], made.json["instead"]) == ("2026-05-01T00:00:00Z", "models:/churn/2")
    out = flyball("models", "standing", "churn/1").out
    assert "deprecated:    slow\n" in out
    assert re.search(r"deprecated: +slow\n", flyball("models", "show", "churn/1").out)
    assert flyball("models", "undeprecate", "churn/1").code == 0
    assert flyball("models", "retire", "churn/1", "--keep-files").out.endswith(
        "retired; 0 files of 0 bytes were freed.\n"
    )
    assert flyball("models", "restore", "churn/1").out == "Version 1 of 'churn' is archived.\n"
    assert (
        flyball("models", "retire", "churn/1", "--json").json["freed_files"] == 0
    )  # the files of version 2 are the same
    assert flyball("models", "standing", "churn/1", "--json").json["stage"] == "retired"
    assert flyball("models", "deprecate", "churn/2", "--reason", "slow", "--until", "soon").code == 2


def test_what_is_deployed_is_not_retired(flyball: Command, house: Path) -> None:
    assert flyball("deployments", "deploy", "churn-eu", "churn/1").code == 0
    said = flyball("models", "retire", "churn/1")
    assert (said.code, "is used by 'deployments:/churn-eu'" in said.err) == (1, True)


def test_one_command_rolls_back_the_model_and_what_is_served(flyball: Command, house: Path) -> None:
    for version in ("1", "2"):
        flyball("models", "alias", "churn", "champion", version)
        flyball("deployments", "deploy", "churn-eu", f"churn/{version}")
    said = flyball("models", "rollback", "churn", "--reason", "it drifts")
    assert said.out.splitlines() == [
        "Version 1 of 'churn' is the champion again.",
        "Deployment 'churn-eu' answers with it.",
    ]
    assert flyball("deployments", "show", "churn-eu", "--json").json["deployment"]["champion"] == 1
    assert "rolled back from version 2 by Ada: it drifts" in flyball("models", "history", "churn").out
    assert [change["version"] for change in flyball("models", "history", "churn", "--json").json] == [1, 2, 1]
    assert flyball("models", "rollback", "churn").code == 1


def test_a_version_is_signed_verified_and_exported(
    flyball: Command, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert flyball("models", "sign", "churn/1").code == 2
    assert flyball("models", "keygen", "keys/ada.key").code == 0
    assert stat.S_IMODE((house / "keys" / "ada.key").stat().st_mode) == 0o600
    assert flyball("models", "keygen", "keys/ada.key").code == 1
    assert flyball("models", "signatures", "churn/1").out == "Nobody has signed it.\n"
    assert flyball("models", "verify", "churn/1", "--key", "keys/ada.pub").code == 4
    assert flyball("models", "sign", "churn/1", "--key", "keys/ada.key").out.startswith(
        "Ada signed version 1 of 'churn'"
    )
    assert "is what Ada signed" in flyball("models", "verify", "churn/1", "--key", "keys/ada.pub").out
    monkeypatch.setenv("FLYBALL_SIGNING_KEY", "keys/ada.key")
    assert flyball("models", "verify", "churn/1", "--json").json["by"] == "Ada"
    assert flyball("models", "sign", "churn/1", "--json").code == 0
    assert flyball("models", "signatures", "churn/1").out.splitlines()[1].split()[0] == "Ada"
    assert re.search(r"signed by: +Ada\n", flyball("models", "show", "churn/1").out)
    made = flyball("models", "export", "churn/1", "out", "--json").json
    assert [Path(path).is_file() for path in made["signatures"]] == [True]
    assert {path.name for path in (house / "out" / "files").iterdir()} == {"constant.py"}
    assert flyball("models", "export", "churn/1", "out").code == 1


def test_a_version_that_was_tampered_with_fails_its_verification(
    flyball: Command, house: Path, change_bytes: Callable[[str], None]
) -> None:
    flyball("models", "keygen", "ada.key")
    flyball("models", "sign", "churn/1", "--key", "ada.key")
    change_bytes("constant.py")
    said = flyball("models", "verify", "churn/1", "--key", "ada.pub")
    assert (said.code, "constant.py was changed" in said.err) == (1, True)


@pytest.fixture
def change_bytes(house: Path) -> Callable[[str], None]:
    """Overwrites a file of version 1 where the bytes are kept."""

    def change(name: str) -> None:
        with Workspace(load_settings()) as here:
            path = here.blobs.path(here.registry.get_version("churn/1").package.files[name])
        path.chmod(0o600)
        path.write_bytes(b"evil")

    return change


def test_a_bill_of_materials_is_printed_and_written(flyball: Command, house: Path) -> None:
    made = flyball("models", "sbom", "churn/1").json
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert flyball("models", "sbom", "churn/1", "-o", "sbom.json").code == 0
    assert from_json((house / "sbom.json").read_bytes(), dict) == made
    assert flyball("models", "sbom", "churn/9").code == 4
