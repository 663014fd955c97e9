"""Two that may act and their database on three hosts: one is cut off and healed, a clock is an hour wrong."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from flyball.storage.database import Database, leases
from tests.reliability.acting import TTL, fired
from tests.servers.absent import found
from tests.servers.postgres import _initialize
from tests.servers.processes import running
from tools import provision

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("FLYBALL_SOAK_ROUNDS", "1"))
DATABASE = "10.77.0.1"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Three hosts of this machine: `a` and `b` reach the database's, and nothing else."""

    mark: str

    def name(self, host: str) -> str:
        return f"fb{self.mark}{host}"

    def on(self, host: str, *command: str | Path) -> list[str]:
        return ["ip", "netns", "exec", self.name(host), *map(str, command)]

    def make(self) -> None:
        for host in ("d", "a", "b"):
            run("ip", "netns", "add", self.name(host))
            run("ip", "-n", self.name(host), "link", "set", "lo", "up")
        run("ip", "-n", self.name("d"), "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.name("d"), "addr", "add", f"{DATABASE}/24", "dev", "br0")
        run("ip", "-n", self.name("d"), "link", "set", "br0", "up")
        for place, host in ((2, "a"), (3, "b")):
            run(
                "ip",
                "link",
                "add",
                "eth0",
                "netns",
                self.name(host),
                "type",
                "veth",
                "peer",
                "name",
                f"to-{host}",
                "netns",
                self.name("d"),
            )
            run("ip", "-n", self.name("d"), "link", "set", f"to-{host}", "master", "br0", "up")
            run("ip", "-n", self.name(host), "addr", "add", f"10.77.0.{place}/24", "dev", "eth0")
            run("ip", "-n", self.name(host), "link", "set", "eth0", "up")

    def cut(self, host: str) -> None:
        """From here on what is sent is lost, and nobody is told."""
        run("ip", "-n", self.name("d"), "link", "set", f"to-{host}", "nomaster")

    def heal(self, host: str) -> None:
        run("ip", "-n", self.name("d"), "link", "set", f"to-{host}", "master", "br0")

    def remove(self) -> None:
        for host in ("d", "a", "b"):
            subprocess.run(["ip", "netns", "del", self.name(host)], check=False, capture_output=True)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts(str(os.getpid() % 10_000))
    try:
        made.make()
    except (OSError, subprocess.CalledProcessError) as error:
        made.remove()
        pytest.skip(f"hosts of one's own need root: {getattr(error, 'stderr', error)}")
    yield made
    made.remove()


@pytest.fixture
def url(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database on the host `d`, as the others reach it. Its socket's folder is there for everybody."""
    import tempfile

    programs = found(provision.POSTGRES)
    with tempfile.TemporaryDirectory(prefix="flyball-partition-", ignore_cleanup_errors=True) as name:
        folder, user = Path(name), "postgres" if any(one.pw_name == "postgres" for one in pwd.getpwall()) else "nobody"
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        _initialize(programs, folder, user)
        (folder / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all 10.77.0.0/24 trust\n")
        options = [f"listen_addresses={DATABASE}", f"unix_socket_directories={folder}", "fsync=off"]
        command = hosts.on(
            "d", "setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", programs / "postgres",
            "-D", folder / "data", "-p", "5432", *(part for option in options for part in ("-c", option)),
        )  # fmt: skip

        def ready() -> bool:
            try:
                psycopg.connect(host=str(folder), user="flyball", dbname="postgres").close()
            except psycopg.OperationalError:
                return False
            return True

        with running(command, log=folder / "log", ready=ready):
            database = Database(f"postgresql://flyball@/postgres?host={folder}")
            with database.transaction() as connection:
                leases.create(connection)
                fired.create(connection)
            database.close()
            yield f"postgresql://flyball@/postgres?host={folder}"


def rows_of(url: str) -> list[sa.Row[tuple[int, str, float]]]:
    database = Database(url, connections=1)
    try:
        return database.rows(sa.select(fired).order_by(fired.c.at))
    finally:
        database.close()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_nothing_fires_twice_and_the_other_takes_over_in_time(hosts: Hosts, url: str, tmp_path: Path) -> None:
    remote = f"postgresql://flyball@{DATABASE}:5432/postgres"
    ahead = ["faketime", "-f", "+1h"] if shutil.which("faketime") else []
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    actors = {}
    for host, skew in (("a", []), ("b", ahead)):
        log = (tmp_path / host).open("wb")
        command = hosts.on(host, *skew, sys.executable, "-m", "tests.reliability.acting", remote, host)
        actors[host] = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=ROOT, start_new_session=True
        )
        log.close()
        time.sleep(2.5)
    try:
        gaps = []
        for _ in range(ROUNDS):
            holder = rows_of(url)[-1].by
            other = "b" if holder == "a" else "a"
            hosts.cut(holder)
            cut_at = time.time()
            time.sleep(8)
            after = [row for row in rows_of(url) if row.by == other and row.at > cut_at]
            assert after, f"{other} took nothing over within 8 s"
            gaps.append(after[0].at - cut_at)
            hosts.heal(holder)
            time.sleep(4)
    finally:
        for actor in actors.values():
            os.killpg(actor.pid, signal.SIGKILL)  # with what faketime has started
            actor.wait()
    rows = rows_of(url)
    slots = [row.slot for row in rows]
    assert len(slots) == len(set(slots)), "a schedule was fired twice"
    assert max(gaps) <= 2 * TTL.total_seconds(), gaps
    assert {row.by for row in rows} == {"a", "b"}
    if ahead:
        assert float((tmp_path / "b").read_text().split()[0]) > time.time() + 3000, (
            "the clock of b was to be an hour ahead"
        )
    print(f"{ROUNDS} cuts, {len(rows)} fired, taken over after at most {max(gaps):.1f} s")
