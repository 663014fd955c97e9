"""The least that a server can do: `python -m benchmarks.plain_server KIND FOLDER PORT`. What it takes is the floor of ours.

`metrics` keeps a point in a SQLite table for every request, synced in full, on the same web server as ours. `files` writes each
body to a file and waits until the disk has the file and its folder, as ours does; `volatile-files` leaves that to chance, as
MLflow's server does. Neither knows runs, checks names, or hashes what it is given.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_ROOT = "/api/2.0/mlflow-artifacts/artifacts"
_PIECE = 1 << 20
Scope = dict[str, Any]


def main(kind: str, folder: str, port: int) -> None:
    """Serves until it is ended."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    if kind == "metrics":
        import uvicorn

        uvicorn.run(_metrics(Path(folder) / "plain.db"), port=port, log_level="warning", access_log=False)
        return
    _Files.folder, _Files.durable = Path(folder), kind == "files"
    with ThreadingHTTPServer(("127.0.0.1", port), _Files) as server:
        server.serve_forever()


def _metrics(path: Path) -> Callable[[Scope, Any, Any], Any]:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE points (run TEXT, key TEXT, step INTEGER, at INTEGER, value REAL, PRIMARY KEY (run, key, step, at))",
    ):
        connection.execute(statement)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]

    async def answer(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            given = json.loads((await receive())["body"])
            row = (given["run_id"], given["key"], given.get("step", 0), given["timestamp"], given["value"])
            connection.execute("INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?)", row)  # a transaction of its own
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return answer


class _Files(BaseHTTPRequestHandler):
    """Files below a folder; the addresses are those that MLflow's clients ask for."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together
    disable_nagle_algorithm = True  # or a file that follows its head would wait for a sign of the client
    folder: Path
    durable: bool

    def do_PUT(self) -> None:
        target, left = self._path(), int(self.headers["content-length"])
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.fresh")
        with fresh.open("wb", buffering=0) as file:
            while left:
                part = self.rfile.read(min(left, _PIECE))
                file.write(part)
                left -= len(part)
            if self.durable:
                os.fsync(file.fileno())
        fresh.replace(target)
        if self.durable:
            _sync(target.parent)
        self._answer(b"")

    def do_GET(self) -> None:
        if self.path == "/version":
            self._answer(b"plain")
        elif urlsplit(self.path).path == _ROOT:
            self._answer(json.dumps({"files": self._listed()}).encode())
        else:
            with self._path().open("rb") as file:
                self._begin(os.fstat(file.fileno()).st_size)
                self.wfile.flush()
                self.connection.sendfile(file)

    def log_message(self, *_: object) -> None:
        pass

    def _listed(self) -> list[dict[str, object]]:
        (path,) = parse_qs(urlsplit(self.path).query)["path"]
        there = self.folder / path
        listed = there.iterdir() if there.is_dir() else ()
        return [{"path": one.name, "is_dir": one.is_dir(), "file_size": one.stat().st_size} for one in listed]

    def _path(self) -> Path:
        return self.folder / self.path.removeprefix(f"{_ROOT}/")

    def _answer(self, body: bytes) -> None:
        self._begin(len(body))
        self.wfile.write(body)

    def _begin(self, size: int) -> None:
        self.send_response(200)
        self.send_header("content-length", str(size))
        self.end_headers()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
