"""Nobody wears the server out: bodies, depth, heads, slow senders, patterns and pages all have an end."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.conftest import Target

PATHS = ["/api/tracking/create_run", "/api/2.0/mlflow/runs/log-batch", "/api/v1/lineage", "/api/catalog/search"]


def is_alive(target: Target) -> bool:
    return target.ask("GET", "/health").status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'[{"a":'])
def test_deep_json_is_refused(target: Target, path: str, bracket: bytes) -> None:
    began = time.monotonic()
    answer = target.ask("POST", path, bracket * 100_000)
    assert 400 <= answer.status < 500, answer
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("path", PATHS)
def test_odd_numbers_and_texts_are_refused_or_kept(target: Target, path: str) -> None:
    for body in (
        b"1e999999",
        b"[1" + b"0" * 100_000 + b"]",
        b'{"a":"' + b"\\ud800" * 10 + b'"}',
        b"\xff\xfe",
        b"",
        b"null",
        b'"' + b"x" * 10**6 + b'"',
    ):
        assert target.ask("POST", path, body).status < 500, body[:20]


def test_a_head_without_an_end_is_cut_off(target: Target) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for _ in range(2000):
                connection.sendall(b"X-Fill: " + b"x" * 1000 + b"\r\n")
            connection.sendall(b"\r\n")
            answer = connection.recv(100)
        except OSError:
            answer = b"cut"
    assert answer in (b"", b"cut") or answer.startswith((b"HTTP/1.1 4",)), answer
    assert is_alive(target)


def test_a_length_that_is_claimed_and_not_sent_holds_nobody_up(target: Target) -> None:
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", target.port), timeout=20)
        connection.sendall(
            b"POST /api/tracking/create_run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"
        )
        slow.append(connection)
    try:
        began = time.monotonic()
        assert is_alive(target)
        answer = target.ask("POST", "/api/tracking/create_run", json.dumps({"experiment": "beside"}).encode())
        assert answer.status == 200
        assert time.monotonic() - began < 10
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999", "0x10", "1,2", " "])
def test_a_length_that_is_none_is_refused(target: Target, length: str) -> None:
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as connection:
        head = f"POST /api/tracking/create_run HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\nConnection: close\r\n"
        asked = f"{head}Content-Length: {length}\r\n\r\n{{}}"
        connection.sendall(asked.encode())
        answer = connection.recv(200)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    assert is_alive(target)


LENGTHS = [
    "Content-Length: 0\r\nContent-Length: 5", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: xchunked",
]  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS, ids=range(len(LENGTHS)))
def test_two_lengths_are_not_two_requests(target: Target, length: str) -> None:
    """Where a proxy in front reads one length and we another, somebody's second request would be another one's."""
    body = '{"experiment":"smuggled"}'
    inner = f"POST /api/tracking/create_run HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    outer = f"POST /api/tracking/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as connection:
        # Whoever takes the wrong length for the right one reads what follows as a request of its own.
        connection.sendall(outer.encode() + inner.encode())
        connection.settimeout(2)
        answers = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                answers += piece
    assert b"HTTP/1.1 200" not in answers
    assert "smuggled" not in [experiment.name for experiment in target.workspace.experiments.list(limit=1000)]
    assert is_alive(target)


TRAPS = [
    "(" * 5000 + "a" + ")" * 5000, "not " * 5000 + "params.a = '1'", " and ".join(["params.a = '1'"] * 5000),
    "params.a like '" + "%a" * 2000 + "'",
    "params.a = '" + "\\" * 5001, "tags." + "`" * 3001, "metrics." + "a" * 100_000 + " > 1", "params.a rlike '(a+)+$'", "'" * 3001,
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=range(len(TRAPS)))
def test_no_filter_is_a_trap(target: Target, trap: str) -> None:
    began = time.monotonic()
    answer = target.ask(
        "POST", "/api/2.0/mlflow/runs/search", json.dumps({"experiment_ids": ["0"], "filter": trap}).encode()
    )
    assert answer.status < 500, answer
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("limit", [0, -1, 10**6, 10**18])
def test_no_page_is_without_an_end(target: Target, limit: int) -> None:
    for path in (
        f"/api/events/list?limit={limit}",
        f"/api/experiments/list?limit={limit}",
        f"/api/tracking/list_runs?limit={limit}",
    ):
        answer = target.ask("GET", path)
        assert answer.status < 500
        if answer.status == 200:
            assert len(json.loads(answer.body)) <= 10_000


def test_many_at_once_are_answered_or_told_to_wait(target: Target) -> None:
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda _: target.ask("GET", "/api/experiments/list").status, range(200)))
    assert statuses <= {200, 429}


def test_an_archive_is_bytes_and_is_never_unpacked(target: Target) -> None:
    import io
    import tarfile
    import zipfile

    slip = io.BytesIO()
    with zipfile.ZipFile(slip, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("../../../slipped.txt", "slipped")
        made.writestr("bomb", b"\0" * (50 << 20))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as packed:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
        packed.addfile(tarfile.TarInfo("../../slipped.txt"))
    for name, data in (("x.zip", slip.getvalue()), ("x.tar.gz", tar.getvalue())):
        path = f"/api/2.0/mlflow-artifacts/artifacts/{target.run}/artifacts/{name}"
        assert target.ask("PUT", path, data).status == 200
        assert target.ask("GET", path).body == data
    assert list(target.outside.parent.rglob("slipped*")) == []
    assert list(target.outside.parent.rglob("bomb")) == []
