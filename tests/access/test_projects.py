"""A project is a workspace of its own: what is in one is in no other, and whoever may not enter one does not know of it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from flyball.access.project_settings import settings_of
from flyball.errors import AlreadyExists, Conflict, Corrupt, InvalidInput, NotFound, PermissionDenied
from flyball.principals import Principal, Role, acting_as
from flyball.settings import as_environment, load_settings
from flyball.storage.upgrades import remove
from flyball.workspace import Workspace
from tests.servers.databases import ON_BOTH

if TYPE_CHECKING:  # pytest prepares the module of a plug-in itself, and cannot once it is imported
    from tests.servers.postgres import PostgresServer

ADMIN = Principal(name="root", role="owner", admin=True)


def person(name: str, role: Role = "none") -> Principal:
    return Principal(name=name, role=role)


def member(workspace: Workspace, project: str, name: str, role: Role) -> Principal:
    """An account that has this role in a project."""
    with acting_as(ADMIN):
        if name not in [one.name for one in workspace.accounts.list()]:
            workspace.accounts.create(name)
        workspace.members.set(name, role, project=project)
    return person(name)


def names(workspace: Workspace) -> list[str]:
    return [one.name for one in workspace.projects.list()]


def rows_of(workspace: Workspace) -> dict[str, int]:
    """How many rows each table holds, those left out that every database has."""
    found = {}
    for table in sa.inspect(workspace.database.engine).get_table_names():
        if table not in ("alembic_version", "leases"):
            found[table] = workspace.database.rows(sa.select(sa.func.count()).select_from(sa.table(table)))[0][0]
    return found


@ON_BOTH
def test_what_is_written_in_a_project_is_in_no_other(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    workspace.projects.create("fraud")
    with workspace.opened.use("fraud") as fraud, workspace.opened.use("risk") as risk:
        before = rows_of(workspace), rows_of(fraud)
        run = risk.tracking.create_run("churn", "nightly", params={"depth": 3})
        risk.tracking.finish_run(run.id)
        digest = risk.blobs.put(b"a model")
        risk.store.put("deployments/churn/manifest.json", b"{}")
        assert (rows_of(workspace), rows_of(fraud)) == before
        for other in (workspace, fraud):
            assert not other.blobs.has(digest)
            assert list(other.store.list("")) == []
            with pytest.raises(NotFound):
                other.tracking.get_run(run.id)
    assert [one.ref for one in workspace.projects.search("nightly")] == [f"runs:/{run.id}"]


def test_no_key_of_the_workspace_leads_to_the_objects_of_a_project(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    with workspace.opened.use("risk") as risk:
        risk.store.put("a/b", b"1")
        inside = Path(risk.settings.objects).relative_to(workspace.settings.objects)
    for key in (f"{inside}/a/b", f"./{inside}/a/b", f"a/../{inside}/a/b"):
        with pytest.raises(InvalidInput):
            workspace.store.get(key)
    assert list(workspace.store.list("")) == []


def test_of_two_that_make_the_same_project_one_does(workspace: Workspace) -> None:
    _ = workspace.database
    environment = {**os.environ, **as_environment(workspace.settings)}
    command = [sys.executable, "-m", "flyball.cli", "projects", "create", "risk", "--json"]
    started = [
        subprocess.Popen(command, env=environment, cwd=workspace.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ended = [(one.communicate(timeout=60)[1], one.returncode) for one in started]
    assert sorted(code for _, code in ended) == [0, 1, 1], ended
    assert names(workspace) == ["default", "risk"]


@pytest.mark.parametrize("name", ["Risk", "a/b", "..", "", "x" * 51, ".risk"])
def test_a_name_that_cannot_be_a_folder_or_schema_is_refused(name: str, workspace: Workspace) -> None:
    with pytest.raises(InvalidInput):
        workspace.projects.create(name)


def test_the_workspace_itself_is_the_project_default(workspace: Workspace) -> None:
    assert names(workspace) == ["default"]
    with pytest.raises(AlreadyExists):
        workspace.projects.create("default")
    with pytest.raises(Conflict):
        workspace.projects.delete("default", "default")


def test_one_sees_only_the_projects_that_one_may_enter(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    workspace.projects.create("fraud")
    ada = member(workspace, "risk", "ada", "viewer")
    with acting_as(ada):
        assert [(one.name, one.role) for one in workspace.projects.list()] == [("risk", "viewer")]
    with acting_as(replace(ada, auditor=True)):
        assert names(workspace) == ["default", "fraud", "risk"]


def test_a_project_that_one_may_not_enter_is_answered_like_one_that_is_not_there(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    ada = member(workspace, "risk", "ada", "viewer")
    workspace.projects.create("fraud")
    said = []
    for name in ("fraud", "nosuch"):
        with acting_as(ada), pytest.raises(NotFound) as caught:
            workspace.projects.get(name)
        said.append((caught.value.message.replace(name, "-"), caught.value.hint, sorted(caught.value.facts)))
    assert said[0] == said[1]


def test_a_token_for_one_project_shows_that_one_alone(workspace: Workspace) -> None:
    for name in ("risk", "fraud"):
        workspace.projects.create(name)
        ada = member(workspace, name, "ada", "contributor")
    with acting_as(ADMIN):
        token = workspace.tokens.create("nightly", account="ada", project="risk").token
    with acting_as(replace(ada, token=token.id, project="risk", role="contributor")):
        assert names(workspace) == ["risk"]
        assert {one.project for one in workspace.projects.search("a")} <= {"risk"}


def test_only_who_looks_after_the_instance_makes_projects_and_only_owners_change_them(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    ada, bob = member(workspace, "risk", "ada", "owner"), member(workspace, "risk", "bob", "maintainer")
    with acting_as(ada):
        with pytest.raises(PermissionDenied):
            workspace.projects.create("fraud")
        assert workspace.projects.update("risk", title="Risk models").title == "Risk models"
        with pytest.raises(PermissionDenied):
            workspace.projects.update("risk", most_bytes=10**12)
    with acting_as(bob), pytest.raises(PermissionDenied, match="'owner'"):
        workspace.projects.delete("risk", "risk")


def test_an_archived_project_can_be_read_and_not_changed(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        risk.tracking.create_run("churn", "nightly")
    workspace.projects.archive("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        assert [run.name for run in risk.run_search.search().runs] == ["nightly"]
        with pytest.raises(Conflict, match="archived"):
            risk.tracking.create_run("churn", "more")
    assert [one.title for one in workspace.projects.search("nightly")] == ["nightly"]
    workspace.projects.unarchive("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        risk.tracking.create_run("churn", "more")


def test_a_deleted_project_is_gone_for_all_and_can_be_brought_back(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    with pytest.raises(InvalidInput, match="is not the project's name"):
        workspace.projects.delete("risk", "rusk")
    workspace.projects.delete("risk", "risk", grace_days=1)
    assert names(workspace) == ["default"]
    with pytest.raises(NotFound):
        Workspace(replace(workspace.settings, project="risk"))
    with pytest.raises(AlreadyExists):
        workspace.projects.create("risk")
    assert workspace.projects.purge() == []
    assert workspace.projects.restore("risk").state == "active"
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        risk.tracking.create_run("churn", "nightly")


@ON_BOTH
def test_a_removed_project_leaves_nothing(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    member(workspace, "risk", "ada", "owner")
    with acting_as(ADMIN):
        workspace.tokens.create("nightly", account="ada", project="risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        risk.blobs.put(b"bytes")
        _ = risk.features_online
        own = risk.settings
    workspace.projects.delete("risk", "risk", grace_days=0)
    assert workspace.projects.purge() == ["risk"]
    assert not Path(own.objects).exists()
    assert not own.workspace.exists()
    if workspace.database.dialect.name == "postgresql":
        assert not [name for name in sa.inspect(workspace.database.engine).get_schema_names() if "risk" in name]
    assert workspace.members.list("risk") == []
    with acting_as(ADMIN):
        assert workspace.tokens.list(account="ada") == []
    workspace.projects.create("risk")
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as anew:
        assert anew.run_search.search().runs == []


def test_a_removal_that_was_broken_off_goes_on(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    workspace.projects.note("risk", state="removing")
    assert names(workspace) == ["default"]
    assert workspace.projects.state_of("risk") == ""
    assert workspace.projects.purge() == ["risk"]


def test_a_project_whose_database_is_broken_keeps_no_other_from_working(workspace: Workspace) -> None:
    for name in ("risk", "fraud"):
        workspace.projects.create(name)
        workspace.opened.forget(name)
    (workspace.settings.workspace / "projects" / "risk" / "flyball.db").write_bytes(b"not a database " * 100)
    with pytest.raises(Corrupt), workspace.opened.use("risk", workspace.projects.state_of("risk")):
        pass
    with workspace.opened.use("fraud", workspace.projects.state_of("fraud")) as fraud:
        fraud.tracking.create_run("churn", "nightly")
    assert workspace.projects.upgrade().keys() == {"risk"}
    assert {one.name: bool(one.trouble) for one in workspace.projects.list()}["risk"]
    assert [one.project for one in workspace.projects.search("nightly")] == ["fraud"]


def test_a_store_stands_where_it_says_and_stays_while_it_is_used(workspace: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "eu"
    workspace.projects.add_store("eu", database=f"sqlite:///{place}/flyball.db", objects=str(place), residency="eu")
    with pytest.raises(InvalidInput, match="stands in 'eu'"):
        workspace.projects.create("risk", store="eu", residency="us")
    assert workspace.projects.create("risk", store="eu").residency == "eu"
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as risk:
        risk.blobs.put(b"bytes")
        assert str(place) in risk.settings.database
        assert str(place) in risk.settings.objects
    with pytest.raises(Conflict, match="risk"):
        workspace.projects.remove_store("eu")
    workspace.projects.delete("risk", "risk", grace_days=0)
    workspace.projects.purge()
    assert [path for path in place.rglob("*") if "risk" in path.parts] == []
    workspace.projects.remove_store("eu")


def test_the_password_of_a_store_is_not_told(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput) as caught:
        workspace.projects.add_store("far", database="postgresql://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
    with acting_as(person("ada", "owner")), pytest.raises(PermissionDenied):
        workspace.projects.list_stores()


def test_each_kind_of_place_becomes_one_of_the_projects_own(tmp_path: Path) -> None:
    flags = {"database": "postgresql://f@db/x?schema=main", "objects": "s3://b/p", "online": "redis://h/0"}
    home = load_settings(flags, environment={}, start=tmp_path)
    own = settings_of(home, "risk", None)
    assert own.database == "postgresql://f@db/x?schema=main_risk"
    assert own.objects == "s3://b/p/.projects/risk"
    assert own.online == "redis://h/0?schema=main_risk"
    assert own.workspace == home.workspace / "projects" / "risk"


@ON_BOTH
def test_a_project_that_several_open_first_is_made_once(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    workspace.opened.forget("risk")
    own, _ = workspace.projects.settings_of("risk")
    remove(own.database)  # as if nobody had opened it yet
    made = [Workspace(replace(workspace.settings, project="risk"), durable=False) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda one: one.tracking.create_run("churn", "nightly").id, made))
    assert len({run.id for run in made[0].run_search.search().runs} & set(found)) == 3
    for one in made:
        one.close()


@pytest.mark.postgres
def test_who_may_make_no_schema_is_told_and_nothing_is_half_made(
    workspace: Workspace, postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.admin.execute("DROP ROLE IF EXISTS weak")
    postgres_server.admin.execute("CREATE ROLE weak LOGIN")
    workspace.projects.add_store("far", database=postgres_url.replace("flyball@", "weak@"))
    with pytest.raises(Conflict, match="permission denied") as caught:
        workspace.projects.create("risk", store="far")
    assert "GRANT CREATE" in caught.value.hint
    assert names(workspace) == ["default"]
    postgres_server.admin.execute("DROP ROLE weak")


@ON_BOTH
def test_what_somebody_left_in_a_projects_place_is_not_taken_for_its_own(workspace: Workspace) -> None:
    workspace.projects.create("risk")
    workspace.projects.close("risk")
    workspace.database.execute(sa.text("DELETE FROM projects"))
    with pytest.raises(Conflict, match="already"):
        workspace.projects.create("risk")
    assert names(workspace) == ["default"]
