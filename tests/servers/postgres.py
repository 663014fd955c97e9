"""A real PostgreSQL: one server for the whole run, an empty database for each test."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.servers.absent import found
from tests.servers.processes import NotStarted, free_port, running
from tools import provision

# Nothing of this survives the tests, so it need not survive a power cut.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL server on loopback that trusts everybody."""

    port: int
    admin: psycopg.Connection

    def url(self, database: str) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg://flyball@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """A new database, empty or a copy of another one; gives its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def drop_database(self, name: str) -> None:
        """Removes a database with all its connections."""
        self.admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server with nothing in it."""
    programs = found(provision.POSTGRES)
    with tempfile.TemporaryDirectory(prefix="flyball-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = _server_user()
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        _initialize(programs, folder, user)
        port = free_port()
        server = running(
            [programs / "postgres", "-D", folder / "data", "-p", str(port), *_options()],
            log=folder / "postgres.log",
            ready=lambda: _answers(port),
            user=user,
            # It ends its own processes and frees its shared memory, and does not wait for clients.
            stop=signal.SIGQUIT,
        )
        with server, _connect(port) as admin:
            yield PostgresServer(port=port, admin=admin)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a database of its own for this test, empty."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def _server_user() -> str | None:
    """Whom the server runs as where we are root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _initialize(programs: Path, folder: Path, user: str | None) -> None:
    options = ["--username=flyball", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(
        [programs / "initdb", *options, "-D", folder / "data"],
        user=user,
        group=user and pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else (),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotStarted(f"initdb ended with {done.returncode}.\n{done.stderr}")


def _options() -> Iterator[str]:
    for name, value in SETTINGS.items():
        yield from ("-c", f"{name}={value}")


def _connect(port: int) -> psycopg.Connection:
    return psycopg.connect(f"host=127.0.0.1 port={port} user=flyball dbname=postgres", autocommit=True)


def _answers(port: int) -> bool:
    try:
        _connect(port).close()
    except psycopg.OperationalError:
        return False
    return True
