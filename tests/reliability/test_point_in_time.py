"""PostgreSQL is brought back to a moment between two backups, as docs/reliability.md says."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest

from flyball.settings import load_settings
from flyball.storage.database import Database
from flyball.storage.upgrades import upgrade
from flyball.workspace import Workspace
from tests.servers.absent import found
from tests.servers.postgres import _initialize, _server_user
from tests.servers.processes import free_port, running
from tools import provision

pytestmark = [pytest.mark.soak, pytest.mark.postgres]
Start = Callable[[Path, int], AbstractContextManager[object]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the account that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="flyball-moment-", ignore_cleanup_errors=True) as name:
        folder, user = Path(name), _server_user()
        (folder / "wal").mkdir()
        if user:
            for path in (folder, folder / "wal"):
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        yield folder


def serving(data: Path, port: int) -> AbstractContextManager[object]:
    def answers() -> bool:
        try:
            with psycopg.connect(f"host=127.0.0.1 port={port} user=flyball dbname=postgres") as connection:
                row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and not row[0]

    command: list[str | Path] = [
        found(provision.POSTGRES) / "postgres",
        "-D",
        data,
        "-p",
        str(port),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
    ]
    return running(command, log=data.parent / "log", ready=answers, user=_server_user())


def test_a_database_goes_back_to_a_moment(place: Path, tmp_path: Path) -> None:
    programs, user, port = found(provision.POSTGRES), _server_user(), free_port()
    _initialize(programs, place, user)
    with (place / "data" / "postgresql.conf").open("a") as settings:
        settings.write(
            f"wal_level = replica\narchive_mode = on\narchive_command = 'test ! -f {place}/wal/%f && cp %p {place}/wal/%f'\n"
        )
    url = f"postgresql://flyball@127.0.0.1:{port}/postgres"
    chosen = load_settings({"database": url, "workspace": tmp_path / "w"}, environment={}, start=tmp_path)
    with serving(place / "data", port):
        database = Database(url)
        upgrade(database)
        database.close()
        with Workspace(chosen) as workspace:
            workspace.tracking.create_run("churn", "before the base")
            options = [
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "flyball",
                "-D",
                str(place / "base"),
                "-X",
                "none",
                "-c",
                "fast",
            ]
            subprocess.run(
                [programs / "pg_basebackup", *options], check=True, capture_output=True, user=user, cwd=place
            )
            workspace.tracking.create_run("churn", "before the moment")
            time.sleep(1.1)
            with psycopg.connect(url) as connection:
                row = connection.execute("SELECT clock_timestamp()::text").fetchone()
                assert row is not None
            time.sleep(1.1)
            workspace.tracking.create_run("churn", "a mistake")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_switch_wal()")
            for _ in range(100):
                archived = connection.execute("SELECT archived_count FROM pg_stat_archiver").fetchone()
                if archived is not None and archived[0] >= 2:
                    break
                time.sleep(0.1)
    shutil.rmtree(place / "data")
    with (place / "base" / "postgresql.conf").open("a") as settings:
        settings.write(
            f"restore_command = 'cp {place}/wal/%f %p'\nrecovery_target_time = '{row[0]}'\nrecovery_target_action = 'promote'\n"
        )
    signal = place / "base" / "recovery.signal"
    signal.touch()
    if user:
        os.chown(signal, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with serving(place / "base", port), Workspace(chosen) as workspace:
        assert sorted(run.name for run in workspace.run_search.search("").runs) == [
            "before the base",
            "before the moment",
        ]
        assert workspace.tracking.create_run("churn", "goes on").name == "goes on"
