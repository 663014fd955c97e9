"""The door: every route of every mount, for everybody who could knock."""

from __future__ import annotations

import base64
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from flyball.access.local import LocalOwner
from flyball.principals import Principal, acting_as
from flyball.server.app import create_app
from flyball.server.guard import cookie_name
from flyball.server.main import make_server
from flyball.server.protocols.mlflow import wire
from flyball.server.route_roles import need_of
from flyball.settings import load_settings
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class
from tests.access.conftest import PASSWORD
from tests.servers.processes import free_port

ADMIN = Principal(name="root", role="owner", admin=True)
OPEN = {
    "GET /", "GET /health", "GET /page/x/y", "GET /api/docs", "GET /login/methods", "GET /login/link", "GET /login/sso",
    "GET /login/sso/callback", "GET /login/sso/done", "POST /login/password", "POST /login/out", "POST /login/device",
    "POST /login/device/token", "POST /login/sso/logout",
    "POST /api/labels/x/label-studio",  # which has a secret of its own, and refuses without it
}  # fmt: skip


@dataclass
class Team:
    """A server with accounts, and a token of each kind of member."""

    workspace: Workspace
    app: Starlette
    tokens: dict[str, str]

    def client(self, who: str = "", **headers: str) -> TestClient:
        shown = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return TestClient(
            self.app, base_url="http://localhost", raise_server_exceptions=False, headers={**shown, **headers},
            follow_redirects=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    url = f"sqlite:///{folder / 'flyball.db'}"
    (folder / "flyball.db").write_bytes(sqlite_template.read_bytes())
    settings = load_settings({"auth": "on", "database": url}, environment={}, start=folder)
    with Workspace(settings, durable=False) as workspace:
        tokens = {}
        with acting_as(ADMIN):
            for role in ("viewer", "contributor", "maintainer", "owner"):
                workspace.accounts.create(role, password=PASSWORD, role=role)
                tokens[role] = workspace.tokens.create("test", role, role="owner").secret
            workspace.accounts.create("stranger")
            tokens["stranger"] = workspace.tokens.create("test", "stranger", role="owner").secret
            workspace.accounts.create("auditor", auditor=True)
            tokens["auditor"] = workspace.tokens.create("test", "auditor", role="owner").secret
        tokens["worker"] = workspace.tokens.for_run("r1").secret
        yield Team(workspace, create_app(workspace), tokens)


def routes(app: Starlette) -> list[tuple[str, str]]:
    """Method and an example of the address of every route there is."""
    found = []
    for room in SERVICES:
        for verb in verbs_of(service_class(room)).values():
            found.append(("POST", f"/api/{room}/{verb.name}"))
            if verb.effect == "read":
                found.append(("GET", f"/api/{room}/{verb.name}"))
    wire.load_endpoints()
    for method, pattern in wire.endpoints():
        plain = re.sub(r"\(\?P<\w+>[^)]*\)", "x", pattern).replace("\\", "").strip("^$")
        found.append((method, plain))
    for route in app.routes:
        assert isinstance(route, Route), f"{route} is no plain route: say here what it takes"
        path = re.sub(r"\{\w+:path\}", "x/y", route.path)
        path = re.sub(r"\{\w+\}", "x", path.replace("/serving/{verb}", "/serving/predict"))
        if not re.fullmatch(r"/api/[a-z_]+/x", path):  # those of the verbs, which stand above by name
            found += [(method, path) for method in sorted(route.methods or ())]
    return sorted(set(found))


def ask(client: TestClient, method: str, path: str) -> int:
    return client.request(method, path, content=b"{}" if method not in ("GET", "HEAD") else None).status_code


def test_every_route_is_in_the_table(team: Team) -> None:
    everything = routes(team.app)
    assert len(everything) > 600
    assert [route for route in everything if need_of(*route) is None] == []


def test_without_credentials_every_door_is_closed_but_the_ways_in(team: Team) -> None:
    client = team.client()
    opened = {f"{m} {p}" for m, p in routes(team.app) if m != "HEAD" and ask(client, m, p) != 401}
    assert opened == {route for route in OPEN if route.split()[1] in {p for _, p in routes(team.app)}}


@pytest.mark.parametrize("token", ["fly_x_y", "nonsense", "fly_local_" + "0" * 64])
def test_a_bad_token_opens_nothing_even_where_one_would_do_without(team: Team, token: str) -> None:
    client = team.client(authorization=f"Bearer {token}")
    assert ask(client, "GET", "/api/tracking/list_runs") == 401
    assert ask(client, "POST", "/api/2.0/mlflow/runs/create") == 401


def test_a_viewer_reads_everything_and_changes_nothing(team: Team) -> None:
    client, wrong = team.client("viewer"), []
    for method, path in routes(team.app):
        need = need_of(method, path)
        if need in ("open", "none") or path == "/api/events/stream":
            continue
        status = ask(client, method, path)
        if (status == 403) != (need != "viewer") or status == 401:
            wrong.append((method, path, need, status))
    assert wrong == []


@pytest.mark.parametrize("who", ["contributor", "maintainer"])
def test_what_takes_a_higher_role_is_refused(team: Team, who: str) -> None:
    client = team.client(who)
    higher = ("maintainer", "owner") if who == "contributor" else ("owner",)
    refused = [route for route in routes(team.app) if need_of(*route) in higher]
    assert {ask(client, *route) for route in refused} <= {403}
    assert who == "maintainer" or len(refused) > 40


def test_who_belongs_elsewhere_finds_nothing(team: Team) -> None:
    client = team.client("stranger")
    wanted = [r for r in routes(team.app) if need_of(*r) not in ("open", "none")]
    assert {ask(client, *route) for route in wanted} == {404}


@pytest.mark.parametrize("who", ["auditor", "worker"])
def test_auditors_and_workers_have_no_say(team: Team, who: str) -> None:
    client = team.client(who)
    assert ask(client, "GET", "/api/tracking/list_runs") == 200
    refused = [("POST", "/api/deployments/deploy"), ("POST", "/api/members/set"), ("POST", "/api/tokens/create")]
    assert {client.request(*r, json=BODIES.get(r[1], {})).status_code for r in refused} == {403}


BODIES = {
    "/api/members/set": {"name": "viewer", "role": "owner"},
    "/api/tokens/create": {"name": "another", "account": "owner"},
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/api/none/list"),
        ("GET", "/api/tracking/__init__"),
        ("GET", "/api/tracking/_tell"),
        ("GET", "/api//tracking/list_runs"),
        ("GET", "/API/tracking/list_runs"),
        ("POST", "/api/2.0/mlflow/gateway"),
        ("GET", "/static-files/x"),
        ("GET", "/graphql"),
    ],
)
def test_what_nobody_listed_is_not_there_for_anybody(team: Team, method: str, path: str) -> None:
    assert ask(team.client(), method, path) == 401
    assert ask(team.client("owner"), method, path) in (404, 405)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_another_method_than_the_listed_ones_is_refused(team: Team, method: str) -> None:
    assert ask(team.client("owner"), method, "/api/tracking/list_runs") == 405
    assert ask(team.client(), method, "/api/tracking/list_runs") == 401


