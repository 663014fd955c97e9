"""A real S3 service: Ceph's gateway over a store in memory. One for the whole run, a bucket for each test.

Ceph and not a mock, because it keeps what our objects rest on: a conditional PUT is decided atomically.
"""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
import urllib3
from obstore.store import S3Store

from tests.servers.absent import found
from tests.servers.processes import NotStarted, free_port, listens, running
from tools import provision

REGION = "us-east-1"
ACCESS_KEY_ID = "flyball"
SECRET_ACCESS_KEY = "flyball-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Bucket:
    """A bucket and what a client needs to reach it."""

    endpoint: str
    name: str
    region: str = REGION
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY

    @property
    def location(self) -> str:
        """The bucket as an address of objects."""
        return f"s3://{self.name}"

    def store(self) -> S3Store:
        """A client of the bucket."""
        return S3Store(
            self.name,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            client_options={"allow_http": True},
        )


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 service without buckets."""
    programs = found(provision.S3)
    with tempfile.TemporaryDirectory(prefix="flyball-s3-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        yield _start(programs, Path(name), stack)


@pytest.fixture
def s3_store(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    """A bucket of its own for this test, empty. The usual AWS variables hold the keys to it."""
    bucket = S3Bucket(endpoint=s3_endpoint, name=f"test-{uuid.uuid4().hex[:12]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.secret_access_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    # S3 makes a bucket by a PUT on its root, which obstore signs but does not offer.
    request = obstore.sign(bucket.store(), "PUT", "", timedelta(minutes=1))
    with urllib3.PoolManager() as pool:
        answer = pool.request("PUT", request)
    assert answer.status == 200, answer.data
    return bucket


def _start(programs: Path, folder: Path, stack: ExitStack) -> str:
    """Starts the three servers of a Ceph cluster of one: monitor, object store, gateway."""
    monitor_port, gateway_port = free_port(), free_port()
    cluster = str(uuid.uuid4())
    monitor = f"[v2:127.0.0.1:{monitor_port}/0]"
    _write_configuration(
        folder / "ceph.conf",
        _settings(folder)
        | {"fsid": cluster, "mon_host": monitor, "rgw_frontends": f"beast endpoint=127.0.0.1:{gateway_port}"},
    )

    def call(program: str, *arguments: str | Path) -> None:
        command = [programs / program, "-c", folder / "ceph.conf", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise NotStarted(f"{program} ended with {done.returncode}.\n{done.stdout}{done.stderr}")

    def serve(program: str, *arguments: str, port: int | None = None) -> None:
        command: list[str | Path] = [programs / program, "-f", "-c", folder / "ceph.conf", *arguments]
        log = folder / f"{program}.log"
        stack.enter_context(running(command, log=log, ready=lambda: port is None or listens(port)))

    monitors, disk = folder / "monitors", str(uuid.uuid4())
    call("monmaptool", "--create", "--fsid", cluster, "--addv", "a", monitor, monitors)
    call("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
    serve("ceph-mon", "-i", "a", port=monitor_port)
    call("ceph", "--connect-timeout", "30", "osd", "new", disk)
    call("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk)
    serve("ceph-osd", "-i", "0")
    keys = ["--access-key", ACCESS_KEY_ID, "--secret-key", SECRET_ACCESS_KEY]
    call("radosgw-admin", "user", "create", "--uid=flyball", "--display-name=Flyball", *keys)
    serve("radosgw", "-n", "client.rgw", port=gateway_port)
    return f"http://127.0.0.1:{gateway_port}"


def _settings(folder: Path) -> dict[str, str]:
    for name in ("mon", "osd"):
        (folder / name).mkdir()
    return {
        "public_addr": "127.0.0.1",
        "cluster_addr": "127.0.0.1",
        "ms_bind_ipv6": "false",
        "ms_bind_msgr1": "false",
        # No keys inside the cluster. The gateway insists on an encrypted monitor session otherwise, and finds no mode.
        "auth_cluster_required": "none",
        "auth_service_required": "none",
        "auth_client_required": "none",
        "ms_mon_client_mode": "crc",
        "ms_mon_cluster_mode": "crc",
        "ms_client_mode": "crc",
        # One copy, one placement group, kept in memory.
        "osd_objectstore": "memstore",
        "memstore_device_bytes": str(4 << 30),
        "osd_pool_default_size": "1",
        "osd_pool_default_min_size": "1",
        "osd_pool_default_pg_num": "1",
        "osd_pool_default_pgp_num": "1",
        "osd_pool_default_pg_autoscale_mode": "off",
        "osd_crush_chooseleaf_type": "0",
        "mon_allow_pool_size_one": "true",
        # The monitor gathers changes for a second each; making the gateway's pools would take eleven.
        "paxos_propose_interval": "0.01",
        "paxos_min_wait": "0.005",
        "rgw_thread_pool_size": "16",
        "rgw_run_sync_thread": "false",
        "rgw_enable_gc_threads": "false",
        "rgw_enable_lc_threads": "false",
        "rgw_enable_quota_threads": "false",
        # Everything in the one folder, nothing in the system's.
        "mon_data": str(folder / "mon"),
        "osd_data": str(folder / "osd"),
        "rgw_data": str(folder),
        "run_dir": str(folder),
        "crash_dir": str(folder),
        "admin_socket": "",
        "pid_file": "",
        "log_to_file": "false",
        "log_to_stderr": "true",
    }


def _write_configuration(file: Path, settings: Mapping[str, str]) -> None:
    lines = [f"{name} = {value}" for name, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
