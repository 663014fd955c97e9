"""One place wires the rooms: each service is made once, when it is first asked for, on what the settings name."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flyball.clock import SystemClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.settings import load_settings
from flyball.storage.virtual_clock import VirtualClock
from flyball.testing import workspace as quick
from flyball.workspace import SERVICES, Workspace, service_class


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_an_attribute_of_its_class(name: str, workspace: Workspace) -> None:
    assert type(getattr(workspace, name)) is service_class(name)


def test_a_service_is_made_once_whoever_asks(tmp_path: Path) -> None:
    with quick(tmp_path) as here:
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(here.registry)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len({id(one) for one in found}) == 1


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    with Workspace(load_settings(environment={}, start=tmp_path)):
        assert list(tmp_path.iterdir()) == []


def test_the_clock_is_the_one_that_the_settings_choose(tmp_path: Path) -> None:
    with quick(tmp_path / "system") as here:
        assert isinstance(here.time, SystemClock)
    with quick(tmp_path / "virtual", clock="virtual") as here:
        assert isinstance(here.time, VirtualClock)
        here.clock.set("2013-03-01")
        assert here.tracking.create_run("first").started.isoformat() == "2013-03-01T00:00:00+00:00"


def test_what_was_kept_is_there_when_the_workspace_is_opened_again(tmp_path: Path) -> None:
    with quick(tmp_path) as here:
        run = here.tracking.create_run("first").id
        digest = here.blobs.put(b"bytes")
    with quick(tmp_path) as here:
        assert here.tracking.get_run(run).experiment == "first"
        assert here.blobs.get(digest) == b"bytes"


def test_two_workspaces_know_nothing_of_each_other(tmp_path: Path) -> None:
    with quick(tmp_path / "one") as one, quick(tmp_path / "other") as other:
        run = one.tracking.create_run("first").id
        with pytest.raises(NotFound):
            other.tracking.get_run(run)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    settings = load_settings({"workspace": tmp_path / "file" / "inside"}, environment={}, start=tmp_path)
    with Workspace(settings) as here, pytest.raises(InvalidInput, match="cannot be made"):
        _ = here.database


def test_a_database_of_a_later_release_is_refused(tmp_path: Path) -> None:
    import sqlalchemy as sa

    with quick(tmp_path) as here, here.database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="revision 9999") as refused, quick(tmp_path):
        pass
    assert "newer Flyball" in refused.value.hint


def test_a_quick_workspace_heeds_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_WORKSPACE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FLYBALL_URL", "http://127.0.0.1:9")
    with quick(tmp_path) as here:
        assert (here.settings.workspace, here.settings.url) == (tmp_path / ".flyball", "")


def test_a_quick_workspace_stands_in_its_own_folder_inside_a_project(tmp_path: Path) -> None:
    (tmp_path / "flyball.toml").write_text("", encoding="utf-8")
    (tmp_path / "inside").mkdir()
    with quick(tmp_path / "inside") as here:
        assert here.root == tmp_path / "inside"