def test_refusals_are_told_to_mlflows_clients_in_their_own_words(team: Team) -> None:
    answer = team.client().post("/api/2.0/mlflow/runs/create", json={})
    assert answer.json()["error_code"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    answer = team.client("viewer").post("/api/2.0/mlflow/runs/create", json={})
    assert answer.json()["error_code"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("password", ["token", PASSWORD])
def test_mlflows_user_and_password_are_a_name_and_a_token_or_a_password(team: Team, password: str) -> None:
    shown = team.tokens["viewer"] if password == "token" else password
    basic = base64.b64encode(f"viewer:{shown}".encode()).decode()
    client = team.client(authorization=f"Basic {basic}")
    assert [ask(client, "GET", "/api/tracking/list_runs") for _ in range(3)] == [200] * 3
    wrong = base64.b64encode(b"viewer:something else").decode()
    assert ask(team.client(authorization=f"Basic {wrong}"), "GET", "/api/tracking/list_runs") == 401


@pytest.mark.parametrize("header", ["Basic !", "Basic", "Bearer", "Negotiate x", "Basic " + "A" * 7])
def test_a_header_that_cannot_be_read_opens_nothing(team: Team, header: str) -> None:
    assert ask(team.client(authorization=header), "GET", "/api/tracking/list_runs") == 401


def test_whoever_logs_in_gets_a_cookie_that_scripts_and_other_sites_cannot_use(team: Team) -> None:
    client = team.client(**{"sec-fetch-site": "same-origin"})
    answer = client.post("/login/password", json={"name": "owner", "password": PASSWORD})
    assert answer.json() == {"name": "owner"}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/api/accounts/whoami").json()["name"] == "owner"
    assert client.post("/api/comments/add", json={}).status_code == 400  # in, and asked for its arguments
    name = cookie_name(team.workspace.settings)
    bare = TestClient(team.app, base_url="http://localhost", cookies={name: client.cookies[name]})
    assert bare.get("/api/accounts/whoami").status_code == 200
    assert bare.post("/api/comments/add", json={}).status_code == 403  # a cookie, and no word of the browser
    for site in ("cross-site", "same-site"):
        assert bare.post("/api/comments/add", json={}, headers={"sec-fetch-site": site}).status_code == 403
        assert bare.get("/api/accounts/whoami", headers={"sec-fetch-site": site}).status_code == 403
    for origin in ("http://evil.example", "null", "https://localhost", "http://localhost:81"):
        assert bare.post("/api/comments/add", json={}, headers={"origin": origin}).status_code == 403
    assert client.post("/login/out").status_code == 200
    assert bare.get("/api/accounts/whoami").status_code == 401


def test_a_session_is_good_in_its_cookie_alone_and_a_token_nowhere_else(team: Team) -> None:
    session = team.workspace.logins.with_password("viewer", PASSWORD, "test").secret
    assert ask(team.client(authorization=f"Bearer {session}"), "GET", "/api/accounts/whoami") == 401
    name = cookie_name(team.workspace.settings)
    client = TestClient(team.app, base_url="http://localhost", cookies={name: team.tokens["viewer"]})
    assert client.get("/api/accounts/whoami").status_code == 401


def test_two_cookies_of_one_name_are_none(team: Team) -> None:
    name = cookie_name(team.workspace.settings)
    session = team.workspace.logins.with_password("viewer", PASSWORD, "test").secret
    client = team.client(cookie=f"{name}={session}; {name}=x")
    assert ask(client, "GET", "/api/accounts/whoami") == 401


def test_wrong_passwords_are_answered_alike_and_then_not_at_all(team: Team) -> None:
    with acting_as(ADMIN):
        team.workspace.accounts.create("guessed", password=PASSWORD)
    client = team.client()
    said = [client.post("/login/password", json={"name": "guessed", "password": str(n)}) for n in range(6)]
    assert [answer.status_code for answer in said] == [401] * 5 + [429]
    assert int(said[-1].headers["retry-after"]) >= 1
    assert said[0].json() == client.post("/login/password", json={"name": "nobody", "password": "x"}).json()


def test_a_device_is_let_in_on_the_page(team: Team) -> None:
    device = team.client()
    begun = device.post("/login/device", json={}).json()
    asked = {"device_code": begun["device_code"], "name": "laptop"}
    assert device.post("/login/device/token", json=asked).status_code == 202
    assert device.post("/login/device/approve", json={"code": begun["user_code"]}).status_code == 401
    assert (
        team.client("contributor").post("/login/device/approve", json={"code": begun["user_code"]}).status_code == 200
    )
    made = device.post("/login/device/token", json=asked).json()
    assert made["account"] == "contributor"
    assert ask(team.client(authorization=f"Bearer {made['token']}"), "GET", "/api/tracking/list_runs") == 200


def test_events_of_access_are_for_who_looks_after_it(team: Team) -> None:
    for who, sees in (("viewer", False), ("auditor", True)):
        events = team.client(who).get("/api/events/list?limit=1000").json()
        assert any(event["kind"].startswith("access.") for event in events) is sees


def test_too_many_or_too_large_headers_are_not_read(team: Team) -> None:
    client = team.client("viewer")
    many = {f"x-{n}": "1" for n in range(120)}
    assert client.get("/api/accounts/whoami", headers=many).status_code == 400
    assert client.get("/api/accounts/whoami", headers={"x-long": "1" * 40_000}).status_code == 400
    assert client.get("/api/tracking/list_runs?x=" + "1" * 9_000).status_code == 400


def test_deep_json_is_refused_and_does_no_harm(team: Team) -> None:
    deep = b'{"run":"x","series":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    for path in ("/api/tracking/append", "/api/2.0/mlflow/runs/log-batch", "/api/v1/lineage"):
        assert team.client("owner").post(path, content=deep).status_code in (400, 422), path
    nested = b'{"event":' + b'{"a":' * 400 + b"1" + b"}" * 401
    assert team.client("owner").post("/api/external/record", content=nested).status_code == 400


def test_one_asks_no_more_than_the_rate_allows(team: Team) -> None:
    settings = team.workspace.settings
    team.workspace.settings = replace(settings, rate_limit=5)
    try:
        client = replace(team, app=create_app(team.workspace)).client("viewer")
        statuses = [ask(client, "GET", "/api/accounts/whoami") for _ in range(15)]
    finally:
        team.workspace.settings = settings
    assert statuses[:10] == [200] * 10
    assert 429 in statuses


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("[::1]:1", 200),
        ("evil.example", 400),
        ("localhost.evil", 400),
        ("", 400),
    ],
)
def test_only_names_of_ours_are_answered(team: Team, host: str, status: int) -> None:
    assert ask(team.client("viewer", host=host), "GET", "/api/accounts/whoami") == status


