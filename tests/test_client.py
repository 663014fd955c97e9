"""A workspace on a server does what a local one does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball import errors
from flyball.client import Connection, RemoteWorkspace, open_workspace
from flyball.errors import (
    Conflict,
    Corrupt,
    FlyballError,
    GateRefused,
    InvalidInput,
    NotFound,
    ServerUnreachable,
    TimedOut,
)
from flyball.refs import Ref
from flyball.serialization import digest, error_to_plain, to_json
from flyball.settings import load_settings
from flyball.tracking.runs import MetricPoint
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class
from tests.servers.processes import free_port

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FlyballError)]


@pytest.fixture(params=["local", "remote"])
def either(request: pytest.FixtureRequest, workspace: Workspace) -> Workspace:
    """A local workspace, and the same one as seen from another machine."""
    found: Workspace = workspace if request.param == "local" else request.getfixturevalue("remote")
    return found


def test_runs_are_tracked_on_either(either: Workspace) -> None:
    run = either.tracking.create_run("late", params={"depth": 3, "rate": 0.1, "warm": True, "note": "ü \n"})
    points = [MetricPoint(key="auc", value=0.5 + step, step=step, at=run.started) for step in range(3)]
    either.tracking.log(run.id, metrics=points)
    either.tracking.finish_run(run.id)
    found = either.tracking.get_run(run.id)
    assert (found.state, found.params) == ("finished", run.params)
    assert either.tracking.metric_history(run.id, "auc", after_step=0) == points[1:]
    assert either.tracking.list_runs(limit=1) == [found]


def test_events_are_read_on_either(either: Workspace) -> None:
    run = either.tracking.create_run("late")
    (event,) = either.events.list(kinds=("tracking.", "data."), subject=str(Ref(kind="runs", name=run.id)))
    assert event.kind == "tracking.run_started"
    assert either.events.list(after=event.id) == []


def test_blobs_are_kept_on_either(either: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"file")
    names = [either.blobs.put(b"bytes"), either.blobs.put_file(tmp_path / "file"), either.blobs.put(b"bytes")]
    assert names == [digest(b"bytes"), digest(b"file"), digest(b"bytes")]
    assert either.blobs.get(names[0]) == b"bytes"
    assert either.blobs.path(names[1]).read_bytes() == b"file"
    assert either.blobs.size(names[1]) == 4
    assert either.blobs.has(names[0])
    assert not either.blobs.has("0" * 64)


def test_what_is_not_there_is_not_found_on_either(either: Workspace) -> None:
    for call in (
        lambda: either.tracking.get_run("none"),
        lambda: either.data.get("none"),
        lambda: either.registry.get_version("none@champion"),
        lambda: either.features.get("none"),
        lambda: either.blobs.get("0" * 64),
        lambda: either.blobs.path("0" * 64),
    ):
        with pytest.raises(NotFound):
            call()


def test_bad_input_is_refused_on_either(either: Workspace) -> None:
    with pytest.raises(InvalidInput):
        either.tracking.create_run("late", id="/" * 300)
    with pytest.raises(InvalidInput):
        either.blobs.get("../" * 20)


def test_what_the_state_does_not_allow_is_refused_on_either(either: Workspace) -> None:
    run = either.tracking.create_run("late")
    either.tracking.finish_run(run.id)
    with pytest.raises(Conflict):
        either.tracking.finish_run(run.id, "failed")


def test_the_virtual_clock_is_moved_on_either(either: Workspace) -> None:
    moment = either.clock.set("2013-03-01")
    assert either.clock.state() == (moment, False)


def test_a_remote_workspace_has_every_service_and_verb(remote: RemoteWorkspace) -> None:
    for room in SERVICES:
        for name in verbs_of(service_class(room)):
            assert callable(getattr(getattr(remote, room), name))


def test_what_is_no_service_or_verb_is_no_attribute(remote: RemoteWorkspace) -> None:
    with pytest.raises(AttributeError):
        _ = remote.database
    with pytest.raises(AttributeError, match="has no verb 'append'"):
        _ = remote.events.append


def test_too_many_arguments_are_refused_as_by_any_function(remote: RemoteWorkspace) -> None:
    with pytest.raises(TypeError, match="takes 1 arguments, 2 were given"):
        remote.tracking.get_run("a", "b")


def test_a_read_may_ask_for_more_than_an_address_holds(remote: RemoteWorkspace) -> None:
    ids = [f"prediction-{number}" for number in range(10_000)]
    assert remote.monitoring.truth_of("late", ids) == {}


def test_many_threads_may_use_a_remote_workspace(remote: RemoteWorkspace) -> None:
    threads = [threading.Thread(target=remote.tracking.create_run, args=[f"e{n}"]) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(remote.tracking.list_runs()) == 16


def test_damage_on_the_way_is_found_out(remote: RemoteWorkspace, workspace: Workspace) -> None:
    name = workspace.blobs.put(b"bytes")
    workspace.store.put(f"blobs/{name[:2]}/{name}", b"other")
    with pytest.raises(Corrupt):
        remote.blobs.get(name)
    with pytest.raises(Corrupt):
        remote.blobs.path(name)


def test_named_objects_are_read_and_not_written(remote: RemoteWorkspace, workspace: Workspace) -> None:
    workspace.store.put("deployments/late/manifest.json", b"{}")
    assert remote.store.get("deployments/late/manifest.json") == b"{}"
    assert [item.key for item in remote.store.list("deployments/")] == ["deployments/late/manifest.json"]
    assert remote.store.stat("deployments/late/manifest.json") == workspace.store.stat("deployments/late/manifest.json")
    assert remote.store.stat("deployments/late") is None
    with pytest.raises(InvalidInput):
        remote.store.put("deployments/late/manifest.json", b"x")
    with pytest.raises(InvalidInput):
        remote.store.delete("deployments/late/manifest.json")


@pytest.fixture
def answering() -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers whatever it is told to, then closes the connection."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answers.pop(0))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", answers
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize("kind", TREE)
def test_an_error_comes_back_as_its_own_class(kind: type[FlyballError], answering: tuple[str, list[bytes]]) -> None:
    url, answers = answering
    error = kind("Found this.", hint="Do that.", model="churn", version=3, message_of="x")
    answers.append(answer(400, to_json(error_to_plain(error))))
    with pytest.raises(kind) as caught:
        Connection(url).request("GET", "/")
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint, caught.value.facts) == (error.message, error.hint, error.facts)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"<html>nginx</html>", NotFound),
        (500, b"oops", FlyballError),
        (502, b"", FlyballError),
        (400, b"[]", FlyballError),
        (400, b'{"code": "invalid_input"}', FlyballError),
        (400, b'{"code": "of_a_later_release", "message": "x"}', FlyballError),
        (409, b'{"code": "gate_refused", "message": "x", "facts": null}', GateRefused),
        (400, b'{"code": "conflict", "message": "x", "facts": {"hint": 1, "message": 2, "a": 3}}', Conflict),
        (400, b'{"code": "conflict", "message": "x", "facts": [1]}', FlyballError),
        (400, b"\xff", FlyballError),
    ],
)
def test_an_odd_error_is_still_one_of_ours(
    status: int, body: bytes, kind: type[FlyballError], answering: tuple[str, list[bytes]]
) -> None:
    url, answers = answering
    answers.append(answer(status, body))
    with pytest.raises(kind):
        Connection(url).request("GET", "/")


def test_an_odd_answer_is_refused(answering: tuple[str, list[bytes]], tmp_path: Path) -> None:
    url, answers = answering
    remote = RemoteWorkspace(load_settings({"url": url}, environment={}, start=tmp_path))
    for body in (b"<html>", b'{"id": 3}', b""):
        answers.append(answer(200, body))
        with pytest.raises(InvalidInput):
            remote.tracking.get_run("x")


def test_no_server_is_told_with_its_address(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    remote = RemoteWorkspace(load_settings({"url": url}, environment={}, start=tmp_path))
    with pytest.raises(ServerUnreachable, match=url) as caught:
        remote.tracking.list_runs()
    assert "flyball up" in caught.value.hint


def test_a_server_that_is_silent_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimedOut, match=r"within 0\.1 seconds"):
            Connection(url).request("GET", "/", timeout=0.1)


def test_a_server_that_hangs_up_is_unreachable(answering: tuple[str, list[bytes]]) -> None:
    url, answers = answering
    answers.append(b"")
    with pytest.raises(ServerUnreachable):
        Connection(url).request("POST", "/", body=b"{}")


@pytest.mark.parametrize("url", ["http://", "http://[::", "http://host:many"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="is no address"):
        Connection(url).request("GET", "/")


def test_the_settings_say_which_workspace_is_opened(tmp_path: Path) -> None:
    local = open_workspace(load_settings(environment={}, start=tmp_path))
    remote = open_workspace(load_settings({"url": "http://team"}, environment={}, start=tmp_path))
    assert (type(local), type(remote)) == (Workspace, RemoteWorkspace)
    assert not (tmp_path / ".flyball").exists()
