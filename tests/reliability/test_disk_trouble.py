"""A disk that is full, read-only or failing: clear errors, reads that go on, and writes that go on once it is mended."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from starlette.testclient import TestClient

from flyball.access.local import local_token
from flyball.errors import NoSpace, StorageFailed
from flyball.serialization import digest as digest_of
from flyball.settings import as_environment, load_settings
from flyball.storage.trouble import Reserve, freeing
from flyball.workspace import Workspace
from tests.server.conftest import client_of
from tests.servers.disk import Disk
from tests.servers.processes import free_port

MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB in memory."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk of one's own needs root: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def workspace_on(place: Path, reserve: int) -> Workspace:
    flags = {"workspace": place / "w", "disk_reserve_mib": str(reserve)}
    return Workspace(load_settings(flags, environment={}, start=place))


def fill(place: Path, leave: int) -> Path:
    """Fills a disk up to so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(place).free - leave))
    return ballast


def test_nothing_is_written_before_the_disk_is_full_and_all_goes_on_afterwards(small: Path) -> None:
    with workspace_on(small, 8) as workspace:
        http: TestClient = client_of(workspace)
        first = http.post("/api/tracking/create_run", json={"experiment": "churn"})
        assert first.status_code == 200
        digest = workspace.blobs.put(b"some bytes")
        ballast = fill(small, 4 * MIB)
        for answer in (
            http.post("/api/tracking/create_run", json={"experiment": "churn"}),
            http.put(f"/blobs/{digest_of(b'other bytes')}", content=b"other bytes"),
            http.post("/api/2.0/mlflow/experiments/create", json={"name": "orders"}),
        ):
            assert answer.status_code in (503, 507), answer.text
            assert "MiB left" in answer.text
        assert http.post("/api/tracking/create_run", json={"experiment": "churn"}).json()["code"] == "no_space"
        assert http.get("/api/tracking/get_run", params={"run": first.json()["id"]}).status_code == 200
        assert http.get(f"/blobs/{digest}").content == b"some bytes"
        assert http.get("/health").status_code == 200
        ballast.unlink()
        assert http.post("/api/tracking/create_run", json={"experiment": "churn"}).status_code == 200


def test_a_disk_that_is_full_after_all_breaks_nothing(small: Path) -> None:
    """Without a reserve the disk itself says no, in the midst of a write."""
    with workspace_on(small, 0) as workspace:
        run = workspace.tracking.create_run("churn").id
        ballast = fill(small, 64 << 10)
        refused = 0
        for number in range(40):
            try:
                workspace.tracking.create_run("churn", tags={"t": "x" * 5000}, id=f"r{number}")
            except NoSpace:
                refused += 1
        with pytest.raises(NoSpace):
            workspace.blobs.put(os.urandom(MIB))
        assert refused > 0
        assert workspace.tracking.get_run(run).id == run
        ballast.unlink()
        assert workspace.tracking.create_run("churn").experiment == "churn"
        assert workspace.blobs.put(os.urandom(MIB))
        with workspace.database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert list((small / "w" / "objects" / ".fresh").iterdir()) == []


def test_what_frees_space_may_write_into_the_reserve(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 1 << 60)
    with pytest.raises(NoSpace, match="MiB left"):
        reserve.check()
    with freeing():
        reserve.check()


def test_leases_are_kept_on_a_full_disk(small: Path) -> None:
    with workspace_on(small, 20) as workspace:
        fill(small, 10 * MIB)
        assert workspace.database.lease("controller", "one", timedelta(seconds=3)) is not None
        with pytest.raises(NoSpace):
            workspace.tracking.create_run("churn")


def test_a_read_only_disk_is_told_and_reads_go_on(tmp_path: Path) -> None:
    try:
        disk = Disk(tmp_path / "image", tmp_path / "disk")
        disk.mount()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system of one's own needs root: {error}")
    try:
        # The disk itself becomes read-only, as a kernel does it to one that fails: files that are open stay open.
        with workspace_on(disk.place, 1) as workspace:
            run = workspace.tracking.create_run("churn").id
            digest = workspace.blobs.put(b"some bytes")
            workspace.database.engine.dispose()
            disk.remount("ro")
            with pytest.raises(StorageFailed):
                workspace.tracking.create_run("churn")
            with pytest.raises(StorageFailed):
                workspace.blobs.put(b"other bytes")
            assert workspace.blobs.get(digest) == b"some bytes"
            disk.remount("rw")
            assert workspace.tracking.get_run(run).id == run
            assert workspace.tracking.create_run("churn").id != run
    finally:
        disk.remove()


