"""What is backed up comes back, byte by byte and row by row; what is damaged is told and never brought back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from flyball.access.places import places_of, sources_of
from flyball.cli.backup import backup as command
from flyball.errors import Conflict, Corrupt, NotFound
from flyball.settings import Settings, load_settings
from flyball.storage.backup.checking import prune_backups, verify_backup
from flyball.storage.backup.making import find_backup, list_backups, make_backup
from flyball.storage.backup.nouns import Backup
from flyball.storage.backup.restoring import restore_backup
from flyball.storage.local_objects import LocalObjects
from flyball.storage.tables import metadata
from flyball.tracking.nouns import MetricPoint
from flyball.workspace import Workspace
from tests.servers.databases import ON_BOTH


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_tables_url")
    return url


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """A workspace with a run, its points and files, a model and a named object."""
    run = workspace.tracking.create_run("churn", "first", params={"depth": 5}).id
    at = workspace.time.now()
    workspace.tracking.log(
        run, metrics=[MetricPoint(key="auc", value=0.5 + step / 10, step=step, at=at) for step in (0, 1)]
    )
    data = bytes(range(256)) * 8192  # two MiB: too large to be read at once
    workspace.tracking.log_artifact(run, "large.bin", workspace.blobs.put(data), len(data))
    workspace.tracking.log_artifact(run, "a.txt", workspace.blobs.put(b"some bytes"), 10)
    workspace.registered_models.create("churn")
    workspace.store.put("deployments/churn/manifest.json", b'{"generation": 1}')
    return workspace


@pytest.fixture
def target(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "backups", durable=False)


def back_up(workspace: Workspace, target: LocalObjects) -> Backup:
    with sources_of(workspace.settings) as sources:
        return make_backup(sources, target, scratch=workspace.root)


def elsewhere(tmp_path: Path, name: str = "restored", database: str = "") -> Settings:
    flags = {"workspace": tmp_path / name, "database": database or None}
    return load_settings(flags, environment={}, start=tmp_path)


def bring_back(target: LocalObjects, settings: Settings, id: str = "latest") -> int:
    settings.workspace.mkdir(parents=True, exist_ok=True)
    return restore_backup(target, find_backup(target, id), places_of(settings), scratch=settings.workspace)


def rows_of(workspace: Workspace) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, as they are in the database."""
    found = {}
    with workspace.database.reading() as connection:
        for table in metadata.sorted_tables:
            columns: list[sa.ColumnClause[object]] = [sa.column(column.name) for column in table.columns]
            rows = connection.execute(sa.select(*columns).select_from(sa.table(table.name)))
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found


