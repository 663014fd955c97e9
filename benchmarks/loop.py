"""From drifted traffic to the new champion live, through a real `flyball up`; and what the start of a worker costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.pairs import Pair, Timing, compare
from flyball.executors.base import Job
from flyball.executors.local import LocalExecutor
from flyball.machine.libraries import FIRST_GUESS

_WINDOW_SECONDS = 6
_ROWS = 400
_GOAL_SECONDS = 5.0
_STEP_GOAL_SECONDS = 0.06
_WAIT_SECONDS = 120.0

_PROJECT = f"""
import time
from pathlib import Path

import flyball as fb
from sklearn.ensemble import HistGradientBoostingClassifier

clicks = fb.dataset("clicks", "data/*.parquet", key="id", time="at", label="clicked")

@fb.step(cache=False)
def train(rows: fb.Table) -> fb.Model:
    begun = time.perf_counter()
    x, y = rows.xy()
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(x, y)
    Path("trained").write_text(str(time.perf_counter() - begun))
    return model

@fb.pipeline
def train_clicks():
    rows = fb.training_set(clicks)
    past, recent = fb.split(rows, holdout="1h")
    model = train(past)
    return fb.register("clicks", model, fb.evaluate(model, recent), reference=past)

fb.loop(
    "clicks", train_clicks, retrain=[fb.on.drift()], gates=[fb.gate.schema()], rollout=fb.immediate(),
    monitors=[fb.monitor.drift()], window="{_WINDOW_SECONDS}s",
)
"""

_DATA = """
import datetime, uuid
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
chance = np.random.default_rng(0)
n = 20_000
x = chance.normal(size=(n, 4))
now = datetime.datetime.now(datetime.UTC)
at = [now - datetime.timedelta(seconds=2 * (n - i)) for i in range(n)]
clicked = x[:, 0] + chance.normal(size=n) > 0
columns = {f"x{i}": x[:, i] for i in range(4)}
pq.write_table(pa.table({"id": [uuid.uuid4().hex for _ in at], "at": at, "clicked": clicked, **columns}), "data/one.parquet")
"""


def run() -> Iterator[Pair]:
    """The way round the loop, and a worker's start from a process that has loaded its libraries against a fresh one."""
    yield _round()
    yield from _starts()


def _round() -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        beyond, whole, trained, cpu = _drift_to_live(Path(folder))
    sys.stderr.write(
        f"  {whole:.2f} s from the window's end to the new champion's answer, {trained:.2f} s of it training\n"
    )
    return Pair(
        name="drifted traffic to new champion live, beyond training", ours=Timing(cpu=cpu, wall=beyond),
        theirs=Timing(cpu=0.0, wall=_GOAL_SECONDS), against=f"{_GOAL_SECONDS:g} s", ratio=beyond / _GOAL_SECONDS, goal=1.0,
    )  # fmt: skip


def _starts() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        executor = LocalExecutor(Path(folder) / "jobs")
        count = iter(range(10**9))
        modules = (*FIRST_GUESS, "sklearn.ensemble")
        command = (sys.executable, "-c", "import " + ", ".join(modules))

        def warm() -> None:
            name = f"warm-{next(count)}"
            executor.submit(Job(id=name, command=(sys.executable, "-m", "this"), preload=modules))
            assert executor.wait(name, timeout_seconds=60).state == "finished"

        def cold() -> None:
            name = f"cold-{next(count)}"
            executor.submit(Job(id=name, command=command))
            assert executor.wait(name, timeout_seconds=60).state == "finished"

        try:
            pair = compare("isolated step, from a warm process", warm, cold, against="a fresh process that imports")
        finally:
            executor.close()
    # The children of a fork are not ours to wait for, so wall time counts here.
    yield Pair(
        name=pair.name, ours=pair.ours, theirs=pair.theirs, against=pair.against,
        ratio=pair.ours.wall / pair.theirs.wall, goal=None,
    )  # fmt: skip
    yield Pair(
        name="isolated step, against its goal", ours=pair.ours, theirs=Timing(cpu=0.0, wall=_STEP_GOAL_SECONDS),
        against="60 ms", ratio=pair.ours.wall / _STEP_GOAL_SECONDS, goal=1.0,
    )  # fmt: skip


def _drift_to_live(root: Path) -> tuple[float, float, float, float]:
    """Seconds beyond training, in all, of training, and the processor's."""
    (root / "data").mkdir()
    (root / "flyball.toml").write_text("", encoding="utf-8")
    (root / "project.py").write_text(_PROJECT, encoding="utf-8")
    _python(root, "-c", _DATA)
    with _up(root) as (models, pid):
        _flyball(root, "apply")
        _until(lambda: _answer(models, 0.0, 1) is not None, "the first version does not answer")
        _send_window(models, drift=0.0)
        before = _processor(pid)
        end = _send_window(models, drift=3.0)
        while (_answer(models, 0.0, 1) or {}).get("version") == 1:
            if time.time() > end + _WAIT_SECONDS:
                raise RuntimeError(f"no new champion: {_flyball(root, 'loops', 'why', 'clicks')}")
            time.sleep(0.02)
        live = time.time() - end
        cpu = _processor(pid) - before
        trained = float((root / "trained").read_text())  # as the step itself has timed it
    return live - trained, live, trained, cpu


def _send_window(models: str, *, drift: float) -> float:
    """Sends traffic over most of a window; gives the moment at which that closes."""
    end = (time.time() // _WINDOW_SECONDS + 1) * _WINDOW_SECONDS
    if end - time.time() < _WINDOW_SECONDS - 1:
        time.sleep(max(0.0, end - time.time()))
        end += _WINDOW_SECONDS
    while time.time() < end - 0.5:
        _answer(models, drift, _ROWS)
        time.sleep(0.3)
    time.sleep(max(0.0, end - time.time()))
    return end


def _answer(models: str, drift: float, rows: int) -> dict[str, Any] | None:
    import numpy as np

    values = np.random.default_rng().normal(size=(rows, 4)) + drift
    body = {"columns": {f"x{place}": values[:, place].tolist() for place in range(4)}}
    try:
        answer = urllib3.request("POST", f"{models}/predict/clicks", json=body, retries=False, timeout=5.0)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.json() if answer.status == 200 else None


@contextmanager
def _up(root: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "flyball.cli", "up", "--port", "0", "--with-parent", "--json"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield told["model_url"], process.pid
        finally:
            process.terminate()


def _processor(pid: int) -> float:
    """Processor seconds of a process and all that it has started and that still runs."""
    import os

    seconds, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        seconds += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        waiting += [int(child) for child in children]
    return seconds


def _until(holds: Any, words: str) -> None:
    deadline = time.time() + _WAIT_SECONDS
    while not holds():
        if time.time() > deadline:
            raise RuntimeError(words)
        time.sleep(0.1)


def _flyball(root: Path, *arguments: str) -> str:
    return _python(root, "-m", "flyball.cli", *arguments)


def _python(root: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments[:4]} failed: {done.stderr[-2000:]}")
    return done.stdout
