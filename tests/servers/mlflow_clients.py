"""The real MLflow clients, each in an environment of its own, talking to our server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.servers.absent import found
from tools import environments

# What a client would otherwise take from this machine, ask the network for or wait for.
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "torch",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    # What a model needs is not what is looked at here, and finding it out takes a process that loads the model again.
    "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
    "DO_NOT_TRACK": "true",
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "false",
}

SCRIPTS = Path(__file__).parents[1] / "protocols" / "mlflow" / "scripts"
_LOCAL_RAY = {
    # Without it Ray takes an address that the whole network reaches, whatever it is told.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowClient:
    """An interpreter that has the `mlflow` package, unmodified.

    Attributes:
        name: That of its environment.
        major: 2 or 3.
        url: The server that it talks to.
        folder: Where scripts run; one that is theirs alone.
        record: The file into which scripts that run under `record_calls` write what they asked the server for.
    """

    name: str
    python: Path
    major: int
    url: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None

    def run(self, script: str | Path, *arguments: str, timeout: float = 240, **environment: str) -> Any:
        """What a script prints as JSON on its last line; with its stderr if it fails."""
        name = script if isinstance(script, Path) else self._written(script)
        command = [str(name), *arguments]
        if self.ready is not None and not environment:
            done = self.ready.run(command, self._environment({}), self.folder, timeout)
        else:
            done = self._run([str(self.python), *command], timeout, environment)
        if done.returncode:
            pytest.fail(f"{name} ended with {done.returncode}.\n{done.stderr[-6000:]}", pytrace=False)
        return json.loads(done.stdout.strip().splitlines()[-1])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs MLflow's own command line."""
        return self._run([str(self.python), "-m", "mlflow", *arguments], 120, {})

    def _written(self, script: str) -> Path:
        path = self.folder / "script.py"
        path.write_text(script, encoding="utf-8")
        return path

    def _run(
        self, command: list[str], timeout: float, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._environment(environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        own = {"MLFLOW_TRACKING_URI": self.url}
        return {**_environment(), **own, **self.environment, **more}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "FLYBALL_"))}
    return {**kept, **_QUIET, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}


class Ready:
    """A client's interpreter with its libraries loaded, of which each script gets a fork."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        command = [str(python), str(Path(__file__).parent / "scripts/mlflow_ready.py")]
        self._log = (folder / "log").open("wb")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, env=_environment(), cwd=folder, stdin=pipe, stdout=pipe, stderr=self._log, text=True
        )
        self._is_loaded = False

    def run(
        self, command: list[str], environment: Mapping[str, str], folder: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._is_loaded:
            self._is_loaded = self._process.stdout.readline() == "ready\n"
        out, err = self._folder / "out", self._folder / "err"
        given = {"command": command, "environment": dict(environment), "folder": str(folder), "timeout": timeout}
        for path in (out, err):
            path.unlink(missing_ok=True)
        self._process.stdin.write(json.dumps({**given, "out": str(out), "err": str(err)}) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline()
        assert code, f"the client has ended: {(self._folder / 'log').read_text()[-2000:]}"
        return subprocess.CompletedProcess(command, json.loads(code), out.read_text(), err.read_text())

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.communicate()
        self._log.close()


@pytest.fixture(scope="session")
def ready_clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ready | None]]:
    """Gives a client with its libraries loaded; None where processes cannot be forked."""
    made: dict[str, Ready] = {}

    def give(name: str) -> Ready | None:
        if not hasattr(os, "fork"):
            return None
        if name not in made:
            made[name] = Ready(found(environments.ENVIRONMENTS[name]), tmp_path_factory.mktemp(name))
        return made[name]

    yield give
    for one in made.values():
        one.close()


def client(name: str, url: str, folder: Path, ready: Callable[[str], Ready | None] = lambda _: None) -> MlflowClient:
    """The client of that environment; without it the test is not run."""
    python = found(environments.ENVIRONMENTS[name])
    home = folder / name
    home.mkdir(exist_ok=True)
    return MlflowClient(
        name=name, python=python, major=2 if name == "mlflow2" else 3, url=url, folder=home, ready=ready(name)
    )


@pytest.fixture
def mlflow3(url: str, tmp_path: Path, ready_clients: Callable[[str], Ready | None]) -> MlflowClient:
    """MLflow's newest client."""
    return client("mlflow3", url, tmp_path, ready_clients)


@pytest.fixture
def mlflow2(url: str, tmp_path: Path, ready_clients: Callable[[str], Ready | None]) -> MlflowClient:
    """The newest client of MLflow's 2.x line."""
    return client("mlflow2", url, tmp_path, ready_clients)


@pytest.fixture(params=["mlflow3", "mlflow2"])
def mlflow(
    request: pytest.FixtureRequest, url: str, tmp_path: Path, ready_clients: Callable[[str], Ready | None]
) -> MlflowClient:
    """Each of the clients."""
    return client(request.param, url, tmp_path, ready_clients)


@pytest.fixture
def ray_client(url: str, tmp_path: Path) -> MlflowClient:
    """Ray Tune with MLflow's client."""
    return replace(client("ray", url, tmp_path), environment=_LOCAL_RAY)


@pytest.fixture
def torch_client(mlflow3: MlflowClient) -> MlflowClient:
    """MLflow's newest client in an environment that has torch."""
    found(environments.TORCH_CLIENT)
    return mlflow3
