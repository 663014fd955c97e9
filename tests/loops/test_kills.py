"""Controllers, workers and the processes they are forked from are killed at random moments: each cause has one training, never two,
never none, and each training one version.

`make soak` does many rounds; the suite a few. What is random follows a seed, which is told when a round fails.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from flyball.settings import as_environment
from tests.loops.clicks import Life, life

ROUNDS = int(os.environ.get("FLYBALL_SOAK_ROUNDS", "1"))
SEED = int(os.environ.get("FLYBALL_SOAK_SEED", "7"))
PATIENCE = 240.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc"),
    pytest.mark.timeout(300 + 120 * ROUNDS),
]


class Controllers:
    """Controller processes, one after the other."""

    def __init__(self, made: Life) -> None:
        self.life = made
        self.killed: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = self.life.workspace.settings
        log = (settings.workspace / "controller.log").open("ab")
        command = [sys.executable, "-m", "flyball.server.controller"]
        with log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **as_environment(settings)}, stdout=log, stderr=log, cwd=settings.root
            )

    def kill(self, what: str) -> None:
        """Kills the controller, the present worker, or the process that workers are forked from."""
        assert self._process is not None
        pids = {
            "controller": [self._process.pid], "worker": self._workers(), "zygote": self._children("_zygote"),
            "keeper": self._keepers(),
        }[what]  # fmt: skip
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                self.killed.append(what)
            except ProcessLookupError:
                pass
        if what == "controller":
            self._process.wait()
            self.start()

    def settle(self) -> None:
        """Waits until nothing is left to do at this moment."""
        deadline = time.monotonic() + PATIENCE
        while not self.life.workspace.clock.state()[1]:
            assert time.monotonic() < deadline, self.log()[-3000:]
            assert self._process is not None
            assert self._process.poll() is None, self.log()[-3000:]
            time.sleep(0.1)

    def log(self) -> str:
        return (self.life.workspace.settings.workspace / "controller.log").read_text(errors="replace")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)

    def _states(self) -> list[dict[str, int]]:
        found = []
        for file in (self.life.workspace.settings.workspace / "jobs").glob("*/state.json"):
            state = json.loads(file.read_bytes())
            if state["state"] == "running":
                found.append(state)
        return found

    def _workers(self) -> list[int]:
        return [state["pid"] for state in self._states() if "pid" in state]

    def _keepers(self) -> list[int]:
        return [state["keeper"] for state in self._states() if "keeper" in state]

    def _children(self, name: str) -> list[int]:
        assert self._process is not None
        shown = subprocess.run(
            ["ps", "--ppid", str(self._process.pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
        )
        return [int(line.split()[0]) for line in shown.stdout.splitlines() if name in line]


@pytest.fixture
def controllers(tmp_path: Path) -> Iterator[Controllers]:
    with life(tmp_path) as made:
        made.apply(max_trainings_per_week=10**6)
        kept = Controllers(made)
        kept.start()
        yield kept
        kept.stop()


def test_one_cause_has_one_training_and_one_version_whoever_is_killed(controllers: Controllers) -> None:
    chance, made = random.Random(SEED), controllers.life
    controllers.settle()
    turned = False
    for place in range(ROUNDS):
        turned = not turned
        before = {training.id for training in made.workspace.loops.list_trainings("clicks")}
        made.live(24, turned=turned)
        for _ in range(chance.randint(2, 5)):
            time.sleep(chance.uniform(0.0, 1.2))
            controllers.kill(chance.choice(["controller", "controller", "worker", "keeper", "zygote"]))
        controllers.settle()
        trainings = made.workspace.loops.list_trainings("clicks")
        fresh = [training for training in trainings if training.id not in before]
        told = f"round {place} of seed {SEED}, after {controllers.killed}"
        assert [training.trigger for training in fresh] == ["decay"], told
        (training,) = fresh
        assert training.state == "succeeded", (told, training.error)
        assert [v.version for v in made.workspace.registry.find_by_run(training.id)] == [training.version], told
        for _ in range(2):
            made.live(6, turned=turned)
            controllers.settle()
        assert made.champion == training.version, told
        made.workspace.clock.set((made.now + timedelta(hours=12)).isoformat())
        controllers.settle()
    causes = [training.cause for training in made.workspace.loops.list_trainings("clicks", limit=10_000)]
    assert len(causes) == len(set(causes)) == ROUNDS + 1
    assert "controller" in controllers.killed
