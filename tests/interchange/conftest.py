"""Stores that a real client has filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.absent import found
from tests.servers.processes import free_port, running
from tools import environments

SCRIPT = Path(__file__).parents[1] / "protocols" / "mlflow" / "scripts" / "store.py"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet"}
QUIET_SERVER = {**QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def fill(address: str, folder: Path) -> None:
    """Lets the real client fill a store."""
    python = found(environments.MLFLOW3)
    run_python(python, folder, str(SCRIPT), address)


def run_python(python: Path, folder: Path, *arguments: str) -> str:
    """What the client's Python prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [python, "-W", "ignore", *arguments],
        env={**environment, **QUIET},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def mlruns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of MLflow's file store."""
    folder = tmp_path_factory.mktemp("file-store") / "mlruns"
    fill(folder.as_uri(), folder.parent)
    return folder


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow's, its artifacts beside it."""
    path = tmp_path_factory.mktemp("database-store") / "mlflow.db"
    fill(f"sqlite:///{path}", path.parent)
    return path


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    """MLflow's own server, with nothing in it."""
    import urllib3

    python, port = found(environments.MLFLOW3), free_port()
    home = tmp_path / "mlflow-server"
    home.mkdir()
    command: list[str | Path] = [python, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", f"{home}/artifacts"]
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib3.request("GET", f"{address}/version", retries=False, timeout=1).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    environment: list[str | Path] = ["env", *(f"{name}={value}" for name, value in QUIET_SERVER.items())]
    with running([*environment, *command, *stores], log=home / "log", ready=answers, patience=200):
        yield address