WORK = """
import json, sys
from pathlib import Path
from flyball.errors import FlyballError
from flyball.settings import load_settings
from flyball.workspace import Workspace

kept, told = [], []
with Workspace(load_settings({"workspace": sys.argv[1]}, environment={}, start=Path(sys.argv[1]).parent)) as workspace:
    for number in range(40):
        try:
            run = workspace.tracking.create_run("churn", f"r{number}").id
            workspace.tracking.log_artifact(run, "a", workspace.blobs.put(b"%d" % number), 2)
            kept.append(run)
        except FlyballError as error:
            told.append(error.code)
print(json.dumps({"kept": kept, "told": told}))
"""

# Every so many calls of that kind fail: to the disk of the database, or anywhere.
DATABASE = ("flyball.db", "flyball.db-wal")
CALLS = [
    ("fsync,fdatasync", 3, DATABASE), ("fsync,fdatasync", 7, DATABASE), ("pwrite64", 11, DATABASE), ("pread64", 50, DATABASE),
    ("fsync,fdatasync", 5, ()), ("linkat,link", 2, ()),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes calls fail")
@pytest.mark.parametrize(("calls", "every", "files"), CALLS, ids=[f"{one[0]}-{one[1]}-{len(one[2])}" for one in CALLS])
def test_calls_that_fail_are_told_and_nothing_acknowledged_is_lost(
    tmp_path: Path, calls: str, every: int, files: tuple[str, ...]
) -> None:
    folder = tmp_path / "w"
    with Workspace(load_settings({"workspace": folder}, environment={}, start=tmp_path)) as workspace:
        workspace.tracking.create_run("churn")
    paths = [option for name in files for option in ("-P", str(folder / name))]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", tmp_path / "trace", *paths, "-e", f"inject={calls}:error=EIO:when={every}+{every}",
         sys.executable, "-c", WORK, folder],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "(INJECTED)" in (tmp_path / "trace").read_text(errors="replace")
    said = json.loads(done.stdout.splitlines()[-1])
    assert set(said["told"]) <= {"storage_failed"}
    with Workspace(load_settings({"workspace": folder}, environment={}, start=tmp_path)) as workspace:
        for run in said["kept"]:
            (artifact,) = workspace.tracking.list_artifacts(run)
            assert workspace.blobs.get(artifact.digest)
        with workspace.database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_request_that_memory_does_not_hold_ends_itself_alone(tmp_path: Path) -> None:
    settings = load_settings({"workspace": tmp_path / "w", "port": free_port()}, environment={}, start=tmp_path)
    url = f"http://127.0.0.1:{settings.port}"
    command = [sys.executable, "-m", "flyball.server.main"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **as_environment(settings)}, stdout=log, stderr=log)
    try:
        pool = urllib3.PoolManager(retries=False)
        for _ in range(300):
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if pool.request("GET", f"{url}/health", timeout=2.0).status == 200:
                    break
            time.sleep(0.1)
        asked = {"authorization": f"Bearer {local_token(settings.workspace)}", "content-type": "application/json"}
        body = b'{"experiment": "churn", "tags": {"t": "' + b"x" * (96 * MIB) + b'"}}'
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0])
        resource.prlimit(server.pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + 150 * MIB,) * 2)
        try:
            status = pool.request(
                "POST", f"{url}/api/tracking/create_run", body=body, headers=asked, timeout=60.0
            ).status
        except urllib3.exceptions.HTTPError:  # it was cut off in the midst of the body
            status = 0
        assert status == 0 or status >= 400
        assert server.poll() is None
        small = urllib3.PoolManager(retries=False).request(  # a connection of its own: the other one may be cut off
            "POST", f"{url}/api/tracking/create_run", body=b'{"experiment": "churn"}', headers=asked, timeout=30.0
        )
        assert small.status == 200, small.data
    finally:
        server.kill()
        server.wait()
