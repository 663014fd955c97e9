"""What is logged one by one goes a short way, and nobody can tell it from the long one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from flyball.server.app import create_app
from flyball.server.main import make_server
from flyball.workspace import Workspace
from tests.servers.processes import free_port

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LOG = "/api/2.0/mlflow/runs/log-metric"


@dataclass
class Place:
    """A server, what asked for its routes, and a run."""

    port: int
    run: str
    workspace: Workspace
    long: list[str] = field(default_factory=list)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def request(self, step: int, body: bytes | None = None, path: str = LOG, **more: str) -> bytes:
        text = b'{"run_id":"%s","key":"loss","value":0.5,"timestamp":1,"step":%d}' % (self.run.encode(), step)
        sent = text if body is None else body
        named = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in more.items()}}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(sent)}", "", ""]).encode() + sent

    def steps(self) -> list[int]:
        return [point.step for point in self.workspace.tracking.metric_history(self.run, "loss")]


@pytest.fixture
def place(workspace: Workspace) -> Iterator[Place]:
    port = free_port()
    app = create_app(workspace)
    made = Place(port, workspace.tracking.create_run("quick").id, workspace)

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        made.long += [scope["path"]] if scope["type"] == "http" else []
        await app(scope, receive, send)

    server = make_server(workspace, counting, host="127.0.0.1", port=port, grace=2)
    server.config.timeout_keep_alive = 1
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield made
    server.should_exit = True
    thread.join()


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = connection.recv(1)
        assert got, "the server has hung up"
        head += got
    named = head.lower().split(b"content-length: ")
    length = int(named[1].split(b"\r\n")[0]) if len(named) > 1 else 0
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(head.split()[1]), body


def ask(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    connection.sendall(request)
    return answer(connection)


def test_the_second_request_of_a_connection_goes_the_short_way(place: Place) -> None:
    with place.connect() as connection:
        for step in range(5):
            assert ask(connection, place.request(step)) == (200, b"{}")
    assert place.steps() == [0, 1, 2, 3, 4]
    assert place.long == [LOG]


def test_both_ways_answer_with_the_same_headers(place: Place) -> None:
    found = []
    with place.connect() as connection:
        for step in range(2):
            connection.sendall(place.request(step))
            head = b""
            while not head.endswith(b"\r\n\r\n{}"):
                head += connection.recv(1000)
            found.append({line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]})
    assert found[0] == found[1]


def test_requests_that_come_at_once_are_answered_one_by_one(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        connection.sendall(b"".join(place.request(step) for step in range(1, 30)))
        assert [answer(connection)[0] for _ in range(29)] == [200] * 29
    assert place.steps() == list(range(30))
    assert place.long == [LOG]


def test_a_body_may_come_in_pieces(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        head, _, body = place.request(1).partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        for letter in body:
            connection.sendall(bytes([letter]))
        assert answer(connection) == (200, b"{}")
    assert place.steps() == [0, 1]
    assert place.long == [LOG]


def test_a_head_in_pieces_goes_the_long_way(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        for letter in place.request(1):
            connection.sendall(bytes([letter]))
        assert answer(connection) == (200, b"{}")
        assert ask(connection, place.request(2)) == (200, b"{}")
    assert place.steps() == [0, 1, 2]
    assert place.long == [LOG] * 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", b"The body is no JSON"),
        (b"{}", b"Missing value for required parameter 'key'"),
        (b'{"run_id":"%s","key":"a//b","value":1,"timestamp":1}' % (b"f" * 32), b"Names may be treated as files"),
        (b'{"run_id":"%s","key":"a","value":1,"timestamp":-1}' % (b"f" * 32), b"nonnegative long"),
        (b'{"run_id":"%s","key":"a","value":1,"timestamp":1}' % (b"f" * 32), b"Run with id="),
    ],
    ids=["no json", "nothing", "odd key", "odd time", "no such run"],
)
def test_what_is_refused_is_refused_in_the_same_words(place: Place, body: bytes, said: bytes) -> None:
    with place.connect() as connection:
        first = ask(connection, place.request(0, body))
        ask(connection, place.request(1))
        again = ask(connection, place.request(2, body))
        assert ask(connection, place.request(3)) == (200, b"{}")
    assert again == first
    assert said in first[1]
    assert first[0] in (400, 404)
    assert place.steps() == [1, 3]


def test_undefined_values_are_kept_as_before(place: Place) -> None:
    body = b'{"run_id":"%s","key":"loss","value":"NaN","timestamp":1,"step":%%d}' % place.run.encode()
    with place.connect() as connection:
        for step in range(2):
            assert ask(connection, place.request(0, body % step)) == (200, b"{}")
    assert [p.value for p in place.workspace.tracking.metric_history(place.run, "loss")] == [None, None]


@pytest.mark.parametrize("more", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_a_head_that_is_not_admitted_never_is(place: Place, more: dict[str, Any]) -> None:
    with place.connect() as connection:
        assert [ask(connection, place.request(step, **more))[0] for step in range(3)] in ([400] * 3, [403] * 3)
        assert ask(connection, place.request(3))[0] == 200
        assert ask(connection, place.request(4))[0] == 200
        assert ask(connection, place.request(5, **more))[0] in (400, 403)
    assert place.steps() == [3, 4]


def test_a_batch_goes_the_short_way_with_points_params_and_tags(place: Place) -> None:
    body = (
        b'{"run_id":"%s","metrics":[{"key":"loss","value":1,"timestamp":1,"step":%%d}],'
        b'"params":[{"key":"p%%d","value":"a"}],"tags":[{"key":"t","value":"b"}]}' % place.run.encode()
    )
    path = LOG.replace("metric", "batch")
    with place.connect() as connection:
        for step in range(3):
            assert ask(connection, place.request(0, body % (step, step), path)) == (200, b"{}")
        changed = body.replace(b'"a"', b'"other"') % (3, 0)
        status, said = ask(connection, place.request(0, changed, path))
    assert status == 400
    assert b"Changing param values is not allowed" in said
    run = place.workspace.tracking.get_run(place.run)
    assert (run.params, run.tags["t"]) == ({"p0": "a", "p1": "a", "p2": "a"}, "b")
    assert place.steps() == [0, 1, 2]
    assert place.long == [path, path]


def test_more_than_was_announced_is_a_request_of_its_own(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        assert ask(connection, place.request(1) + b"GARBAGE\r\n\r\n") == (200, b"{}")
        assert answer(connection)[0] == 400
        while connection.recv(1000):
            pass
    assert place.steps() == [0, 1]


def test_a_length_that_is_none_is_refused(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        assert ask(connection, place.request(1).replace(b"Content-Length: ", b"Content-Length: +"))[0] == 400
    assert place.steps() == [0]


def test_two_lengths_are_never_the_short_way(place: Place) -> None:
    doubled = place.request(0).replace(b"Host", b"Content-Length: 3\r\nHost")
    with place.connect() as connection:
        assert ask(connection, doubled)[0] == 400
    assert place.steps() == []


def test_an_idle_connection_is_closed(place: Place) -> None:
    with place.connect() as connection:
        for step in range(3):
            ask(connection, place.request(step))
        assert connection.recv(1) == b""


def test_other_requests_between_change_nothing(place: Place) -> None:
    get = f"GET /api/2.0/mlflow/runs/get?run_id={place.run} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with place.connect() as connection:
        for step in range(3):
            assert ask(connection, place.request(step)) == (200, b"{}")
            assert b'"loss"' in ask(connection, get)[1]
    assert place.long.count(LOG) == 1


def test_a_connection_that_breaks_off_harms_nobody(place: Place) -> None:
    with place.connect() as connection:
        ask(connection, place.request(0))
        connection.sendall(place.request(1)[:-10])
    with place.connect() as connection:
        ask(connection, place.request(2))
        connection.sendall(place.request(3))
    with place.connect() as connection:
        ask(connection, place.request(4))
        ask(connection, place.request(5))
    assert {0, 2, 4, 5} <= set(place.steps()) <= {0, 2, 3, 4, 5}


IN_PROJECT = f"/projects/risk{LOG}"


@pytest.fixture
def risk(place: Place) -> Iterator[Workspace]:
    """A project, where the run of the place is as well."""
    place.workspace.projects.create("risk")
    with place.workspace.opened.use("risk", place.workspace.projects.state_of("risk")) as project:
        place.run = project.tracking.create_run("quick").id
        yield project


def test_in_a_project_the_second_request_goes_the_short_way_too(place: Place, risk: Workspace) -> None:
    with place.connect() as connection:
        for step in range(3):
            connection.sendall(place.request(step, path=IN_PROJECT))
            assert answer(connection) == (200, b"{}")
    assert place.long == [IN_PROJECT]
    assert [point.step for point in risk.tracking.metric_history(place.run, "loss")] == [0, 1, 2]


def test_the_short_way_into_one_project_leads_into_no_other(place: Place, risk: Workspace) -> None:
    place.workspace.projects.create("fraud")
    with place.connect() as connection:
        for path in (IN_PROJECT, IN_PROJECT, LOG, f"/projects/fraud{LOG}", IN_PROJECT):
            connection.sendall(place.request(0, path=path))
            expected = 200 if path == IN_PROJECT else 404  # the run is in that one alone
            assert answer(connection)[0] == expected, path


def test_a_project_that_is_archived_or_left_for_a_while_goes_the_long_way(place: Place, risk: Workspace) -> None:
    with place.connect() as connection:
        for step in range(2):
            connection.sendall(place.request(step, path=IN_PROJECT))
            answer(connection)
        time.sleep(0.6)
        connection.sendall(place.request(2, path=IN_PROJECT))
        assert answer(connection)[0] == 200
        assert place.long == [IN_PROJECT, IN_PROJECT]
        place.workspace.projects.archive("risk")
        connection.sendall(place.request(3, path=IN_PROJECT))
        assert answer(connection)[0] == 400
    assert [point.step for point in risk.tracking.metric_history(place.run, "loss")] == [0, 1, 2]
