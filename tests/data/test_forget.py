from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.data.assess import preview, profile_snapshot
from flyball.data.forget import forget
from flyball.data.quality import snapshot_source
from flyball.data.rewrite import bytes_of
from flyball.data.scan import Scan
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput
from flyball.workspace import Workspace

PERSON = "zaphod.beeblebrox@example.org"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what is tried here is what becomes of bytes."""
    return sqlite_url


def rows(first: int) -> pa.Table:
    people = [PERSON if number % 100 == 7 else f"p{number}@example.org" for number in range(first, first + 300)]
    return pa.table({"mail": people, "n": range(first, first + 300)})


def take(workspace: Workspace, root: Path) -> None:
    for first in (0, 50, 100):
        take_snapshot(workspace.data, workspace.blobs, "people", rows(first), root=root, cache=workspace.cache)


def held(workspace: Workspace) -> int:
    found = 0
    for snapshot in workspace.data.list_snapshots("people"):
        with Scan(snapshot_source(workspace.blobs, snapshot)) as scan:
            found += scan.query("SELECT count(*) FROM rows WHERE mail = ?", [PERSON])[0][0]
    return found


def kept_by(workspace: Workspace) -> set[str]:
    """All bytes that the rows of the dataset lie in; the lists of files hold no rows."""
    found = workspace.data.list_snapshots("people")
    assert found
    return set().union(*(bytes_of(workspace.blobs, each) - {each.id} for each in found))


def test_a_person_is_gone_from_all_versions(workspace: Workspace, tmp_path: Path) -> None:
    take(workspace, tmp_path)
    before = kept_by(workspace)
    for snapshot in workspace.data.list_snapshots("people"):
        profile_snapshot(workspace.quality, workspace.blobs, snapshot)
    would = forget(workspace, "people", PERSON, column="mail", dry_run=True)
    assert (would.is_dry_run, sum(would.rows.values()), held(workspace)) == (True, 9, 9)
    found = forget(workspace, "people", PERSON, column="mail")
    assert found.rows == would.rows
    assert held(workspace) == 0
    assert [snapshot.rows for snapshot in workspace.data.list_snapshots("people")] == [297, 297, 297]
    assert not any(workspace.blobs.has(each) for each in before)
    told = [event for event in workspace.events.list(limit=1000) if event.kind == "data.forgotten"]
    assert [(event.facts["rows"], event.facts["snapshots"]) for event in told] == [(9, 3)]
    assert PERSON not in str(workspace.events.list(limit=1000))
    assert forget(workspace, "people", PERSON, column="mail").rows == {}
    assert len([event for event in workspace.events.list(limit=1000) if event.kind == "data.forgotten"]) == 1


def test_what_cannot_be_purged_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    take(workspace, tmp_path)
    with pytest.raises(InvalidInput, match="has no key"):
        forget(workspace, "people", PERSON)
    with pytest.raises(InvalidInput, match="has a column 'nmae'"):
        forget(workspace, "people", PERSON, column="nmae")


def test_looking_at_personal_data_is_recorded(workspace: Workspace, tmp_path: Path) -> None:
    take(workspace, tmp_path)
    snapshot = workspace.data.get_snapshot("people")
    table, flags = preview(workspace.quality, workspace.blobs, snapshot, 3)
    assert table["mail"].to_pylist() == ["<mail>"] * 3
    assert [flag.column for flag in flags] == ["mail"]
    table, flags = preview(workspace.quality, workspace.blobs, snapshot, 3, reveal=True)
    assert table["mail"].to_pylist()[0].startswith("p100@")
    told = [event for event in workspace.events.list(limit=100) if event.kind == "data.revealed"]
    assert [event.facts for event in told] == [{"columns": ["mail"], "rows": 3}]
    workspace.quality.declare_pii("people", "mail", "none")
    assert preview(workspace.quality, workspace.blobs, snapshot, 3)[1] == ()


_KILLED = """
import os, signal, sys
from pathlib import Path
from flyball.data import forget as room
from flyball.settings import load_settings
from flyball.workspace import Workspace
step = {"n": 0}
def killing(function):
    def wrapped(*given, **named):
        if step["n"] == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        step["n"] += 1
        return function(*given, **named)
    return wrapped
for name in ("_purge_rows", "purge_bytes", "rewrite_snapshot"):
    setattr(room, name, killing(getattr(room, name)))
with Workspace(load_settings({"workspace": sys.argv[1]})) as workspace:
    room.forget(workspace, "people", sys.argv[3], column="mail")
"""


@pytest.mark.parametrize("step", [1, 2, 6])
def test_a_purge_that_is_killed_goes_on(step: int, tmp_path: Path) -> None:
    from flyball.settings import load_settings

    folder = tmp_path / "workspace"
    settings = load_settings({"workspace": str(folder)})
    with Workspace(settings) as workspace:
        take(workspace, tmp_path)
        before = kept_by(workspace)
    script = tmp_path / "killed.py"
    script.write_text(_KILLED, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(step), PERSON],
        cwd=tmp_path,
        env=environment,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    with Workspace(settings) as workspace:
        found = forget(workspace, "people", PERSON, column="mail")
        assert sum(found.rows.values()) == 9
        assert held(workspace) == 0
        assert not any(workspace.blobs.has(each) for each in before)
        assert workspace.quality.pending_forgettings("people") == []
