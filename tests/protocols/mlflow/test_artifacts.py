"""Artifacts in MLflow's protocol: brought in a stream, fetched in parts, never shown, and no path climbs out."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from flyball.workspace import Workspace
from tests.servers.mlflow_api import NONE, Answer, Api

FILES = "/api/2.0/mlflow-artifacts/artifacts"
PARTS = "/api/2.0/mlflow-artifacts/mpu"
PAGE = b"<script>alert(1)</script>"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tried here does not depend on the database."""
    return sqlite_url


@pytest.fixture
def root(experiment: str, run: str) -> str:
    """The path of a run's artifacts."""
    return f"{experiment}/{run}/artifacts"


def put(api: Api, path: str, content: Any = b"x") -> int:
    return api.http.put(f"{FILES}/{path}", content=content).status_code


def listed(api: Api, **query: str) -> dict[str, Any]:
    found = api.http.get(FILES, params=query).json().get("files", [])
    return {one["path"]: None if one["is_dir"] else one.get("file_size", 0) for one in found}


def of_run(api: Api, run: str, **query: str) -> dict[str, Any]:
    found = api.get("artifacts/list", run_id=run, **query)
    return {one["path"]: None if one["is_dir"] else one.get("file_size", 0) for one in found.get("files", [])}


def incoming(workspace: Workspace) -> list[Any]:
    return [path for path in (workspace.settings.workspace / "incoming").rglob("*") if path.is_file()]


def test_a_file_goes_in_and_comes_out(api: Api, workspace: Workspace, run: str, root: str) -> None:
    for content in (b"first", b"second"):
        answer = api.http.put(f"{FILES}/{root}/sub/a.txt", content=content)
        assert (answer.status_code, answer.content) == (200, b"")
    answer = api.http.get(f"{FILES}/{root}/sub/a.txt")
    assert answer.content == b"second"
    assert answer.headers["content-length"] == "6"
    found = workspace.tracking.list_artifacts(run)
    assert [(one.name, one.size) for one in found] == [("sub/a.txt", 6)]
    assert workspace.blobs.get(found[0].digest) == b"second"


def test_a_large_file_goes_in_and_comes_out_in_pieces(api: Api, workspace: Workspace, root: str) -> None:
    content = bytes(range(256)) * 20_000

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    assert put(api, f"{root}/large.bin", pieces()) == 200
    assert api.http.get(f"{FILES}/{root}/large.bin").content == content
    assert incoming(workspace) == []


def test_a_file_may_be_empty(api: Api, run: str, root: str) -> None:
    assert put(api, f"{root}/empty.bin", b"") == 200
    assert api.http.get(f"{FILES}/{root}/empty.bin").content == b""
    files = api.get("artifacts/list", run_id=run)["files"]
    assert files == [{"path": "empty.bin", "is_dir": False}]


@pytest.mark.parametrize(
    ("asked", "status", "content", "place"),
    [
        ("bytes=1-3", 206, b"ell", "bytes 1-3/5"),
        ("bytes=3-", 206, b"lo", "bytes 3-4/5"),
        ("bytes=-2", 206, b"lo", "bytes 3-4/5"),
        ("bytes=9-", 416, None, "bytes */5"),
    ],
)
def test_a_file_comes_in_parts(api: Api, root: str, asked: str, status: int, content: bytes | None, place: str) -> None:
    put(api, f"{root}/a.txt", b"hello")
    answer = api.http.get(f"{FILES}/{root}/a.txt", headers={"range": asked})
    assert answer.status_code == status
    assert content is None or answer.content == content
    assert answer.headers["content-range"].removeprefix("bytes ").lstrip("*") in place
    assert api.http.get(f"{FILES}/{root}/a.txt").headers["accept-ranges"] == "bytes"