@ON_BOTH
def test_all_rows_and_bytes_come_back(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    back_up(filled, target)
    settings = elsewhere(tmp_path)
    bring_back(target, settings)
    with Workspace(settings) as again:
        before, after = rows_of(filled), rows_of(again)
        assert {name: rows for name, rows in after.items() if rows} == {
            name: rows for name, rows in before.items() if rows
        }
        (run,) = again.run_search.search("params.depth = '5'").runs
        for artifact in again.tracking.list_artifacts(run.id):
            assert again.blobs.get(artifact.digest) == filled.blobs.get(artifact.digest)
        assert again.store.get("deployments/churn/manifest.json") == b'{"generation": 1}'
        again.tracking.create_run("churn", "goes on")


@pytest.mark.postgres
def test_a_workspace_moves_from_sqlite_to_postgresql(
    filled: Workspace, target: LocalObjects, tmp_path: Path, postgres_url: str
) -> None:
    back_up(filled, target)
    settings = elsewhere(tmp_path, database=postgres_url)
    bring_back(target, settings)
    with Workspace(settings) as again:
        assert [run.name for run in again.run_search.search("metrics.auc > 0.5").runs] == ["first"]
        # Numbers go on after those that came with the rows.
        assert again.tracking.create_run("churn", "next").id != ""
        assert len(again.run_search.search("").runs) == 2
    with pytest.raises(Conflict, match="already"):
        bring_back(target, settings)


def test_a_second_backup_copies_what_is_new_alone(filled: Workspace, target: LocalObjects) -> None:
    first = back_up(filled, target)
    filled.blobs.put(b"x" * 5000)
    second = back_up(filled, target)
    assert second.projects[0].objects == first.projects[0].objects + 1
    assert second.written < first.written / 2
    assert [one.id for one in list_backups(target)] == [second.id, first.id]


def test_what_changes_while_it_is_copied_is_whole(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    """A run whose artifact is put after the first look and before the rows are read is in the backup with its bytes."""
    run = filled.tracking.create_run("churn", "late").id
    told: list[int] = []

    def meanwhile(_done: int, _total: int) -> None:
        if not told:
            filled.tracking.log_artifact(run, "late.txt", filled.blobs.put(b"came late"), 9)
        told.append(1)

    with sources_of(filled.settings) as sources:
        make_backup(sources, target, scratch=tmp_path, progress=meanwhile)
    settings = elsewhere(tmp_path)
    bring_back(target, settings)
    with Workspace(settings) as again:
        (artifact,) = again.tracking.list_artifacts(run)
        assert again.blobs.get(artifact.digest) == b"came late"


def test_a_whole_backup_is_found_whole(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    made = back_up(filled, target)
    found = verify_backup(target, made, scratch=tmp_path)
    assert found.is_whole
    assert (found.objects, found.size) == (made.projects[0].objects, made.size)


def _a_blob(target: LocalObjects, of: bytes) -> Path:
    return next(path for path in (target.folder / "blobs").glob("*/*") if path.read_bytes() == of)


@pytest.mark.parametrize("quick", [False, True])
def test_a_missing_file_is_told(filled: Workspace, target: LocalObjects, tmp_path: Path, quick: bool) -> None:
    made = back_up(filled, target)
    _a_blob(target, b"some bytes").unlink()
    found = verify_backup(target, made, scratch=tmp_path, quick=quick)
    assert not found.is_whole
    assert [line.partition("/")[0] for line in found.missing] == ["default: blobs"]


def test_a_damaged_file_is_told_and_not_brought_back(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    made = back_up(filled, target)
    path = _a_blob(target, b"some bytes")
    path.chmod(0o644)
    path.write_bytes(b"some bytez")
    assert len(verify_backup(target, made, scratch=tmp_path).damaged) == 1
    settings = elsewhere(tmp_path)
    with pytest.raises(Corrupt):
        bring_back(target, settings)
    assert not (settings.workspace / "flyball.db").exists()


def test_a_damaged_database_is_not_brought_back(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    made = back_up(filled, target)
    piece = made.projects[0].database.pieces[0]
    path = target.existing_path(f"blobs/{piece[:2]}/{piece}")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 100)
    assert verify_backup(target, made, scratch=tmp_path).damaged == ("default: database",)
    with pytest.raises(Corrupt):
        bring_back(target, elsewhere(tmp_path))


def test_what_is_damaged_already_is_told_and_the_rest_is_kept(filled: Workspace, target: LocalObjects) -> None:
    digest = filled.blobs.put(b"some bytes")
    path = filled.blobs.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"other bytes")
    made = back_up(filled, target)
    assert made.damaged == (f"default: blobs/{digest[:2]}/{digest}",)
    assert made.projects[0].objects == 2


def test_a_place_that_is_in_use_is_left_alone(filled: Workspace, target: LocalObjects) -> None:
    back_up(filled, target)
    with pytest.raises(Conflict, match="already"):
        bring_back(target, filled.settings)
    assert [run.name for run in filled.run_search.search("").runs] == ["first"]


def test_a_restore_that_was_broken_off_is_begun_again(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    made = back_up(filled, target)
    settings = elsewhere(tmp_path)
    settings.workspace.mkdir()
    calls = 0

    def break_off(_done: int, _total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_backup(target, made, places_of(settings), scratch=settings.workspace, progress=break_off)
    assert not (settings.workspace / "flyball.db").exists()
    bring_back(target, settings)
    with Workspace(settings) as again:
        assert rows_of(again) == rows_of(filled)


def test_two_do_not_write_to_one_place_at_once(filled: Workspace, target: LocalObjects) -> None:
    target.put("writing", b"somebody")
    with pytest.raises(Conflict, match="being written"):
        back_up(filled, target)
    with pytest.raises(Conflict, match="being written"):
        prune_backups(target, 1)


def test_old_backups_go_with_what_only_they_held(filled: Workspace, target: LocalObjects, tmp_path: Path) -> None:
    lost = filled.blobs.put(b"y" * 3000)
    back_up(filled, target)
    filled.blobs.delete(lost)
    back_up(filled, target)
    removed, freed = prune_backups(target, 1)
    assert len(removed) == 1
    assert freed >= 3000
    (left,) = list_backups(target)
    assert verify_backup(target, left, scratch=tmp_path).is_whole


def test_an_absent_backup_is_told_with_those_there_are(filled: Workspace, target: LocalObjects) -> None:
    made = back_up(filled, target)
    with pytest.raises(NotFound, match=made.id):
        find_backup(target, "2013-01-01T00-00-00-aaaa")


@pytest.fixture
def flyball(filled: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLYBALL_BACKUPS", str(tmp_path / "kept"))
    monkeypatch.setenv("FLYBALL_DATABASE", str(filled.settings.database))

    def call(*arguments: str) -> object:
        done = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False, standalone_mode=False)
        assert done.exception is None
        return json.loads(done.stdout)

    return call


def test_the_commands_speak_json(
    flyball: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = flyball("create")
    assert isinstance(made, dict)
    assert flyball("list") == [made]
    checked = flyball("verify")
    assert isinstance(checked, dict)
    assert checked["is_whole"] is True
    monkeypatch.delenv("FLYBALL_DATABASE")
    restored = flyball("restore", made["id"], "--workspace", str(tmp_path / "again"))
    assert isinstance(restored, dict)
    assert (tmp_path / "again" / "flyball.db").exists()
    assert flyball("prune", "--keep", "1") == {"removed": [], "freed": 0}
