"""Artifacts as MLflow's clients bring, list, fetch and delete them; and their files over the addresses of its page."""

from __future__ import annotations

import mimetypes
import posixpath
import unicodedata
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response

from flyball.errors import InvalidInput
from flyball.server import incoming
from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow._places import (
    Place,
    check_writable,
    delete_files,
    find_file,
    find_place,
    keep_file,
    known_place,
    list_entries,
    note_file,
)
from flyball.server.protocols.mlflow.conversions import (
    artifact_uri,
    check_active,
    experiment_by_id,
    experiment_of,
    model_uri,
    run_by_id,
)
from flyball.server.protocols.mlflow.wire import MlflowError, Request, endpoint
from flyball.workspace import Workspace

_LARGEST_OF_PAGE = 10 << 20
_READ_AT_ONCE = 1 << 20
_BYTES = "application/octet-stream"
# Text is shown as text whatever it is; what a browser would run is handed out as bytes.
_TEXT_ENDS = "txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml json py py3 csv tsv md rst ipynb"
_TEXTS = frozenset(f".{end}" for end in _TEXT_ENDS.split())
_TEXT_NAMES = frozenset({"MLmodel", "MLproject"})
_HARMLESS = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/x-wav", "video/mp4"})


class ListFiles(msgspec.Struct):
    """Which folder is asked for."""

    path: str = ""


class ListRunFiles(msgspec.Struct):
    """Which folder of which run is asked for."""

    run_id: str = ""
    run_uuid: str = ""
    path: str = ""


class RunFile(msgspec.Struct):
    """Which file of which run is asked for, or brought."""

    run_id: str = ""
    run_uuid: str = ""
    path: str = ""


class ModelFile(msgspec.Struct):
    """Which file of a logged model is asked for."""

    artifact_file_path: str = ""
    presigned: str = ""


class PresignRun(msgspec.Struct):
    """What is to be fetched without us."""

    run_id: str
    path: str
    expiration: int = 900


class PresignUpload(msgspec.Struct):
    """What is to be brought without us."""

    path: str
    run_id: str = ""
    model_id: str = ""


class _LargeFile(FileResponse):
    """A file that is read in larger pieces, since each of them is read by a thread."""

    chunk_size = 1 << 20


@endpoint("PUT", "mlflow-artifacts/artifacts/{path:path}")
async def upload(workspace: Workspace, path: str, request: Request) -> Response:
    """Keeps a file; one of the same name is replaced."""
    if path.endswith("/"):
        raise MlflowError("Artifact path must include a filename (cannot end with '/').")
    place = known_place(workspace, path)
    if place is None:
        place = await run_in_threadpool(find_place, workspace, path)
    check_writable(place)
    digest, size = await receive(workspace, request)
    await note_file(workspace, place, digest, size)
    return Response()


@endpoint("GET HEAD", "mlflow-artifacts/artifacts/{path:path}")
def download(workspace: Workspace, path: str, request: Request) -> Response:
    """A file, or a part of it."""
    return file_response(workspace, find_place(workspace, path), whole="range" not in request.headers)


@endpoint("DELETE", "mlflow-artifacts/artifacts/{path:path}")
def delete(workspace: Workspace, path: str) -> None:
    """Removes a file, or all that stands in a folder."""
    delete_files(workspace, find_place(workspace, path))


@endpoint("GET", "mlflow-artifacts/artifacts")
def list_files(workspace: Workspace, given: ListFiles) -> dict[str, Any]:
    """What stands in a folder."""
    found = _entries(workspace, find_place(workspace, given.path), "")
    return {"files": found} if found else {}


@endpoint("GET", "mlflow/artifacts/list")
def list_run_files(workspace: Workspace, given: ListRunFiles) -> dict[str, Any]:
    """What stands in a folder of a run's artifacts."""
    run = run_by_id(workspace, given.run_id or given.run_uuid or _no_run_given())
    return listing(workspace, artifact_uri(experiment_of(workspace, run), run.id), given.path)


@endpoint("GET HEAD", "/get-artifact")
def get_artifact(workspace: Workspace, given: RunFile) -> Response:
    """A file of a run, as MLflow's page asks for it."""
    if not given.path:
        raise MlflowError("Request must specify path.", "BAD_REQUEST")
    path = _checks.check_path(given.path)
    run = run_by_id(workspace, given.run_id or given.run_uuid or _no_run_given())
    return file_response(workspace, _inside(workspace, artifact_uri(experiment_of(workspace, run), run.id), path))


@endpoint("POST", "/ajax-api/2.0/mlflow/upload-artifact")
async def upload_artifact(workspace: Workspace, request: Request) -> Response:
    """Keeps a small file of a run, as MLflow's page brings it."""
    query = request.query_params
    run, path = query.get("run_id") or query.get("run_uuid") or "", query.get("path") or ""
    for what, given in (("run_id or run_uuid", run), ("path", path)):
        if not given:
            raise MlflowError(f"Request must specify {what}.")
    path = _checks.check_path(path)
    if int(request.headers.get("content-length") or 0) > _LARGEST_OF_PAGE:
        raise _too_large()
    place = await run_in_threadpool(_place_in_run, workspace, run, path)
    digest, size = await receive(workspace, request, most=_LARGEST_OF_PAGE)
    if not size:
        raise MlflowError("Request must specify data.")
    await run_in_threadpool(keep_file, workspace, place, digest, size)
    return Response(media_type="application/json")