def test_a_part_is_only_given_of_the_same_file(api: Api, root: str) -> None:
    put(api, f"{root}/a.txt", b"hello")
    tag = api.http.get(f"{FILES}/{root}/a.txt").headers["etag"]
    asked = {"range": "bytes=0-0", "if-range": tag}
    assert api.http.get(f"{FILES}/{root}/a.txt", headers=asked).status_code == 206
    put(api, f"{root}/a.txt", b"other")
    changed = api.http.get(f"{FILES}/{root}/a.txt", headers=asked)
    assert (changed.status_code, changed.content) == (200, b"other")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("page.html", "application/octet-stream"),
        ("image.svg", "application/octet-stream"),
        ("feed.xml", "application/octet-stream"),
        ("code.js", "application/octet-stream"),
        ("paper.xhtml", "application/octet-stream"),
        ("plot.png", "image/png"),
        ("table.json", "text/plain"),
        ("MLmodel", "text/plain"),
        ("none", "application/octet-stream"),
    ],
)
def test_a_file_is_saved_and_never_shown(api: Api, run: str, root: str, name: str, kind: str) -> None:
    put(api, f"{root}/{name}", PAGE)
    for answer in (
        api.http.get(f"{FILES}/{root}/{name}"),
        api.http.head(f"{FILES}/{root}/{name}"),
        api.http.get("/get-artifact", params={"run_id": run, "path": name}),
        api.http.get(f"/ajax-api/2.0/mlflow-artifacts/artifacts/{root}/{name}"),
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f"attachment; filename={name}"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_names_come_back_as_they_are(api: Api, run: str, root: str) -> None:
    for name in ("größe.txt", "a b.txt", 'quo"te.txt', "100%.txt", "a+b&c=d.txt", "äöü"):
        path = httpx2.URL(f"http://x/{root}").copy_with(path=f"/{root}/{name}").raw_path.decode()[1:]
        assert put(api, path.replace("%25", "%2525")) == 200
    assert set(of_run(api, run)) == {"größe.txt", "a b.txt", 'quo"te.txt', "100%.txt", "a+b&c=d.txt", "äöü"}
    header = api.http.get("/get-artifact", params={"run_id": run, "path": "größe.txt"}).headers["content-disposition"]
    assert header == "attachment; filename=groe.txt; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"
    quoted = api.http.get("/get-artifact", params={"run_id": run, "path": 'quo"te.txt'}).headers["content-disposition"]
    assert quoted == 'attachment; filename="quo\\"te.txt"'


def test_names_with_percent_signs_come_back_as_they_are(api: Api, run: str, root: str) -> None:
    """As the clients name images: what follows a sign can look like the escape of a control character."""
    name = "dogs%step%3%timestamp%1795268481043%ab0b620f8%compressed.webp"
    path = f"{root}/images/{name.replace('%', '%25')}"
    assert put(api, path, b"image") == 200
    assert of_run(api, run, path="images") == {f"images/{name}": 5}
    assert api.http.get(f"{FILES}/{path}").content == b"image"
    assert api.http.get("/get-artifact", params={"run_id": run, "path": f"images/{name}"}).content == b"image"


def test_a_name_with_an_escape_is_found_by_what_it_reads_as(
    api: Api, workspace: Workspace, run: str, root: str
) -> None:
    workspace.tracking.log_artifact(run, "deep%2Fer/%41.txt", workspace.blobs.put(b"as it is"), 8)
    assert api.http.get(f"{FILES}/{root}/deep/er/A.txt").content == b"as it is"
    assert api.http.get(f"{FILES}/{root}/deep%252Fer/%2541.txt").content == b"as it is"
    assert put(api, f"{root}/deep/er/A.txt", b"another") == 200
    assert api.http.get(f"{FILES}/{root}/deep/er/A.txt").content == b"another"
    assert api.http.get(f"{FILES}/{root}/deep/er/B.txt").status_code == 404


def test_folders_are_listed(api: Api, run: str, root: str) -> None:
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt", "sub-x.txt", "subway/d.txt"):
        put(api, f"{root}/{name}", b"1234")
    assert listed(api, path=root) == {"a.txt": 4, "sub": None, "sub-x.txt": 4, "subway": None}
    assert listed(api, path=f"{root}/sub") == {"b.txt": 4, "deep": None}
    assert listed(api, path=f"{root}/sub/deep/") == {"c.txt": 4}
    assert of_run(api, run) == {"a.txt": 4, "sub": None, "sub-x.txt": 4, "subway": None}
    assert of_run(api, run, path="sub") == {"sub/b.txt": 4, "sub/deep": None}
    assert of_run(api, run, path="sub/deep") == {"sub/deep/c.txt": 4}
    for nothing in ("a.txt", "none", "su"):
        assert listed(api, path=f"{root}/{nothing}") == {}
        assert of_run(api, run, path=nothing) == {}
    assert api.get("artifacts/list", run_id=run)["root_uri"] == f"mlflow-artifacts:/{root}"


def test_files_and_folders_are_deleted(api: Api, run: str, root: str) -> None:
    for name in ("a.txt", "ab.txt", "sub/b.txt", "sub/deep/c.txt", "subway/d.txt"):
        put(api, f"{root}/{name}")
    for name in ("a.txt", "sub/deep", "none"):
        answer = api.http.delete(f"{FILES}/{root}/{name}")
        assert (answer.status_code, answer.json()) == (200, {})
    assert of_run(api, run) == {"ab.txt": 1, "sub": None, "subway": None}
    assert of_run(api, run, path="sub") == {"sub/b.txt": 1}


def test_what_is_not_there_is_told(api: Api, run: str, root: str) -> None:
    put(api, f"{root}/sub/a.txt")
    missing = api.http.get(f"{FILES}/{root}/none.txt")
    assert missing.status_code == 404
    assert missing.json() == {
        "error_code": "RESOURCE_DOES_NOT_EXIST",
        "message": f"No such artifact: '{root}/none.txt'",
    }
    folder = api.http.get(f"{FILES}/{root}/sub")
    assert (folder.status_code, folder.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "refers to a directory" in folder.json()["message"]
    for query, status in (({"run_id": NONE, "path": "a"}, 404), ({"run_id": run}, 400), ({"path": "a"}, 400)):
        assert api.http.get("/get-artifact", params=query).status_code == status
    assert put(api, f"{root}/sub/") == 400
    assert put(api, root) == 400


def test_nothing_is_a_file_and_a_folder(api: Api, run: str, root: str) -> None:
    put(api, f"{root}/sub/a.txt")
    for path in ("sub", "sub/a.txt/b", "sub/a.txt/b/c"):
        assert put(api, f"{root}/{path}") == 400
    for path in ("sub/a.txt", "sub/b/c.txt", "su", "sub.txt"):
        assert put(api, f"{root}/{path}") == 200
    assert of_run(api, run) == {"su": 1, "sub": None, "sub.txt": 1}


def test_files_of_no_run_are_kept_as_well(api: Api, experiment: str) -> None:
    """Those of logged models, of traces, and whatever else a client brings."""
    for folder in (
        f"{experiment}/models/m-1/artifacts",
        f"{experiment}/traces/tr-1/artifacts",
        f"{experiment}/{NONE}/artifacts",
    ):
        assert put(api, f"{folder}/data/model.bin", b"1234") == 200
        assert api.http.get(f"{FILES}/{folder}/data/model.bin").content == b"1234"
        assert listed(api, path=folder) == {"data": None}
        assert listed(api, path=f"{folder}/data") == {"model.bin": 4}
        assert api.http.delete(f"{FILES}/{folder}").status_code == 200
        assert listed(api, path=folder) == {}
    assert put(api, "loose.txt") == 200
    assert listed(api) == {"loose.txt": 1}


def test_an_experiment_can_have_a_place_of_its_own(api: Api, workspace: Workspace) -> None:
    experiment = api.experiment("own", artifact_location="mlflow-artifacts:/my/artifacts/place")
    run = api.run(experiment)
    assert put(api, f"my/artifacts/place/{run}/artifacts/a.txt", b"mine") == 200
    assert of_run(api, run) == {"a.txt": 4}
    assert [one.name for one in workspace.tracking.list_artifacts(run)] == ["a.txt"]


def test_files_that_are_kept_elsewhere_are_not_asked_for(api: Api) -> None:
    run = api.run(api.experiment("elsewhere", artifact_location="s3://bucket/path"))
    status, code, message = api.refused("artifacts/list", "GET", run_id=run)
    assert (status, code) == (501, "NOT_IMPLEMENTED")
    assert "s3://bucket/path" in message


CLIMBING = [
    "../x",
    "a/../../x",
    "%2e%2e/x",
    "%2e%2e%2fx",
    "..%2fx",
    "%252e%252e/x",
    "%252e%252e%252fx",
    "%25252e%25252e/x",
    "..%5cx",
    "..%255cx",
    "a%5c..%5cx",
    "a%00b",
    "a%0ab",
    "a%2500b",
    "a%23b",
    "%E2%80%AEx",
    "a/..",
]
ABSOLUTE = ["/etc/passwd", "%2fetc/passwd", "%252fetc/passwd", "C:/x", "C%3a/x", "file:%2f%2f/etc/passwd", "file:/x"]


def ask(api: Api, method: str, address: str, body: bytes = b"x") -> int:
    """The status of what is asked for as it is written: other clients tidy a path up before they ask."""
    url = api.http.base_url
    connection = http.client.HTTPConnection(url.host, url.port or 80)
    try:
        connection.request(method, address, body, {"content-type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_climbs_out(api: Api, workspace: Workspace, run: str, root: str, path: str) -> None:
    for base in (f"{FILES}/{root}/", f"{FILES}/{root}/sub/", f"{FILES}/"):
        assert ask(api, "PUT", base + path) in (400, 404)
        assert ask(api, "GET", base + path) in (400, 404)
        assert ask(api, "DELETE", base + path) in (400, 404)
    assert ask(api, "GET", f"{FILES}?path={path}") == 400
    assert ask(api, "GET", f"{FILES}?path={root}/{path}") == 400
    for step in ("create", "complete", "abort"):
        body = b'{"path": "x", "upload_id": "%s", "parts": [], "num_parts": 1}' % (b"0" * 32)
        assert ask(api, "POST", f"{PARTS}/{step}/{root}/{path}", body) in (400, 404)
    assert of_run(api, run) == {}
    assert list(workspace.root.rglob("x")) == []


@pytest.mark.parametrize("path", ABSOLUTE)
def test_no_path_is_absolute(api: Api, workspace: Workspace, run: str, root: str, path: str) -> None:
    assert ask(api, "PUT", f"{FILES}/{path}") == 400
    assert ask(api, "GET", f"{FILES}/{path}") == 400
    assert ask(api, "DELETE", f"{FILES}/{path}") == 400
    # Below a run it is a name as any other, and stays there.
    ask(api, "PUT", f"{FILES}/{root}/{path}")
    assert all(name.partition("/")[0] in ("etc", "C:", "file:") for name in of_run(api, run))
    assert list(workspace.root.rglob("x")) == []


@pytest.mark.parametrize(
    "path", ["../x", "..%2Fx", "/etc/passwd", "a\\..\\b", "a\0b", "a#b", "%252e%252e/x", "file:///x"]
)
def test_no_path_of_a_query_climbs_out(api: Api, run: str, path: str) -> None:
    model = api.post("logged-models", experiment_id="0", name="m")["model"]["info"]["model_id"]
    for address, query in (
        ("/get-artifact", {"run_id": run, "path": path}),
        ("/api/2.0/mlflow/artifacts/list", {"run_id": run, "path": path}),
        (f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files", {"artifact_file_path": path}),
        (f"/api/2.0/mlflow/logged-models/{model}/artifacts/directories", {"artifact_directory_path": path}),
    ):
        answer = api.http.get(address, params=query)
        assert (answer.status_code, answer.json()["message"]) == (400, "Invalid path")
    upload = api.http.post("/ajax-api/2.0/mlflow/upload-artifact", params={"run_id": run, "path": path}, content=b"x")
    assert (upload.status_code, upload.json()["message"]) == (400, "Invalid path")


def test_the_page_brings_small_files(api: Api, workspace: Workspace, run: str) -> None:
    address = "/ajax-api/2.0/mlflow/upload-artifact"
    answer = api.http.post(address, params={"run_id": run, "path": "up/x.txt"}, content=b"upped")
    assert (answer.status_code, answer.content) == (200, b"")
    assert of_run(api, run, path="up") == {"up/x.txt": 5}
    for query, content, message in (
        ({"path": "x"}, b"x", "Request must specify run_id or run_uuid."),
        ({"run_id": run}, b"x", "Request must specify path."),
        ({"run_id": run, "path": "x"}, b"", "Request must specify data."),
        ({"run_id": run, "path": "x"}, b"x" * (10 << 20) + b"x", "Artifact size is too large. Max size is 10MB."),
        ({"run_id": NONE, "path": "x"}, b"x", f"Run with id={NONE} not found"),
    ):
        assert api.http.post(address, params=query, content=content).json()["message"] == message

    def endless() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * (1 << 20)

    answer = api.http.post(address, params={"run_id": run, "path": "x"}, content=endless())
    assert answer.json()["message"] == "Artifact size is too large. Max size is 10MB."
    assert incoming(workspace) == []


# Large files in parts


def create(api: Api, root: str, parts: int = 2) -> Answer:
    answer = api.http.post(f"{PARTS}/create/{root}/sub", json={"path": "large.bin", "num_parts": parts})
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def test_a_file_comes_in_parts_of_its_own(api: Api, workspace: Workspace, run: str, root: str) -> None:
    made = create(api, root, 3)
    assert [one["part_number"] for one in made["credentials"]] == [1, 2, 3]
    content = [bytes([number]) * (1_500_000 // number) for number in (1, 2, 3)]
    parts = []
    for one in reversed(made["credentials"]):
        answer = httpx2.put(one["url"], content=content[one["part_number"] - 1], headers=one["headers"])
        parts.append({"part_number": one["part_number"], "etag": answer.headers["etag"]})
    body = {"path": "large.bin", "upload_id": made["upload_id"], "parts": parts}
    answer = api.http.post(f"{PARTS}/complete/{root}/sub", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.http.get(f"{FILES}/{root}/sub/large.bin").content == b"".join(content)
    assert of_run(api, run, path="sub") == {"sub/large.bin": sum(map(len, content))}
    assert incoming(workspace) == []
    again = api.http.post(f"{PARTS}/complete/{root}/sub", json=body)
    assert (again.status_code, again.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_parts_are_forgotten_when_they_are_not_wanted(api: Api, workspace: Workspace, run: str, root: str) -> None:
    made = create(api, root)
    httpx2.put(made["credentials"][0]["url"], content=b"x")
    body = {"path": "large.bin", "upload_id": made["upload_id"]}
    assert api.http.post(f"{PARTS}/abort/{root}/sub", json=body).json() == {}
    assert incoming(workspace) == []
    assert httpx2.put(made["credentials"][0]["url"], content=b"x").status_code == 404
    assert of_run(api, run) == {}


def test_parts_that_do_not_fit_are_refused(api: Api, run: str, root: str) -> None:
    made = create(api, root)
    url = made["credentials"][0]["url"]
    tag = httpx2.put(url, content=b"x").headers["etag"]
    body = {"path": "large.bin", "upload_id": made["upload_id"], "parts": [{"part_number": 1, "etag": tag}]}
    wrongs: list[Answer] = [
        {"parts": []},
        {"parts": [{"part_number": 2, "etag": tag}]},
        {"parts": [{"part_number": 1, "etag": "../place"}]},
        {"path": "other.bin"},
        {"upload_id": "../../x"},
    ]
    for wrong in wrongs:
        assert api.http.post(f"{PARTS}/complete/{root}/sub", json={**body, **wrong}).status_code == 400
    for number in ("0", "10001", "x", "-1"):
        assert httpx2.put(url.rpartition("/")[0] + f"/{number}", content=b"x").status_code == 400
    assert api.http.post(f"{PARTS}/create/{root}", json={"path": "x", "num_parts": 10_001}).status_code == 400
    assert of_run(api, run) == {}


def test_nobody_is_sent_to_another_store(api: Api, run: str, root: str) -> None:
    presigned = api.http.get(f"/api/2.0/mlflow-artifacts/presigned/{root}/a.txt")
    assert presigned.status_code == 501
    assert presigned.json()["message"] == "Multipart download is not supported for the current artifact repository"
    for path in ("artifacts/presigned-upload-url", "artifacts/presigned-download-url"):
        assert "not supported for" in api.refused(path, run_id=run, path="x")[2]
    both = api.refused("artifacts/presigned-upload-url", run_id=run, model_id="m", path="x")
    assert both[2] == "Exactly one of run_id and model_id must be provided."
