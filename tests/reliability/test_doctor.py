"""What is wrong is found and told with its mend; what is safe to mend is mended when asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from sqlite3 import connect

import pytest
from click.testing import CliRunner

from flyball.cli.doctor import doctor
from flyball.doctor.examine import examine
from flyball.doctor.finding import Finding
from flyball.errors import StorageFailed
from flyball.storage.local_objects import LocalObjects
from flyball.storage.probing import check_store, probe
from flyball.testing import workspace as made_in
from flyball.workspace import Workspace

Look = Callable[..., list[Finding]]


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in the present folder, with a run that has a file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    with made_in(tmp_path) as workspace:
        run = workspace.tracking.create_run("churn").id
        workspace.tracking.log_artifact(run, "a.txt", workspace.blobs.put(b"some bytes"), 10)
    return workspace


@pytest.fixture
def look(filled: Workspace) -> Look:
    def find(state: str = "problem", *, fix: bool = False, deep: bool = False) -> list[Finding]:
        return [one for one in examine({}, fix=fix, deep=deep) if one.state == state]

    return find


def test_a_sound_workspace_has_no_problem(look: Look) -> None:
    assert look() == []
    assert {one.check for one in look("ok")} >= {
        "settings",
        "folder",
        "disk",
        "database",
        "clock",
        "store",
        "blobs",
        "leases",
        "revision",
    }


def test_every_finding_that_is_not_well_names_a_mend(look: Look) -> None:
    assert all(one.mend for one in look("warning"))


def test_a_blob_that_is_gone_is_told_with_what_names_it(look: Look, filled: Workspace) -> None:
    (path,) = (filled.settings.workspace / "objects" / "blobs").glob("*/*")
    path.unlink()
    (found,) = look()
    assert (found.check, found.project) == ("blobs", "default")
    assert "run_artifacts" in found.said


def test_a_damaged_blob_is_found_by_reading_it(look: Look, filled: Workspace) -> None:
    (path,) = (filled.settings.workspace / "objects" / "blobs").glob("*/*")
    path.chmod(0o644)
    path.write_bytes(b"some bytez")
    assert look() == []
    assert [one.check for one in look(deep=True)] == ["blobs"]


def test_a_row_that_refers_to_nothing_is_told(look: Look, filled: Workspace) -> None:
    with connect(filled.settings.workspace / "flyball.db") as connection:
        connection.execute("UPDATE runs SET experiment = 999")
    connection.close()
    assert any("1 rows of runs refer to what is not there" in one.said for one in look())


def test_a_file_that_is_no_database_is_told(look: Look, filled: Workspace) -> None:
    (filled.settings.workspace / "flyball.db").write_bytes(b"no database at all" * 100)
    assert [one.check for one in look()] == ["database"]


def test_a_later_release_is_told(look: Look, filled: Workspace) -> None:
    with connect(filled.settings.workspace / "flyball.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert [(one.check, one.mend) for one in look()] == [("revision", "Install a newer Flyball.")]


def test_a_full_disk_is_told(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_DISK_RESERVE_MIB", str(10**8))
    assert [one.check for one in look()] == ["disk"]


def test_a_variable_that_is_no_setting_is_told(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_DATABSE", "sqlite:///x")
    (found,) = (one for one in look("warning") if one.check == "settings")
    assert "Did you mean 'FLYBALL_DATABASE'" in found.mend


def test_a_wrong_setting_is_told_and_nothing_more(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_PORT", "many")
    assert [one.check for one in look()] == ["settings"]


def test_a_key_that_others_can_read_is_closed_when_asked(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "ada.key"
    key.write_text("secret")
    key.chmod(0o644)
    monkeypatch.setenv("FLYBALL_SIGNING_KEY", str(key))
    assert "keys" in [one.check for one in look()]
    assert [one.check for one in look("ok", fix=True) if one.is_fixed] == ["keys"]
    assert key.stat().st_mode & 0o777 == 0o600
    assert "keys" not in [one.check for one in look()]


def test_leftovers_are_removed_when_asked_and_fresh_ones_stay(look: Look, filled: Workspace) -> None:
    folder = filled.settings.workspace / "incoming"
    folder.mkdir(exist_ok=True)
    for name in ("old", "fresh"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / "old", (0, time.time() - 2 * 86_400))
    assert [one.check for one in look("warning") if one.check == "leftovers"] == ["leftovers"]
    look("ok", fix=True)
    assert [path.name for path in folder.iterdir()] == ["fresh"]


def test_a_lease_of_one_who_is_gone_is_told(look: Look, filled: Workspace) -> None:
    with connect(filled.settings.workspace / "flyball.db") as connection:
        connection.execute(
            "INSERT INTO leases (name, holder, token, expires) VALUES ('controller', 'host-1', 3, 1000.0)"
        )
    connection.close()
    assert [one.check for one in look("warning") if one.check == "leases"] == ["leases"]


def test_an_absent_certificate_is_told(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_TLS_CERT", str(tmp_path / "none.pem"))
    monkeypatch.setenv("FLYBALL_TLS_KEY", str(tmp_path / "none.key"))
    assert {one.check for one in look()} == {"tls", "keys"}


def test_the_command_speaks_json_and_tells_by_its_exit_code(filled: Workspace) -> None:
    sound = CliRunner().invoke(doctor, ["--json"], standalone_mode=False)
    assert json.loads(sound.stdout)["problems"] == 0
    assert sound.return_value == 0
    (path,) = (filled.settings.workspace / "objects" / "blobs").glob("*/*")
    path.unlink()
    ill = CliRunner().invoke(doctor, ["--json"], standalone_mode=False)
    assert json.loads(ill.stdout)["problems"] == 1
    assert ill.return_value == 1


class Overwriting(LocalObjects):
    """A store that takes a condition and overwrites all the same."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        return super().put(key, data)


class Forgetting(LocalObjects):
    """A store that says that a name was taken, and has put the new bytes."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        known = self.stat(key) is not None
        super().put(key, data)
        return not (if_absent and known)


class Slow(LocalObjects):
    """A store that still shows what was removed."""

    def delete(self, key: str) -> None:
        pass


def test_a_folder_keeps_what_it_says_and_nothing_is_left(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path, durable=False)
    assert probe(store) == []
    assert list(store.list("")) == []


@pytest.mark.s3
def test_a_real_bucket_keeps_what_it_says(s3_store) -> None:  # type: ignore[no-untyped-def]  # the fixture's own noun
    from flyball.storage.s3_objects import S3Objects

    assert probe(S3Objects(s3_store.location, endpoint=s3_store.endpoint, region=s3_store.region)) == []


@pytest.mark.parametrize("liar", [Overwriting, Forgetting, Slow])
def test_a_store_that_lies_is_refused(tmp_path: Path, liar: type[LocalObjects]) -> None:
    with pytest.raises(StorageFailed, match="cannot be used"):
        check_store(liar(tmp_path, durable=False))


def test_a_workspace_that_others_can_read_is_closed_when_asked(look: Look, filled: Workspace) -> None:
    folder = filled.settings.workspace
    folder.chmod(0o755)
    assert [one.check for one in look("warning") if one.check == "folder"] == ["folder"]
    look("ok", fix=True)
    assert folder.stat().st_mode & 0o777 == 0o750
    assert [one.check for one in look("warning") if one.check == "folder"] == []


def test_a_new_workspace_is_its_owners_alone(tmp_path: Path) -> None:
    with made_in(tmp_path) as workspace:
        assert workspace.settings.workspace.stat().st_mode & 0o077 == 0
