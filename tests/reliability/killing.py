"""Clients, server, controller and model server of one workspace are killed at random, again and again, while all of them work.

`python -m tests.reliability.killing FOLDER ROUNDS SEED` prints what became of what was acknowledged, as JSON. Processes are
forked from this one, which has everything imported: so a round takes a third of a second and not three. What they run is
what the programs run.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import urllib3

from flyball.access.local import local_token
from flyball.client import RemoteWorkspace
from flyball.errors import FlyballError
from flyball.models.package import save_model
from flyball.refs import new_id
from flyball.serialization import to_json
from flyball.server import controller, main
from flyball.serving import model_server
from flyball.serving.prediction_log import read_predictions
from flyball.settings import Settings, as_environment, load_settings
from flyball.tracking.nouns import MetricPoint
from flyball.workspace import Workspace
from tests.reliability.models import one, two

_DIE_WITH_PARENT = 1
PATIENCE = 30.0
ZOMBIE_SECONDS = 12.0
WEIGHTS = {"server": 4, "client-0": 3, "client-1": 3, "controller": 1, "model server": 2}


class Processes:
    """The processes, each of which is there again as soon as it was killed."""

    def __init__(self, settings: Settings, model_port: int, log: Path) -> None:
        self.log = log
        self.settings = settings
        self.model_url = f"http://127.0.0.1:{model_port}/v2/models/shop/infer"
        self.told, self._tell = os.pipe()
        self._pids: dict[str, int] = {}
        self._works: dict[str, Callable[[], object]] = {
            "server": self._serve, "controller": self._control, "client-0": self._work, "client-1": self._work,
            "model server": lambda: self._predict(model_port),
        }  # fmt: skip

    def start(self, name: str) -> None:
        """Forks a process."""
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
                os.environ.update(as_environment(self.settings))
                sys.argv = ["killed"]
                self._quiet()
                self._works[name]()
                code = 0
            finally:
                os._exit(code)
        self._pids[name] = pid

    def start_all(self) -> None:
        for name in self._works:
            self.start(name)

    def kill(self, name: str) -> None:
        """Kills a process at once, with no last word."""
        os.kill(self._pids[name], signal.SIGKILL)
        os.waitpid(self._pids.pop(name), 0)

    def stop_clock(self) -> None:
        """Lets no process do anything more; none of them notices."""
        for pid in self._pids.values():
            os.kill(pid, signal.SIGSTOP)
            os.waitid(os.P_PID, pid, os.WSTOPPED)

    def kill_all(self) -> None:
        for name in list(self._pids):
            self.kill(name)

    def close(self) -> None:
        """Closes the pipe that processes tell by."""
        os.close(self.told)
        os.close(self._tell)

    def _quiet(self) -> None:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _serve(self) -> None:
        main.main()

    def _control(self) -> None:
        controller.main()

    def _predict(self, port: int) -> None:
        places = ["--objects", self.settings.objects, "--spool", str(self.settings.workspace / "predictions")]
        model_server.main(
            [*places, "--port", str(port), "--replica", "r1", "--cache", str(self.settings.workspace / "c")]
        )

    def _note(self, **facts: object) -> None:
        # Shorter than a pipe's buffer, so that no line is torn when we are killed.
        os.write(self._tell, json.dumps(facts).encode() + b"\n")

    def _work(self) -> None:
        chance = random.Random(os.getpid())
        url = f"http://127.0.0.1:{self.settings.port}"
        token = local_token(self.settings.workspace)
        settings = load_settings(
            {"url": url, "token": token, "workspace": self.settings.workspace / "client"}, environment={}
        )
        pool = urllib3.PoolManager(retries=False)
        with RemoteWorkspace(settings) as remote:
            while True:
                try:
                    self._some_work(remote, chance, pool)
                except FlyballError as error:
                    self._note(k="failed", what=f"{type(error).__name__}: {error.message}"[:200])
                    time.sleep(0.1)

    def _some_work(self, remote: Any, chance: random.Random, pool: urllib3.PoolManager) -> None:
        name = new_id()
        run = remote.tracking.create_run("killed", name, params={"a": 1, "b": 2, "c": name}).id
        self._note(k="run", id=run, name=name)
        for step in range(chance.randint(1, 6)):
            points = [MetricPoint(key="loss", value=float(step), step=step, at=remote.time.now())]
            remote.tracking.log(run, metrics=points)
            self._note(k="point", run=run, step=step)
        data = os.urandom(chance.choice([100, 200_000]))
        remote.tracking.log_artifact(run, "a.bin", remote.blobs.put(data), len(data))
        self._note(k="file", run=run)
        version = remote.model_versions.create(
            "killed", source=f"runs:/{run}/a.bin", run=run, tags={"op": name}
        ).version
        self._note(k="version", version=version, op=name)
        remote.registry.set_alias("killed", "champion", version)
        self._ask(pool, name)
        if chance.random() < 0.7:
            remote.tracking.finish_run(run)
            self._note(k="finished", run=run)

    def _ask(self, pool: urllib3.PoolManager, name: str) -> None:
        body = {"id": name, "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}]}
        try:
            answer = pool.request("POST", self.model_url, body=to_json(body), timeout=2.0)
        except urllib3.exceptions.HTTPError:  # it was just killed, and says so by its silence
            return
        if answer.status == 200:
            self._note(k="predicted", id=name, value=answer.json()["outputs"][0]["data"][0])


def go_round(settings: Settings, rounds: int, seed: int) -> dict[str, Any]:
    """Kills so many times; gives what was found afterwards."""
    chance = random.Random(seed)
    with Workspace(settings) as workspace:
        workspace.registered_models.create("killed")
        for made in (one, two):
            workspace.registry.register("shop", save_model(made, workspace.blobs, example=_example()))
        workspace.deployments.deploy("shop", "shop", 1)  # the controller tells the model server
    processes = Processes(settings, free_port(), settings.workspace / "killing.log")
    os.set_blocking(processes.told, False)
    acknowledged: list[dict[str, Any]] = []
    rest = b""
    processes.start_all()
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    killed = dict.fromkeys(names, 0)
    began = time.monotonic()
    time.sleep(2.0)
    for _ in range(rounds):
        time.sleep(chance.uniform(0.02, 0.5))
        name = chance.choices(names, weights)[0]
        processes.kill(name)
        killed[name] += 1
        processes.start(name)
        rest = read(processes.told, rest, acknowledged)
    time.sleep(2.0)
    for name in ("client-0", "client-1"):
        processes.kill(name)
    time.sleep(ZOMBIE_SECONDS)
    processes.kill_all()
    read(processes.told, rest, acknowledged)
    found = check(settings, acknowledged)
    return {"rounds": rounds, "seed": seed, "seconds": round(time.monotonic() - began), "killed": killed, **found}


def check(settings: Settings, acknowledged: list[dict[str, Any]], *, are_all_dead: bool = True) -> dict[str, Any]:
    """What became of what was acknowledged.

    Args:
        are_all_dead: Whether all that worked on runs has been dead for long enough to be known as dead.
    """
    wrong: list[str] = []
    of = {
        kind: [one for one in acknowledged if one["k"] == kind]
        for kind in ("run", "point", "file", "version", "finished", "predicted")
    }
    with Workspace(settings) as workspace:
        runs = {}
        token = ""
        while True:
            page = workspace.run_search.search("", limit=1000, page_token=token)
            runs.update({run.id: run for run in page.runs})
            token = page.next_page_token
            if not token:
                break
        names = Counter(run.name for run in runs.values())
        wrong += [f"the run {one['id']} is lost" for one in of["run"] if one["id"] not in runs]
        wrong += [f"a run is there twice: {name}" for name, count in names.items() if count > 1]
        wrong += [
            f"the run {run.id} is half there" for run in runs.values() if run.params != {"a": 1, "b": 2, "c": run.name}
        ]
        wrong += [f"the run {run.id} is a zombie" for run in runs.values() if are_all_dead and run.state == "running"]
        wrong += [
            f"the end of {one['run']} is lost"
            for one in of["finished"]
            if one["run"] in runs and runs[one["run"]].state != "finished"
        ]
        steps: dict[str, list[int]] = {}
        for one_point in of["point"]:
            steps.setdefault(one_point["run"], []).append(one_point["step"])
        for run, known in steps.items():
            if run not in runs:
                continue
            there = [point.step for point in workspace.tracking.metric_history(run, "loss")]
            wrong += [f"a point of {run} is lost: {step}" for step in known if step not in there]
            wrong += [f"a point of {run} is doubled" for _ in range(len(there) - len(set(there)))]
        wrong += _of_files(workspace, set(runs), [one["run"] for one in of["file"]])
        versions = {}
        with workspace.database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT version, tags FROM model_versions WHERE model = 'killed'").all()
        for row in rows:
            versions[row[0]] = json.loads(row[1]).get("op") if row[1] else ""
        wrong += [
            f"the version {one['version']} is lost"
            for one in of["version"]
            if versions.get(one["version"]) != one["op"]
        ]
        wrong += [f"a version is there twice: {op}" for op, count in Counter(versions.values()).items() if count > 1]
        wrong += [f"a prediction is half: {one}" for one in of["predicted"] if one["value"] not in (1.0, 2.0)]
        predictions, _ = read_predictions(workspace.store, "shop")
        logged = len(predictions)
    with closing(sqlite3.connect(str(settings.database).removeprefix("sqlite:///"))) as database:
        if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            wrong.append("the database is damaged")
    failures = sorted({one["what"] for one in acknowledged if one["k"] == "failed"})
    counted = {kind: len(items) for kind, items in of.items()}
    return {"acknowledged": counted, "logged_predictions": logged, "wrong": wrong[:50], "failures": failures[:20]}


def _of_files(workspace: Workspace, runs: set[str], known: list[str]) -> list[str]:
    """What is wrong with the files of runs."""
    wrong = [
        f"the file of {run} is lost" for run in known if run in runs and not workspace.tracking.list_artifacts(run)
    ]
    for run in runs:
        for artifact in workspace.tracking.list_artifacts(run):
            if workspace.blobs.has(artifact.digest):
                workspace.blobs.get(artifact.digest)  # raises where they are damaged
            else:
                wrong.append(f"the bytes of {run} are lost")
    return wrong


def _example() -> Any:
    import pyarrow as pa

    return pa.table({"x": [0.5, 2.0]})


def read(pipe: int, rest: bytes, into: list[dict[str, Any]]) -> bytes:
    """Takes what processes have told; gives the beginning of a line that is not whole yet."""
    while True:
        try:
            piece = os.read(pipe, 1 << 20)
        except BlockingIOError:
            return rest
        *lines, rest = (rest + piece).split(b"\n")
        into.extend(json.loads(line) for line in lines)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    made = load_settings({"workspace": folder / ".flyball", "port": free_port()}, environment={}, start=folder)
    print(json.dumps(go_round(made, int(sys.argv[2]), int(sys.argv[3])), indent=1))
