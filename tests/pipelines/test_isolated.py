"""Steps in processes of their own: in a workspace, through the executor that its settings name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import InvalidInput, WorkFailed
from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.result import PipelineResult
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.workspace import Workspace

HEAD = "import os, sys, time\nimport flyball as fb\nimport pyarrow as pa\nfrom pathlib import Path\n\n"


class Project:
    """A project in a folder with a workspace of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(load_settings(start=root, environment={}), durable=False)

    def run(self, text: str = "", **params: Any) -> PipelineResult:
        """Writes the project's file and runs its pipeline `main`."""
        if text:
            (self.root / "project.py").write_text(HEAD + text)
        project = load_project(self.root, "project.py")
        code = snapshot_code(self.root, self.workspace.blobs)
        services = RunServices(
            workspace=self.workspace, project_root=self.root, source_root=self.root, code=code.digest
        )
        return run_pipeline(project.pipelines["main"], params, services=services)

    def log_of(self, result: PipelineResult, step: str) -> str:
        """What a step printed."""
        run = next(record.run for record in result.steps if record.name == step)
        [log] = [found for found in self.workspace.tracking.list_artifacts(run) if found.name == "log.txt"]
        return self.workspace.blobs.get(log.digest).decode()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("isolated")
    (root / "flyball.toml").write_text("")
    made = Project(root)
    yield made
    made.workspace.close()


def test_a_step_of_its_own_gets_and_gives_values_and_tells_what_it_logs(project: Project) -> None:
    result = project.run("""
@fb.step
def rows(count: int) -> fb.Table:
    return fb.Table(pa.table({"x": list(range(count))}))

@fb.step(isolated=True, cores=1)
def total(rows: fb.Table, more: list[int], extra: dict[str, int]) -> tuple[int, int]:
    print("it runs in", os.getpid(), os.environ["OMP_NUM_THREADS"])
    fb.log(metric=7, step=3)
    return sum(rows.arrow["x"].to_pylist()) + sum(more) + extra["a"], os.getpid()

@fb.pipeline
def main(count: int = 4):
    found = rows(count)
    return total(found, [count, 1], {"a": 100})
""")
    total, pid = result.value()
    assert (total, pid != os.getpid()) == (6 + 5 + 100, True)
    step = next(record for record in result.steps if record.name == "total")
    assert project.workspace.tracking.get_run(step.run).metrics == {"metric": 7.0}
    assert project.log_of(result, "total") == f"it runs in {pid} 1\n"
    assert [record.state for record in project.run().steps] == ["cached", "cached"]


def test_what_it_raises_is_told_with_the_users_traceback(project: Project) -> None:
    with pytest.raises(WorkFailed, match=r"Step 'broken' failed: .*ValueError: 3 is too much") as caught:
        project.run("""
@fb.step(isolated=True)
def broken(number):
    raise ValueError(f"{number} is too much")

@fb.pipeline
def main():
    return broken(3)
""")
    shown = str(caught.value.facts["traceback"])
    assert "project.py" in shown
    assert "step_worker" not in shown


def test_a_process_that_dies_fails_its_step_alone_and_is_tried_again(project: Project) -> None:
    result = project.run("""
@fb.step(isolated=True, retries=1)
def dies(mark: str):
    if not Path(mark).exists():
        Path(mark).write_text("")
        os.kill(os.getpid(), 9)
    return "alive"

@fb.pipeline
def main(mark: str):
    return dies(mark)
""", mark=str(project.root / "mark"))  # fmt: skip
    assert result.value() == "alive"
    assert "Its process died with signal 9" in project.log_of(result, "dies")


def test_a_step_that_takes_more_memory_than_it_said_is_stopped(project: Project) -> None:
    with pytest.raises(WorkFailed, match=r"It used [\d,]+ MB of memory and may use 300 MB"):
        project.run("""
@fb.step(isolated=True, memory="300MB")
def large():
    held = bytearray(600_000_000)
    time.sleep(60)
    return len(held)

@fb.pipeline
def main():
    return large()
""")


def test_a_step_that_takes_too_long_is_stopped_with_its_process(project: Project) -> None:
    with pytest.raises(WorkFailed, match="longer than 2 s"):
        project.run("""
@fb.step(isolated=True, timeout=2)
def slow(mark: str):
    Path(mark).write_text(str(os.getpid()))
    time.sleep(60)

@fb.pipeline
def main(mark: str):
    return slow(mark)
""", mark=str(project.root / "slow"))  # fmt: skip
    pid = project.root / "slow"
    assert not pid.exists() or not Path(f"/proc/{pid.read_text()}").exists()


def test_a_step_with_packages_of_its_own_has_them_and_ours(project: Project, local_package: str) -> None:
    text = f"""
@fb.step(packages=["{local_package}"])
def version(table):
    import flyball_tiny
    return flyball_tiny.VERSION, type(table).__name__

@fb.pipeline
def main():
    return version(fb.Table(pa.table({{"x": [1]}})))
"""
    result = project.run(text)
    assert result.value() == ("1.0", "Table")
    with pytest.raises(WorkFailed, match="cannot be installed"):
        project.run(text.replace(local_package, "flyball-tiny-that-is-nowhere==9.9"))


@pytest.fixture(scope="module")
def local_package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A package on the disk, so that no registry is asked."""
    folder = tmp_path_factory.mktemp("tiny")
    import zipfile

    wheel = folder / "flyball_tiny-1.0-py3-none-any.whl"
    info = "flyball_tiny-1.0.dist-info"
    files = {
        "flyball_tiny.py": "VERSION = '1.0'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: flyball-tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
        file.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return str(wheel)


def test_a_secret_reaches_only_the_step_that_declares_it_and_is_not_written_down(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2-hunter2")
    text = """
@fb.step(secrets=["WAREHOUSE_PASSWORD"])
def here():
    print("password", fb.secret("WAREHOUSE_PASSWORD"))
    return len(fb.secret("WAREHOUSE_PASSWORD"))

@fb.step(isolated=True, secrets=["WAREHOUSE_PASSWORD"])
def there():
    print("password", fb.secret("WAREHOUSE_PASSWORD"))
    return len(fb.secret("WAREHOUSE_PASSWORD"))

@fb.step
def other():
    return fb.secret("WAREHOUSE_PASSWORD")

@fb.pipeline
def main(which: str = "both"):
    return other() if which == "other" else (here(), there())
"""
    result = project.run(text)
    assert result.value() == (15, 15)
    assert project.log_of(result, "here") == project.log_of(result, "there") == "password ***\n"
    with pytest.raises(WorkFailed, match="has not declared the secret"):
        project.run(which="other")
    monkeypatch.delenv("WAREHOUSE_PASSWORD")
    project.workspace.step_cache.forget(step="here")
    with pytest.raises(WorkFailed, match="'WAREHOUSE_PASSWORD' is not set"):
        project.run()


def test_a_step_that_another_process_cannot_find_is_refused(project: Project) -> None:
    with pytest.raises((WorkFailed, InvalidInput), match="not a name at the top of a module"):
        project.run("""
def make():
    @fb.step(isolated=True)
    def inner():
        return 1
    return inner

@fb.pipeline
def main():
    return make()()
""")


def test_more_cores_than_there_are_is_refused_at_once(project: Project) -> None:
    with pytest.raises((WorkFailed, InvalidInput), match="needs 4096 cores; this machine has"):
        project.run("""
@fb.step(cores=4096)
def large():
    return 1

@fb.pipeline
def main():
    return large()
""")
