"""`flyball up`, as a newcomer meets it: a project, one command, and a model that answers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from flyball.serialization import from_json
from tests.cli.conftest import Command

FLOWER = {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5}


class Up:
    """A running `flyball up`."""

    def __init__(self, process: subprocess.Popen[str], said: Any) -> None:
        self.process = process
        self.url: str = said["url"]
        self.model_url: str = said["model_url"]

    def children(self) -> list[int]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid:
                found.append(int(stat.parent.name))
        return found

    def predict(self) -> Any:
        """The answer for one flower, as soon as the deployment is there."""
        for _ in range(600):
            answer = urllib3.request("POST", f"{self.model_url}/predict/irises", json={"rows": [FLOWER]}, retries=False)
            if answer.status == 200:
                return answer.json()
            time.sleep(0.05)
        raise AssertionError(answer.data)


@contextmanager
def up(project: Path) -> Iterator[Up]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball.cli", "up", "--port", "0", "--json"],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Up(process, from_json(line, object))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def _gone(processes: list[int], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{process}").exists() and not _is_dead(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def _is_dead(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are told by /proc")
def test_a_new_project_is_up_answers_is_traced_and_goes_on_after_a_kill(
    process: Command, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert process("init", "garden").code == 0
    project = nowhere / "garden"
    monkeypatch.chdir(project)
    assert process("run", "train_irises").code == 0
    assert process("apply").code == 0

    with up(project) as first:
        assert urllib3.request("GET", f"{first.url}/health").status == 200
        answer = first.predict()
        (prediction,) = answer["predictions"]
        assert (prediction["prediction"], prediction["version"]) == (True, 1)

        second = process("up", "--port", "0")
        assert second.code == 1
        assert f"is up already at {first.url}" in second.err
        assert "Traceback" not in second.err

        children = first.children()
        assert len(children) == 3
        first.process.kill()
        first.process.wait()
        assert _gone(children), "children outlived a kill -9 of their parent"

    with up(project) as again:
        assert again.predict()["predictions"][0]["prediction"] is True
        children = again.children()
        again.process.send_signal(signal.SIGINT)
        out, err = again.process.communicate(timeout=30)
        assert (again.process.returncode, out) == (0, "")
        assert err.endswith("Stopped.\n")
        assert "Traceback" not in err
        assert _gone(children, 1.0)
        assert not (project / ".flyball" / "up.json").exists()

    traced = process("trace", prediction["id"])
    assert traced.code == 0
    for found in ("of 'irises'", "Model irises, version 1 (champion)", "Snapshot irises/", "rows:  150"):
        assert found in traced.out
    told = process("loops", "why", "irises").out
    assert told.count("version 1 is the first to pass") == 1