@endpoint("GET HEAD", "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files")
def get_model_file(workspace: Workspace, given: ModelFile, model_id: str) -> Response:
    """A file of a logged model, as MLflow's page asks for it."""
    if not given.artifact_file_path:
        raise MlflowError('Request must include the "artifact_file_path" query parameter.', "BAD_REQUEST")
    path = _checks.check_path(given.artifact_file_path)
    model = workspace.logged_models.get(model_id)
    uri = model_uri(experiment_by_id(workspace, model.experiment), model.id)
    if given.presigned == "true":
        raise MlflowError("Presigned download is not supported for the current artifact repository", "NOT_IMPLEMENTED")
    return file_response(workspace, _inside(workspace, uri, path))


@endpoint("GET", "mlflow-artifacts/presigned/{path:path}")
def presign(workspace: Workspace, path: str) -> None:
    """Says that files are fetched here."""
    _checks.check_path(path)
    raise MlflowError("Multipart download is not supported for the current artifact repository", "NOT_IMPLEMENTED")


@endpoint("POST", "mlflow/artifacts/presigned-download-url")
def presign_download(workspace: Workspace, given: PresignRun) -> None:
    """Says that files of runs are fetched here."""
    _checks.check_path(given.path)
    if not 1 <= given.expiration <= 604_800:
        raise MlflowError(f"expiration must be between 1 and 604800 seconds (got {given.expiration}).")
    run = run_by_id(workspace, given.run_id)
    scheme = urlsplit(artifact_uri(experiment_of(workspace, run), run.id)).scheme
    raise MlflowError(
        f"Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: {scheme})."
        " This endpoint requires a run with a direct cloud storage artifact URI."
    )


@endpoint("POST", "mlflow/artifacts/presigned-upload-url")
def presign_upload(workspace: Workspace, given: PresignUpload) -> None:
    """Says that files are brought here."""
    if bool(given.run_id) == bool(given.model_id):
        raise MlflowError("Exactly one of run_id and model_id must be provided.")
    _checks.check_path(given.path)
    if given.run_id:
        run = run_by_id(workspace, given.run_id)
        uri = artifact_uri(experiment_of(workspace, run), run.id)
    else:
        model = workspace.logged_models.get(given.model_id)
        uri = model_uri(experiment_by_id(workspace, model.experiment), model.id)
    raise MlflowError(
        f"Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {urlsplit(uri).scheme})."
        " This endpoint requires a direct cloud storage artifact URI."
    )


def listing(workspace: Workspace, uri: str, path: str) -> dict[str, Any]:
    """What stands in a folder below the address of a run's or a model's files, named from there."""
    path = _checks.check_path(path)
    found = _entries(workspace, _inside(workspace, uri, path), path)
    return {"root_uri": uri, "files": found} if found else {"root_uri": uri}


def file_response(workspace: Workspace, place: Place, *, whole: bool = False) -> Response:
    """The file that stands there, whole or in part, always to be saved and never to be shown.

    Args:
        whole: Whether all of it is known to be wanted.
    """
    file = find_file(workspace, place)
    name = posixpath.basename(place.path)
    # The type stands among the headers, where nobody adds a character set that we do not know.
    headers = {"content-disposition": attachment(name), "content-type": media_type(name)}
    if file.digest:
        headers["etag"] = f'"{file.digest}"'
        blob = workspace.blobs.path(file.digest)
        if whole and file.size <= _READ_AT_ONCE:
            # This is a thread already: to read it piece by piece would take four more.
            return Response(blob.read_bytes(), headers={**headers, "accept-ranges": "bytes"})
        return _LargeFile(blob, headers=headers)
    return Response(file.data, headers=headers)


async def receive(workspace: Workspace, request: Request, *, most: int = 0) -> tuple[str, int]:
    """Keeps the body as a blob; gives its digest and size."""
    try:
        return await incoming.receive(workspace, request, most=most)
    except InvalidInput as error:
        raise _too_large() from error
    except ClientDisconnect as error:
        raise MlflowError("The file did not arrive as a whole.", "BAD_REQUEST") from error


def attachment(name: str) -> str:
    """The header that lets a browser save a file under its name."""
    token = (
        name if name.isascii() else unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "download"
    )
    plain = all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in token)
    shown = token if plain else '"' + token.replace("\\", "\\\\").replace('"', '\\"') + '"'
    tail = "" if name.isascii() else f"; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"
    return f"attachment; filename={shown}{tail}"


def media_type(name: str) -> str:
    """What a file is, as far as that cannot make a browser run it."""
    if name in _TEXT_NAMES or posixpath.splitext(name)[1].lower() in _TEXTS:
        return "text/plain"
    found = mimetypes.guess_type(name)[0]
    return found if found in _HARMLESS else _BYTES


def _entries(workspace: Workspace, place: Place, prefix: str) -> list[dict[str, Any]]:
    found = []
    for entry in list_entries(workspace, place):
        name = f"{prefix.rstrip('/')}/{entry.name}" if prefix else entry.name
        line = {"path": name, "is_dir": entry.is_folder}
        found.append({**line, "file_size": entry.size} if entry.size else line)
    return found


def _inside(workspace: Workspace, uri: str, path: str) -> Place:
    """The place of a path below the address of a run's or a model's files."""
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts":
        raise MlflowError(f"These files are kept at {uri[:300]}, not by this server.", "NOT_IMPLEMENTED")
    return find_place(workspace, f"{parts.path.strip('/')}/{path}".rstrip("/"))


def _place_in_run(workspace: Workspace, run: str, path: str) -> Place:
    found = check_active(run_by_id(workspace, run))
    return _inside(workspace, artifact_uri(experiment_of(workspace, found), run), path)


def _too_large() -> MlflowError:
    return MlflowError("Artifact size is too large. Max size is 10MB.")


def _no_run_given() -> str:
    raise _checks.missing("run_id")