@dataclass
class Place:
    """A server of its owner's, on a port."""

    workspace: Workspace
    port: int

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **more: str
    ) -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            return exchange(connection, request(method, path, body, **(headers or {}), **more))


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    named = {
        "Host": "127.0.0.1",
        "Content-Length": str(len(body)),
        **{n.replace("_", "-"): v for n, v in headers.items()},
    }
    return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in named.items()), "", ""]).encode() + body


def exchange(connection: socket.socket, sent: bytes) -> tuple[int, bytes]:
    connection.sendall(sent)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = connection.recv(1)
        assert got, "the server has hung up"
        head += got
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(head.split()[1]), head + body


@pytest.fixture
def place(workspace: Workspace) -> Iterator[Place]:
    yield from served(workspace)


def served(workspace: Workspace) -> Iterator[Place]:
    yield from served_at(workspace, create_app(workspace), free_port())


def served_at(workspace: Workspace, app: Starlette, port: int) -> Iterator[Place]:
    server = make_server(workspace, app, host="127.0.0.1", port=port, grace=1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield Place(workspace, port)
    server.should_exit = True
    thread.join()


BROWSERS: list[dict[str, str]] = [
    {"User-Agent": "Mozilla/5.0 (X11; Linux)"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    {"Referer": "http://localhost:3000/"},
    {"Sec-Fetch-Mode": "no-cors"},
]


def test_a_program_of_the_same_user_is_the_owner_and_a_page_is_not(place: Place) -> None:
    assert place.send("GET", "/api/accounts/whoami")[0] == 200
    for headers in BROWSERS:
        assert place.send("GET", "/api/accounts/whoami", headers=headers)[0] == 401, headers
    assert place.send("POST", "/api/tracking/create_run", b"{}", Origin="http://127.0.0.1")[0] == 401


def test_a_program_of_another_user_is_nobody_without_the_token(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.server.peers._own_uid", lambda: 4_000_000_000)
    assert place.send("GET", "/api/accounts/whoami")[0] == 401
    token = LocalOwner.of(place.workspace.settings.workspace).token
    assert place.send("GET", "/api/accounts/whoami", Authorization=f"Bearer {token}")[0] == 200
    assert place.send("GET", "/api/accounts/whoami", Authorization=f"Bearer {token[:-1]}")[0] == 401


def test_what_somebody_writes_of_where_they_come_from_is_not_believed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.server.peers._own_uid", lambda: 4_000_000_000)
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert place.send("GET", "/api/accounts/whoami", headers={header: "127.0.0.1"})[0] == 401


def test_a_link_opens_the_page_once(place: Place) -> None:
    ticket = LocalOwner.of(place.workspace.settings.workspace).new_ticket()
    browser = BROWSERS[1]
    status, said = place.send("GET", f"/login/link?ticket={ticket}", headers=browser)
    assert status == 303
    cookie = re.search(rb"set-cookie: ([^;]+)", said)
    assert cookie is not None
    own = {"User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "same-origin", "Cookie": cookie[1].decode()}
    assert place.send("GET", "/api/accounts/whoami", headers=own)[0] == 200
    assert place.send("POST", "/api/comments/add", b"{}", headers=own)[0] == 400
    assert place.send("GET", "/api/accounts/whoami", headers={**own, "Cookie": own["Cookie"][:-1]})[0] == 401
    assert place.send("GET", f"/login/link?ticket={ticket}", headers=browser)[0] == 401
    for bad in ("", "x", f"9{ticket}", ticket[:-1]):
        assert place.send("GET", f"/login/link?ticket={bad}", headers=browser)[0] == 401


def test_a_browser_that_looks_ahead_does_not_use_the_link_up(place: Place) -> None:
    ticket = LocalOwner.of(place.workspace.settings.workspace).new_ticket()
    assert place.send("GET", f"/login/link?ticket={ticket}", Sec_Purpose="prefetch")[0] == 503
    assert place.send("GET", f"/login/link?ticket={ticket}")[0] == 303


def test_the_token_of_a_workspace_is_its_owners_alone(workspace: Workspace) -> None:
    folder = workspace.settings.workspace
    first = LocalOwner.of(folder)
    path = folder / "token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert LocalOwner.of(folder).token == first.token
    path.chmod(0o644)
    with pytest.raises(Exception, match="Others may read"):
        LocalOwner.of(folder)
    path.chmod(0o600)
    path.unlink()
    assert LocalOwner.of(folder).token != first.token


def test_a_revoked_token_does_not_live_on_in_a_connection(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, auth="on")
    run = workspace.tracking.create_run("quick").id
    with acting_as(ADMIN):
        workspace.accounts.create("ada", role="contributor")
        made = workspace.tokens.create("test", "ada")
    body = b'{"run_id":"%s","key":"loss","value":0.5,"timestamp":1,"step":1}' % run.encode()
    sent = request("POST", "/api/2.0/mlflow/runs/log-metric", body, Authorization=f"Bearer {made.secret}")
    for place in served(workspace):
        with socket.create_connection(("127.0.0.1", place.port), timeout=10) as connection:
            assert [exchange(connection, sent)[0] for _ in range(4)] == [200] * 4
            with acting_as(ADMIN):
                workspace.tokens.revoke(made.token.id)
            assert exchange(connection, sent)[0] == 401


def test_a_stream_of_events_ends_with_the_right_to_hear_it(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, auth="on")
    with acting_as(ADMIN):
        workspace.accounts.create("ada", role="viewer")
        made = workspace.tokens.create("test", "ada", role="viewer")
    for place in served(workspace):
        with socket.create_connection(("127.0.0.1", place.port), timeout=10) as connection:
            connection.sendall(
                request("GET", "/api/events/stream", Connection="close", Authorization=f"Bearer {made.secret}")
            )
            assert b"200 OK" in connection.recv(1000)
            with acting_as(ADMIN):
                workspace.tokens.revoke(made.token.id)
            while connection.recv(1000):
                pass  # until it ends


def test_a_worker_writes_to_its_own_run_and_its_parts_alone(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, auth="on")
    own, other = workspace.tracking.create_run("a").id, workspace.tracking.create_run("a").id
    with acting_as(Principal(name="ada", role="contributor")):
        made = workspace.tokens.create_for_run(own)
    client = TestClient(
        create_app(workspace), base_url="http://localhost", headers={"authorization": f"Bearer {made.secret}"}
    )

    def tag(run: str) -> tuple[int, int]:
        body = {"run_id": run, "key": "k", "value": "v"}
        native = client.post("/api/tracking/log", json={"run": run, "tags": {"a": "b"}}).status_code
        return native, client.post("/api/2.0/mlflow/runs/set-tag", json=body).status_code

    part = client.post("/api/tracking/create_run", json={"experiment": "a", "parent": own})
    assert part.status_code == 200
    assert tag(own) == tag(part.json()["id"]) == (200, 200)
    assert tag(other) == (403, 403)
    assert client.post("/api/tracking/create_run", json={"experiment": "a", "parent": other}).status_code == 403
    assert client.post("/api/trash/bulk_delete", json={"runs": [other]}).status_code == 403
    assert client.get(f"/api/tracking/get_run?run={other}").status_code == 200
    workspace.tracking.finish_run(own)
    workspace.authority.forget()
    assert tag(own) == (401, 401)


@pytest.mark.parametrize("said", [b"", b"GET /health HTTP/1.1\r\nHost: loc"], ids=["nothing", "half a head"])
def test_who_connects_and_says_nothing_is_let_go(place: Place, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.server.quick._HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", place.port), timeout=5) as connection:
        connection.sendall(said)
        assert connection.recv(100) == b""
    assert place.send("GET", "/health")[0] == 200
