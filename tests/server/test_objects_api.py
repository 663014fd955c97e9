"""Bytes go in under their own digest only, and come out as bytes, never as something a browser would run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from blockbuster import BlockBuster
from starlette.applications import Starlette
from starlette.testclient import TestClient

from flyball.serialization import digest
from flyball.server.app import create_app
from flyball.workspace import Workspace

PAGE = b"<script>alert(1)</script>"
NONE = "0" * 64


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tried here does not depend on the database."""
    return sqlite_url


def incoming(workspace: Workspace) -> list[Path]:
    return list((workspace.settings.workspace / "incoming").glob("*"))


def test_a_blob_goes_in_and_comes_out(http: TestClient, workspace: Workspace) -> None:
    name = digest(PAGE)
    answer = http.put(f"/blobs/{name}", content=PAGE)
    assert answer.status_code == 201
    assert answer.json() == {"digest": name}
    assert workspace.blobs.get(name) == PAGE
    assert http.get(f"/blobs/{name}").content == PAGE
    assert incoming(workspace) == []


def test_a_blob_comes_out_as_bytes(http: TestClient, workspace: Workspace) -> None:
    name = workspace.blobs.put(PAGE)
    for path in (f"/blobs/{name}", f"/objects/blobs/{name[:2]}/{name}"):
        for method in ("GET", "HEAD"):
            headers = http.request(method, path).headers
            assert headers["content-type"] == "application/octet-stream"
            assert headers["content-disposition"] == "attachment"
            assert headers["content-length"] == str(len(PAGE))


def test_a_large_blob_goes_in_and_comes_out_in_pieces(http: TestClient) -> None:
    content = bytes(range(256)) * 20_000

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    assert http.put(f"/blobs/{digest(content)}", content=pieces()).status_code == 201
    assert http.get(f"/blobs/{digest(content)}").content == content


def test_a_blob_may_be_empty(http: TestClient) -> None:
    assert http.put(f"/blobs/{digest(b'')}", content=b"").status_code == 201
    assert http.get(f"/blobs/{digest(b'')}").content == b""


def test_bytes_under_a_foreign_digest_are_refused(http: TestClient, workspace: Workspace) -> None:
    answer = http.put(f"/blobs/{NONE}", content=PAGE)
    assert answer.status_code == 400
    assert "have the digest" in answer.json()["message"]
    assert not workspace.blobs.has(NONE)
    assert incoming(workspace) == []


@pytest.mark.parametrize("name", ["abc", "A" * 64, "%2e%2e", "g" * 64, f"{NONE}%0a", f"{NONE}%00"])
def test_what_is_no_digest_is_refused(http: TestClient, name: str) -> None:
    assert http.get(f"/blobs/{name}").status_code in (400, 404)
    assert http.put(f"/blobs/{name}", content=b"").status_code in (400, 404, 405)


def test_what_is_not_kept_is_not_found(http: TestClient) -> None:
    for path in (f"/blobs/{NONE}", "/objects/deployments/none/manifest.json", "/objects/blobs"):
        for method in ("GET", "HEAD"):
            assert http.request(method, path).status_code == 404


def test_an_object_is_read_with_its_etag(http: TestClient, workspace: Workspace) -> None:
    workspace.store.put("deployments/late/manifest.json", b"{}")
    answer = http.get("/objects/deployments/late/manifest.json")
    found = workspace.store.stat("deployments/late/manifest.json")
    assert found is not None
    assert answer.content == b"{}"
    assert answer.headers["etag"] == f'"{found.etag}"'


def test_objects_are_listed(http: TestClient, workspace: Workspace) -> None:
    for key in ("predictions/late/b", "predictions/late/a", "other"):
        workspace.store.put(key, b"1")
    found = http.get("/objects", params={"prefix": "predictions/"}).json()
    assert [item["key"] for item in found] == ["predictions/late/a", "predictions/late/b"]
    assert len(http.get("/objects").json()) == 3


@pytest.mark.parametrize(
    "key",
    [
        "../flyball.db",
        "%2e%2e/flyball.db",
        "%2e%2e%2fflyball.db",
        "..%2fflyball.db",
        "a/../../flyball.db",
        "%252e%252e/flyball.db",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "..\\flyball.db",
        ".fresh/x",
        "a%00b",
        "a%0ab",
        "",
    ],
)
def test_no_key_climbs_out(http: TestClient, workspace: Workspace, key: str) -> None:
    assert workspace.events.list() == []
    answer = http.get(f"/objects/{key}")
    assert answer.status_code in (400, 404)
    assert b"SQLite" not in answer.content


@pytest.mark.parametrize("prefix", ["..", "../", "/etc/", "a/../../", ".fresh/", "\0"])
def test_no_prefix_climbs_out(http: TestClient, prefix: str) -> None:
    assert http.get("/objects", params={"prefix": prefix}).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_named_objects_cannot_be_changed_from_outside(http: TestClient, workspace: Workspace, method: str) -> None:
    workspace.store.put("deployments/late/manifest.json", b"{}")
    assert http.request(method, "/objects/deployments/late/manifest.json", content=b"x").status_code == 405
    assert http.request(method, "/objects", content=b"x").status_code == 405
    assert workspace.store.get("deployments/late/manifest.json") == b"{}"


@pytest.fixture
def app(workspace: Workspace) -> Starlette:
    """The application, made before anybody watches."""
    return create_app(workspace)


@pytest.mark.anyio
async def test_bytes_do_not_hold_up_other_requests(
    app: Starlette, shown: dict[str, str], no_blocking_calls: BlockBuster
) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=shown) as http:
        assert (await http.put(f"/blobs/{digest(PAGE)}", content=PAGE)).status_code == 201
        assert (await http.get(f"/blobs/{digest(PAGE)}")).content == PAGE
        assert (await http.head(f"/blobs/{digest(PAGE)}")).status_code == 200
        assert (await http.get("/objects?prefix=blobs/")).status_code == 200
        assert (await http.get("/api/tracking/list_runs")).status_code == 200
        assert (await http.get("/health")).status_code == 200
