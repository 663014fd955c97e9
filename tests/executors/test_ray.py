"""Steps on a real Ray cluster of two nodes on loopback, one of which is killed while it works."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import flyball
from flyball.errors import MissingExtra
from flyball.executors.base import EXECUTORS
from tests.servers.absent import found
from tests.servers.processes import free_port
from tools import environments

HEAD, SECOND = "127.0.0.2", "127.0.0.3"

PROJECT = """
import os, time
from pathlib import Path
import flyball as fb


@fb.step
def part(number: int, notes: str) -> dict:
    with open(Path(notes) / "ran.txt", "a") as file:
        file.write(f"{number} {os.getppid()}\\n")
    time.sleep(6 if number else 0.1)
    return {"number": number, "node": os.environ.get("RAY_NODE_ID", "")}


@fb.step
def total(parts: list) -> int:
    return sum(part["number"] for part in parts)


@fb.pipeline
def main(count: int):
    notes = os.environ["NOTES"]
    first = part(0, notes).value()
    return total([part(number, notes) for number in range(1, count + 1)])
"""


@dataclass
class Cluster:
    """Two nodes on loopback."""

    address: str
    python: Path
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]]

    def kill_second(self) -> None:
        """Ends the second node as a power cut would: all of its processes at once."""
        _kill(self.nodes[1])


def _kill(node: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(node.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    node.kill()
    node.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    python = found(environments.RAY)
    short = tempfile.mkdtemp(prefix="ray")  # its sockets have names of a hundred characters at most
    place = tmp_path / "site"
    place.mkdir()
    # Ray's environment sees, behind its own packages, this project and ours.
    homes = [str(Path(flyball.__file__).parents[1]), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    lines = [f"site.addsitedir({home!r})" for home in dict.fromkeys(homes)]
    (place / "sitecustomize.py").write_text("\n".join(["import site", *lines]) + "\n")
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(place),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Its server wants a token even where none was set; clients bring one in this mode only.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_TMPDIR": short,
    }
    ray = [str(python.with_name("ray")), "start", "--block", "--num-cpus=2", "--disable-usage-stats"]
    # Loopback has many addresses. In the place of its first one Ray would put this machine's outer address.
    address = f"{HEAD}:{port}"
    starts = [
        [*ray, "--head", f"--port={port}", "--include-dashboard=false", f"--node-ip-address={HEAD}"],
        [*ray, f"--address={address}", f"--node-ip-address={SECOND}"],
    ]
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(starts):
            log = (tmp_path / f"node{number}.log").open("wb")
            nodes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
            log.close()
            _await(python, environment, address, nodes, tmp_path / f"node{number}.log")
        yield Cluster(address, python, environment, nodes)
    finally:
        for node in reversed(nodes):
            _kill(node)
        shutil.rmtree(short, ignore_errors=True)


def _await(
    python: Path, environment: dict[str, str], address: str, nodes: list[subprocess.Popen[bytes]], log: Path
) -> None:
    code = (
        "import ray, sys\n"
        f"ray.init({address!r}, log_to_driver=False, logging_level='ERROR')\n"
        f"sys.exit(sum(node['Alive'] for node in ray.nodes()) < {len(nodes)})\n"
    )
    for _ in range(20):
        assert nodes[-1].poll() is None, log.read_text()
        if subprocess.run([python, "-c", code], env=environment, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(2)
    raise AssertionError(log.read_text())


def _start(cluster: Cluster, tmp_path: Path, count: int) -> subprocess.Popen[str]:
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    (project / "project.py").write_text(PROJECT)
    (project / "flyball.toml").write_text("")
    return subprocess.Popen(
        [cluster.python, Path(__file__).parent / "scripts/ray_pipeline.py", str(count)],
        cwd=project,
        env={**cluster.environment, "RAY_ADDRESS": cluster.address, "NOTES": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # so it is not found, whatever is installed
    with pytest.raises(MissingExtra) as caught:
        EXECUTORS.get("ray").open(tmp_path, slots=0)
    assert caught.value.hint == "pip install 'flyball[ray]'"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_pipeline_runs_on_a_cluster_and_outlives_a_node(cluster: Cluster, tmp_path: Path) -> None:
    notes = tmp_path / "ran.txt"
    driver = _start(cluster, tmp_path, 4)
    deadline = time.monotonic() + 240
    while not notes.exists() or len(notes.read_text().splitlines()) < 5:
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline, "the steps did not begin"
        time.sleep(0.2)
    cluster.kill_second()
    out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, err
    said = json.loads(out.splitlines()[-1])
    assert said["value"] == 1 + 2 + 3 + 4
    assert set(said["steps"].values()) == {"finished"}
    ran = [int(line.split()[0]) for line in notes.read_text().splitlines()]
    assert ran.count(0) == 1, "a step that had finished was repeated"
    assert sorted(set(ran)) == [0, 1, 2, 3, 4]
    assert len(ran) > 5, "no step was lost with its node, so nothing was shown"

    again = _start(cluster, tmp_path, 4)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert set(json.loads(out.splitlines()[-1])["steps"].values()) == {"cached"}
