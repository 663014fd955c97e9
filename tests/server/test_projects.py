"""Two teams on one server: what one has, the other does not find, by whatever address it asks."""

from __future__ import annotations

import gc
import json
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from blockbuster import BlockBuster
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from flyball.data.dataset import Dataset
from flyball.principals import Principal, Role, acting_as
from flyball.serialization import digest
from flyball.server.app import create_app
from flyball.server.projects import split_project
from flyball.settings import load_settings
from flyball.storage.database import Database
from flyball.workspace import Workspace

ADMIN = Principal(name="root", role="owner", admin=True)


@dataclass
class Team:
    """Somebody of a team: who asks in the team's project with a token of their own."""

    project: str
    http: TestClient
    token: str
    facts: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, project: str = "") -> tuple[int, str]:
        """Status and text of what is answered."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.http.get(f"/projects/{project or self.project}{path}", headers=headers)
        return answer.status_code, answer.text

    def post(self, path: str, body: object, project: str = "") -> tuple[int, str]:
        """The same of a POST."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.http.post(f"/projects/{project or self.project}{path}", json=body, headers=headers)
        return answer.status_code, answer.text


def join(workspace: Workspace, project: str, name: str, role: Role) -> str:
    """A token of an account that has this role in a project."""
    with acting_as(ADMIN):
        workspace.accounts.create(name, password="correct horse battery")
        workspace.members.set(name, role, project=project)
        return workspace.tokens.create("test", account=name, role="owner", days=1).secret


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No statement here knows the kind of database."""
    return sqlite_url


@pytest.fixture
def workspace(database_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """One where everybody shows who they are."""
    settings = load_settings({"database": database_url, "auth": "on"}, environment={}, start=tmp_path)
    with Workspace(settings, durable=False) as made:
        yield made


@pytest.fixture
def http(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def teams(workspace: Workspace, http: TestClient) -> tuple[Team, Team]:
    """Two teams, each with one of everything in its project."""
    made = []
    for project, who in (("risk", "ada"), ("fraud", "bob")):
        workspace.projects.create(project)
        team = Team(project=project, http=http, token=join(workspace, project, who, "owner"))
        with workspace.opened.use(project, workspace.projects.state_of(project)) as own:
            run = own.tracking.create_run(f"{project}-experiment", f"{project}-run")
            kept = own.blobs.put(f"secret of {project}".encode())
            own.tracking.log_artifact(run.id, "secret.txt", kept, 20)
            own.data.declare(Dataset(name=f"{project}-orders", source="orders.csv", key="id"))
            own.comments.add(f"runs:/{run.id}", f"{project} said this", who)
            own.store.put(f"deployments/{project}/manifest.json", b"{}")
            team.facts = {"run": run.id, "digest": kept}
        made.append(team)
    return made[0], made[1]


READS = (
    "/api/run_search/search", "/api/experiments/list?limit=10", "/api/catalog/search?words=orders", "/api/data/list",
    "/api/events/list?limit=100", "/api/comments/list?ref=runs:/{run}", "/objects?prefix=",
    "/api/lineage/downstream?ref=runs:/{run}", "/api/2.0/mlflow/experiments/search?max_results=10",
    "/api/registry/list_models", "/api/alerts/list", "/metrics",
)  # fmt: skip
ONES = (
    "/api/tracking/get_run?run={run}", "/blobs/{digest}", "/view/{digest}/secret.png", "/api/2.0/mlflow/runs/get?run_id={run}",
    "/objects/deployments/{project}/manifest.json", "/get-artifact?run_uuid={run}&path=secret.txt",
)  # fmt: skip


def test_each_team_finds_its_own_and_nothing_of_the_others(teams: tuple[Team, Team]) -> None:
    risk, fraud = teams
    for mine, other in ((risk, fraud), (fraud, risk)):
        for path in READS:
            status, text = mine.get(path.format(**mine.facts))
            assert status == 200, (path, text)
            assert other.project not in text, path
            assert other.facts["run"] not in text, path
        for path in ONES:
            assert mine.get(path.format(project=mine.project, **mine.facts))[0] == 200, path
            assert mine.get(path.format(project=other.project, **other.facts))[0] == 404, path
    status, text = risk.post("/api/2.0/mlflow/runs/search", {"experiment_ids": ["0", "1", "2"], "max_results": 100})
    assert (status, "risk-run" in text, "fraud" in text) == (200, True, False)


def test_a_project_of_others_is_answered_like_none(teams: tuple[Team, Team]) -> None:
    risk, fraud = teams
    for given in (*READS, *ONES, "/api/projects/list", "/api/openapi.json", "/api/nosuch/verb", "/nosuch"):
        path = given.format(**{"project": fraud.project, **fraud.facts})
        theirs, none = risk.get(path, "fraud"), risk.get(path, "nothere")
        assert (theirs[0], theirs[1].replace("fraud", "-")) == (none[0], none[1].replace("nothere", "-")), path
        assert theirs[0] == 404, path


def test_a_change_in_a_project_of_others_is_answered_like_one_in_none(teams: tuple[Team, Team]) -> None:
    risk, _ = teams
    for path in ("/api/tracking/create_run", "/api/2.0/mlflow/runs/create", "/blobs", "/api/lineage/link"):
        theirs, none = risk.post(path, {}, "fraud"), risk.post(path, {}, "nothere")
        assert (theirs[0], theirs[1].replace("fraud", "-")) == (none[0], none[1].replace("nothere", "-")), path
        assert theirs[0] == 404, path


def test_a_team_has_nothing_to_look_for_in_the_workspace_itself(teams: tuple[Team, Team], http: TestClient) -> None:
    headers = {"authorization": f"Bearer {teams[0].token}"}
    for path in ("/api/run_search/search", "/api/events/list", "/blobs/" + teams[0].facts["digest"]):
        assert http.get(path, headers=headers).status_code == 404
    for path in ("/objects/.projects/fraud/deployments/fraud/manifest.json", "/objects?prefix=.projects/"):
        assert http.get(path, headers=headers).status_code in (400, 404)
    listed = http.get("/api/projects/list", headers=headers).json()
    assert [one["name"] for one in listed] == ["risk"]


def test_a_search_over_projects_goes_through_ones_own_alone(teams: tuple[Team, Team]) -> None:
    status, text = teams[0].get("/api/projects/search?words=orders")
    assert status == 200
    assert {one["project"] for one in json.loads(text)} == {"risk"}


def test_who_is_not_known_learns_nothing_of_projects(teams: tuple[Team, Team], http: TestClient) -> None:
    browser = {"sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
    for path in (
        "/",
        "/api/run_search/search",
        "/health",
        "/blobs/" + teams[0].facts["digest"],
        "/api/labels/x/label-studio",
    ):
        answers = [http.get(f"/projects/{name}{path}", headers=browser) for name in ("risk", "nothere")]
        assert answers[0].status_code == answers[1].status_code, path
        if path != "/":  # each answer of the page holds a number of its own
            assert answers[0].text.replace("risk", "-") == answers[1].text.replace("nothere", "-"), path


def test_the_page_of_a_project_ends_with_a_slash(teams: tuple[Team, Team], http: TestClient) -> None:
    answer = http.get("/projects/risk", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "risk/")


def test_escapes_and_detours_in_the_prefix_lead_nowhere(teams: tuple[Team, Team]) -> None:
    risk, _ = teams
    headers = {"authorization": f"Bearer {risk.token}"}
    for path in (
        "/projects/risk/../fraud/api/run_search/search", "/projects/risk/%2e%2e/fraud/api/run_search/search",
        "/projects/risk%2f..%2ffraud/api/run_search/search", "/%70rojects/fraud/api/run_search/search",
        "//projects/fraud/api/run_search/search", "/projects//fraud/api/run_search/search",
        "/projects/risk/projects/fraud/api/run_search/search", "/projects/./fraud/api/run_search/search",
    ):  # fmt: skip
        answer = risk.http.get(path, headers=headers)
        assert "fraud-run" not in answer.text, path


def test_an_archived_project_takes_no_change_and_gives_all_it_has(
    teams: tuple[Team, Team], workspace: Workspace
) -> None:
    risk, _ = teams
    workspace.projects.archive("risk")
    assert risk.get("/api/run_search/search")[0] == 200
    assert risk.get(f"/blobs/{risk.facts['digest']}")[0] == 200
    assert risk.post("/api/tracking/create_run", {"experiment": "x"})[0] == 409
    assert risk.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0"})[0] == 400
    answer = risk.http.put("/projects/risk/blobs", content=b"\x90", headers={"authorization": f"Bearer {risk.token}"})
    assert answer.status_code == 409
    workspace.projects.unarchive("risk")
    assert risk.post("/api/tracking/create_run", {"experiment": "x"})[0] == 200


def test_a_deleted_project_is_gone_at_once_and_a_removed_one_leaves_no_digest(
    teams: tuple[Team, Team], workspace: Workspace
) -> None:
    risk, fraud = teams
    assert risk.get(f"/blobs/{risk.facts['digest']}")[0] == 200
    workspace.projects.delete("risk", "risk", grace_days=0)
    assert risk.get(f"/blobs/{risk.facts['digest']}")[0] == 404
    workspace.projects.purge()
    assert risk.get(f"/blobs/{risk.facts['digest']}")[0] == 404
    assert fraud.get("/api/run_search/search")[0] == 200


def test_a_project_that_cannot_be_opened_says_so_to_its_members_alone(
    teams: tuple[Team, Team], workspace: Workspace
) -> None:
    risk, fraud = teams
    workspace.opened.forget("risk")
    with workspace.opened.use("fraud", workspace.projects.state_of("fraud")) as own:
        assert isinstance(own.database, Database)
    (workspace.settings.workspace / "projects" / "risk" / "flyball.db").write_bytes(b"not a database " * 100)
    for ending in ("-wal", "-shm"):
        (workspace.settings.workspace / "projects" / "risk" / f"flyball.db{ending}").unlink(missing_ok=True)
    status, text = risk.get("/api/run_search/search")
    assert (status, json.loads(text)["code"]) == (500, "corrupt")
    assert fraud.get("/api/run_search/search")[0] == 200
    assert fraud.get("/api/run_search/search", "risk")[0] == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/x", ("default", "/api/x")),
        ("/projects/risk/api/x", ("risk", "/api/x")),
        ("/projects/risk", ("risk", "")),
        ("/projects/risk/", ("risk", "/")),
        ("/projects", ("default", "/projects")),
        ("/projects/", ("default", "/projects/")),
        ("/projects/a/projects/b/x", ("a", "/projects/b/x")),
    ],
)
def test_the_first_project_of_an_address_counts(path: str, expected: tuple[str, str]) -> None:
    assert split_project(path) == expected


def test_a_project_that_keeps_all_it_may_takes_no_more_files(teams: tuple[Team, Team], workspace: Workspace) -> None:
    risk, fraud = teams
    workspace.projects.update("risk", most_bytes=1000)
    workspace.projects.note("risk", stored_bytes=900)
    digests = [digest(bytes([number]) * 60) for number in (1, 2)]

    def put(team: Team, number: int) -> int:
        headers = {"authorization": f"Bearer {team.token}"}
        path = f"/projects/{team.project}/blobs/{digests[number - 1]}"
        return team.http.put(path, content=bytes([number]) * 60, headers=headers).status_code

    assert [put(risk, 1), put(risk, 2), put(fraud, 2)] == [201, 409, 201]
    assert risk.get(f"/blobs/{risk.facts['digest']}")[0] == 200
    assert risk.post("/api/tracking/create_run", {"experiment": "x"})[0] == 200
    workspace.projects.note("risk", stored_bytes=100)
    time.sleep(0.6)
    assert put(risk, 2) == 201


def test_who_makes_a_project_owns_it_at_once(teams: tuple[Team, Team], workspace: Workspace) -> None:
    with acting_as(ADMIN):
        workspace.accounts.create("eve", password="correct horse battery", admin=True)
        eve = Team(
            project="new", http=teams[0].http, token=workspace.tokens.create("t", account="eve", role="owner").secret
        )
    assert eve.get("/api/run_search/search", "risk")[0] == 404, (
        "who looks after the instance is let into no project by that"
    )
    headers = {"authorization": f"Bearer {eve.token}"}
    made = eve.http.post("/api/projects/create", json={"name": "new"}, headers=headers)
    assert (made.status_code, made.json()["role"]) == (200, "owner")
    assert eve.post("/api/tracking/create_run", {"experiment": "x"})[0] == 200
    assert {one["name"] for one in eve.http.get("/api/projects/list", headers=headers).json()} >= {
        "new",
        "risk",
        "fraud",
    }
    assert {
        one["project"] for one in eve.http.get("/api/projects/search?words=orders", headers=headers).json()
    } == set()


@pytest.mark.anyio
async def test_a_project_that_is_opened_holds_nobody_up(workspace: Workspace, no_blocking_calls: BlockBuster) -> None:
    def prepare() -> tuple[Starlette, str]:
        workspace.projects.create("risk")
        token = join(workspace, "risk", "ada", "owner")
        workspace.opened.forget("risk")
        return create_app(workspace), token

    app, token = await run_in_threadpool(prepare)
    headers = {"authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        for path in ("/api/data/list", "/api/2.0/mlflow/experiments/search?max_results=5"):
            assert (await client.get(f"/projects/risk{path}")).status_code == 200
        assert (await client.get("/projects/nothere/api/data/list")).status_code == 404


def test_what_was_closed_is_not_kept_in_memory(teams: tuple[Team, Team], workspace: Workspace) -> None:
    risk, _ = teams
    assert risk.get("/api/data/list")[0] == 200
    with workspace.opened.use("risk", workspace.projects.state_of("risk")) as own:
        seen = weakref.ref(own)
    del own
    workspace.opened.forget("risk")
    time.sleep(0.1)
    gc.collect()
    assert seen() is None
