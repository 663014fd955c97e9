"""Finds out what a text names: a server, a database or a folder of MLflow's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.interchange.mlflow.content import Destination, Source
from flyball.interchange.mlflow.copying import Copy, Journal, Progress, Report
from flyball.interchange.mlflow.folder import FolderSource
from flyball.interchange.mlflow.folder_writer import FolderDestination
from flyball.interchange.mlflow.ours import WorkspaceDestination, WorkspaceSource
from flyball.interchange.mlflow.rest import Connection, RestSource
from flyball.interchange.mlflow.rest_writer import RestDestination
from flyball.interchange.mlflow.sql import SqlSource

if TYPE_CHECKING:
    from flyball.client import RemoteWorkspace
    from flyball.workspace import Workspace


def open_source(place: str, *, token: str = "", artifacts: Path | None = None) -> Source:
    """What content is read from.

    Args:
        place: A server (`http://...`), a database (an SQLite file, `sqlite:///...`, `postgresql://...`), or an `mlruns`
            folder.
        token: Sent to a server as a bearer token.
        artifacts: The folder where a server keeps the artifacts that it proxies, for databases and folders.

    Raises:
        InvalidInput: it is none of them.
    """
    if place.startswith(("http://", "https://")):
        return RestSource(Connection(place, token))
    if place.startswith("sqlite:///"):
        place = place.removeprefix("sqlite:///")
    elif "://" in place and not place.startswith("file:"):
        return SqlSource(place, artifacts)
    path = Path(place.removeprefix("file://").removeprefix("file:"))
    if path.is_dir():
        inner = path / "mlruns"
        return FolderSource(inner if inner.is_dir() and not any(path.glob("*/meta.yaml")) else path, artifacts)
    if path.is_file():
        return SqlSource(str(path), artifacts)
    raise InvalidInput(f"There is nothing at {place}.", hint="Name a server's address, an mlruns folder or a database.")


def import_from(
    workspace: Workspace | RemoteWorkspace,
    place: str,
    *,
    token: str = "",
    artifacts: Path | None = None,
    experiments: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Report:
    """Copies what an MLflow store holds into a workspace; what was copied already is not copied again.

    Args:
        experiments: Names of the only experiments to copy.

    Raises:
        InvalidInput: there is no such store.
        ServerUnreachable: its server does not answer.
    """
    source = open_source(place, token=token, artifacts=artifacts)
    with Journal(_journal(workspace, "import", place)) as journal:
        copy = Copy(source, WorkspaceDestination(workspace), journal, experiments=experiments, progress=progress)
        return copy.run()


def export_to(
    workspace: Workspace | RemoteWorkspace,
    place: str,
    *,
    token: str = "",
    experiments: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Report:
    """Copies what a workspace holds to an MLflow server or into an `mlruns` folder.

    Raises:
        ServerUnreachable: the server does not answer.
    """
    destination: Destination
    if place.startswith(("http://", "https://")):
        destination = RestDestination(Connection(place, token))
    elif "://" in place and not place.startswith("file:"):
        raise InvalidInput(f"{place} cannot be written.", hint="Name a server's address or a folder.")
    else:
        destination = FolderDestination(Path(place.removeprefix("file://")))
    with Journal(_journal(workspace, "export", place)) as journal:
        return Copy(WorkspaceSource(workspace), destination, journal, experiments=experiments, progress=progress).run()


def _journal(workspace: Workspace | RemoteWorkspace, what: str, place: str) -> Path:
    whole = place if "://" in place else str(Path(place).resolve())
    name = hashlib.sha256(f"{workspace.settings.url}\n{whole}".encode()).hexdigest()[:16]
    return workspace.cache / "interchange" / f"mlflow-{what}-{name}.jsonl"
