"""Large files in parts, as clients bring them that are told to: several at a time, each again if it got lost."""

from __future__ import annotations

import ntpath
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flyball.server.incoming import fresh_file
from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow._places import Place, check_writable, find_place, keep_file
from flyball.server.protocols.mlflow.wire import MlflowError, Request, endpoint
from flyball.storage.objects import digest_file
from flyball.workspace import Workspace

MOST_PARTS = 10_000
KEPT_SECONDS = 7 * 24 * 3600
"""How long parts wait for the rest."""

_ID = re.compile(r"[0-9a-f]{32}")
_PIECE = 1 << 20


class CreateUpload(msgspec.Struct):
    """What is to be brought."""

    path: str
    num_parts: int = 1


class Part(msgspec.Struct):
    """A part that was brought."""

    part_number: int = 0
    etag: str = ""


class CompleteUpload(msgspec.Struct):
    """What was brought."""

    path: str
    upload_id: str
    parts: list[Part]


class AbortUpload(msgspec.Struct):
    """What is not brought any more."""

    path: str
    upload_id: str


@endpoint("POST", "mlflow-artifacts/mpu/create/{path:path}")
def create_upload(workspace: Workspace, given: CreateUpload, path: str, request: Request) -> dict[str, Any]:
    """Begins an upload; gives the address of each part."""
    if not 1 <= given.num_parts <= MOST_PARTS:
        raise _checks.invalid("num_parts", given.num_parts, f"An upload has 1 to {MOST_PARTS} parts.")
    place = _place(workspace, path, given.path)
    upload = secrets.token_hex(16)
    _forget_old(workspace)
    folder = _folder(workspace, upload)
    folder.mkdir(parents=True)
    (folder / "place").write_text(place.path, encoding="utf-8")
    base = f"{request.url.scheme}://{request.url.netloc}/api/2.0/mlflow-artifacts/mpu/part/{upload}"
    parts = [{"url": f"{base}/{n}", "part_number": n, "headers": {}} for n in range(1, given.num_parts + 1)]
    return {"upload_id": upload, "credentials": parts}


@endpoint("PUT", "mlflow-artifacts/mpu/part/{upload}/{number}")
async def upload_part(workspace: Workspace, upload: str, number: str, request: Request) -> Response:
    """Keeps a part; one of the same number is replaced."""
    if not number.isdecimal() or len(number) > 5 or not 1 <= int(number) <= MOST_PARTS:
        raise _checks.invalid("part_number", number)
    folder = await run_in_threadpool(_known, workspace, upload)
    file = await run_in_threadpool(fresh_file, workspace)
    part = Path(file.name)
    try:
        kept = bytearray()
        async for piece in request.stream():
            kept += piece
            if len(kept) >= _PIECE:
                await run_in_threadpool(file.write, bytes(kept))
                kept.clear()
        await run_in_threadpool(file.write, bytes(kept))
        await run_in_threadpool(file.close)
        etag = await run_in_threadpool(digest_file, part)
        await run_in_threadpool(part.replace, folder / f"{int(number)}.{etag}")
    finally:
        await run_in_threadpool(file.close)
        await run_in_threadpool(part.unlink, missing_ok=True)
    return Response(headers={"etag": f'"{etag}"'})


@endpoint("POST", "mlflow-artifacts/mpu/complete/{path:path}")
def complete_upload(workspace: Workspace, given: CompleteUpload, path: str) -> None:
    """Joins the parts and keeps the file."""
    place = _place(workspace, path, given.path)
    folder = _known(workspace, given.upload_id)
    if (folder / "place").read_text(encoding="utf-8") != place.path:
        raise _checks.invalid("upload_id", given.upload_id, "It is another file's.")
    parts = []
    for part in sorted(given.parts, key=lambda part: part.part_number):
        etag = part.etag.strip('"')
        found = folder / f"{part.part_number}.{etag if re.fullmatch(r'[0-9a-f]{64}', etag) else ''}"
        if not found.is_file():
            raise _checks.invalid("parts", part.part_number, "That part was not brought.")
        parts.append(found)
    if not parts:
        raise _checks.missing("parts")
    whole = parts[0]
    with whole.open("ab") as file:
        for part_file in parts[1:]:
            with part_file.open("rb") as more:
                shutil.copyfileobj(more, file, _PIECE)
            part_file.unlink()
    size = whole.stat().st_size
    keep_file(workspace, place, workspace.blobs.put_file(whole, owned=True), size)
    shutil.rmtree(folder, ignore_errors=True)


@endpoint("POST", "mlflow-artifacts/mpu/abort/{path:path}")
def abort_upload(workspace: Workspace, given: AbortUpload, path: str) -> None:
    """Forgets the parts that were brought."""
    _place(workspace, path, given.path)
    shutil.rmtree(_known(workspace, given.upload_id), ignore_errors=True)


def _place(workspace: Workspace, folder: str, given: str) -> Place:
    # Clients before 3.18 send the whole path of their own file, also one of Windows; its last part is meant.
    name = ntpath.basename(_checks.check_path(ntpath.basename(given)))
    if name in ("", ".", ".."):
        raise MlflowError("Invalid path")
    place = find_place(workspace, f"{_checks.check_path(folder)}/{name}")
    check_writable(place)
    return place


def _uploads(workspace: Workspace) -> Path:
    return workspace.settings.workspace / "incoming" / "parts"


def _folder(workspace: Workspace, upload: str) -> Path:
    if not _ID.fullmatch(upload):
        raise _checks.invalid("upload_id", upload[:100])
    return _uploads(workspace) / upload


def _known(workspace: Workspace, upload: str) -> Path:
    folder = _folder(workspace, upload)
    if not folder.is_dir():
        raise MlflowError(f"There is no upload '{upload}'; it may have ended.", "RESOURCE_DOES_NOT_EXIST")
    return folder


def _forget_old(workspace: Workspace) -> None:
    folder = _uploads(workspace)
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(one, ignore_errors=True)
