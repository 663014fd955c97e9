"""A change that is asked for with a key is done once, and whoever asks again gets the same answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from flyball.client import RemoteWorkspace
from flyball.errors import Conflict, InvalidInput
from flyball.settings import load_settings
from flyball.storage._idempotency_store import keys
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.idempotency import Once
from flyball.storage.objects import Blobs
from flyball.workspace import Workspace
from tests.server.conftest import client_of
from tests.servers.databases import ON_BOTH


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_tables_url")
    return url


@pytest.fixture
def http(workspace: Workspace) -> TestClient:
    return client_of(workspace)


def ask(http: TestClient, key: str, experiment: str = "churn", verb: str = "tracking/create_run"):  # type: ignore[no-untyped-def]  # httpx2's answer
    return http.post(f"/api/{verb}", json={"experiment": experiment}, headers={"Idempotency-Key": key})


@ON_BOTH
def test_the_same_key_is_the_same_run(http: TestClient, workspace: Workspace) -> None:
    first, second = ask(http, "k1"), ask(http, "k1")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(workspace.run_search.search("").runs) == 1
    assert ask(http, "k2").json()["id"] != first.json()["id"]


@ON_BOTH
def test_many_at_once_with_one_key_are_one_run(http: TestClient, workspace: Workspace) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(http, "k1").content, range(16)))
    assert len(set(answers)) == 1
    assert len(workspace.run_search.search("").runs) == 1


def test_a_key_for_something_else_is_refused(http: TestClient) -> None:
    ask(http, "k1")
    refused = ask(http, "k1", "orders")
    assert refused.status_code == 400
    assert "used for another change" in refused.json()["message"]


def test_an_error_is_the_same_error_again(http: TestClient) -> None:
    http.post("/api/experiments/create", json={"name": "churn"})
    body = {"name": "churn"}
    first = http.post("/api/experiments/create", json=body, headers={"Idempotency-Key": "k"})
    second = http.post("/api/experiments/create", json=body, headers={"Idempotency-Key": "k"})
    assert first.status_code == second.status_code == 409
    assert first.json() == second.json()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_what_cannot_be_a_key_is_refused(http: TestClient, key: str) -> None:
    assert ask(http, key).status_code == 400


def test_keys_end_after_a_day(workspace: Workspace, http: TestClient) -> None:
    first = ask(http, "k1").json()
    workspace.database.execute(sa.update(keys).values(at=keys.c.at - 25 * 3600))
    assert ask(http, "k1").json()["id"] != first["id"]
    workspace.database.execute(sa.update(keys).values(at=keys.c.at - 25 * 3600))
    Once(workspace.database).do("k2", "ada", "tests", b"", lambda: 1)
    assert workspace.database.rows(sa.select(keys.c.key)) == []


def test_two_people_may_choose_the_same_key(workspace: Workspace) -> None:
    once = Once(workspace.database)
    made = [
        once.do("k", who, "tracking.create_run", b"", lambda: workspace.tracking.create_run("churn").id)
        for who in ("ada", "eve")
    ]
    assert made[0].body != made[1].body


@ON_BOTH
def test_what_fails_halfway_leaves_nothing(database: Database, events: EventLog) -> None:
    def half() -> None:
        with database.transaction() as connection:
            events.append(connection, "tests.first", "runs:/1")
        raise ZeroDivisionError

    once = Once(database)
    with pytest.raises(ZeroDivisionError):
        once.do("k", "ada", "tests.half", b"", half)
    assert events.list() == []
    assert database.rows(sa.select(keys.c.key)) == []


@ON_BOTH
def test_what_one_part_refuses_leaves_the_other_parts(database: Database, events: EventLog) -> None:
    def refused() -> None:
        with database.transaction() as connection:
            events.append(connection, "tests.second", "runs:/1")
            raise Conflict("not this one")

    def partly() -> int:
        with database.transaction() as connection:
            events.append(connection, "tests.first", "runs:/1")
        with pytest.raises(Conflict):
            refused()
        assert [event.kind for event in events.list()] == ["tests.first"]  # it sees what it wrote
        return 3

    answer = Once(database).do("k", "ada", "tests.partly", b"", partly)
    assert answer.body == b"3"
    assert [event.kind for event in events.list()] == ["tests.first"]


def test_a_verb_that_only_reads_takes_no_key(http: TestClient, workspace: Workspace) -> None:
    assert http.post("/api/events/list", json={}, headers={"Idempotency-Key": "k"}).status_code == 200
    assert workspace.database.rows(sa.select(keys.c.key)) == []


@contextmanager
def losing_answers(port: int, losses: int) -> Iterator[int]:
    """A way to a server on which the first answers are lost: the request arrives, the connection is cut."""
    left = [losses]

    def carry(client: socket.socket) -> None:
        with closing(client), closing(socket.create_connection(("127.0.0.1", port))) as server:
            client.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length:
                body += client.recv(65536)
            server.sendall(head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1) + b"\r\n\r\n" + body)
            answer = b""
            while piece := server.recv(65536):
                answer += piece
            if left[0]:
                left[0] -= 1
                return
            client.sendall(answer)

    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_a_client_whose_answer_was_lost_asks_again_and_doubles_nothing(workspace: Workspace, url: str) -> None:
    with losing_answers(int(url.rpartition(":")[2]), 2) as port:
        settings = load_settings(
            {"url": f"http://127.0.0.1:{port}", "workspace": str(workspace.root / "far")}, environment={}
        )
        with RemoteWorkspace(settings) as remote:
            run = remote.tracking.create_run("churn")
    assert [found.id for found in workspace.run_search.search("").runs] == [run.id]


def test_a_key_is_kept_apart_from_others_of_its_change(database: Database) -> None:
    once = Once(database)
    with pytest.raises(InvalidInput):
        once.do("é", "ada", "tests", b"", lambda: 1)


def test_a_token_is_told_once_and_kept_nowhere(http: TestClient, workspace: Workspace) -> None:
    workspace.accounts.create("bot", kind="service")
    body = {"name": "ci", "account": "bot"}
    first = http.post("/api/tokens/create", json=body, headers={"Idempotency-Key": "k"})
    second = http.post("/api/tokens/create", json=body, headers={"Idempotency-Key": "k"})
    assert (first.status_code, second.status_code) == (200, 409)
    assert "fly_" in first.text
    kept = workspace.database.rows(sa.select(keys))
    assert "fly_" not in str(kept)


def test_bytes_go_only_once_it_is_durable_that_nothing_names_them(
    database: Database, events: EventLog, blobs: Blobs
) -> None:
    name = blobs.put(b"some bytes")

    def remove() -> int:
        with database.transaction() as connection:
            events.append(connection, "tests.removed", "runs:/1")
        blobs.delete(name)
        raise ZeroDivisionError  # what comes after it cannot bring them back

    once = Once(database)
    with pytest.raises(ZeroDivisionError):
        once.do("k", "ada", "tests.remove", b"", remove)
    assert [event.kind for event in events.list()] == ["tests.removed"]
    assert not blobs.has(name)
    with pytest.raises(Conflict, match="broken off"):
        once.do("k", "ada", "tests.remove", b"", remove)


def test_what_was_made_durable_on_the_way_has_its_answer_too(
    database: Database, events: EventLog, blobs: Blobs
) -> None:
    def remove() -> int:
        with database.transaction() as connection:
            events.append(connection, "tests.first", "runs:/1")
        blobs.delete(blobs.put(b"x"))
        with database.transaction() as connection:
            events.append(connection, "tests.second", "runs:/1")
        return 3

    once = Once(database)
    assert (
        once.do("k", "ada", "tests.remove", b"", remove).body
        == once.do("k", "ada", "tests.remove", b"", remove).body
        == b"3"
    )
    assert len(events.list()) == 2
