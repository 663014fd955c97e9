"""What tests of a project need: a workspace of their own that is quick, because it need not survive a power cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from flyball.settings import ClockKind, load_settings
from flyball.workspace import Workspace


def workspace(folder: Path | str, clock: ClockKind = "system") -> Workspace:
    """An empty workspace in `.flyball` of a folder, whose writes do not wait for the disk.

    No `FLYBALL_*` variable counts, so a test never touches the workspace that it is run in.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, workspace(folder) as here:
    ...     here.tracking.create_run("first").state
    'running'

    Args:
        folder: Root folder of the project, such as pytest's `tmp_path`; sources of datasets are relative to it.
        clock: `virtual` for a workspace whose time stands still until it is moved with `workspace.clock.set(...)`.
    """
    import sqlalchemy as sa

    root = Path(folder).resolve()
    flags = {
        "workspace": root / ".flyball",
        "database": f"sqlite:///{root / '.flyball' / 'flyball.db'}",
        "objects": root / ".flyball" / "objects",
        "clock": clock,
    }
    settings = replace(load_settings(flags, environment={}, start=root), root=root, url="")
    made = Workspace(settings, durable=False)
    engine = made.database.engine
    engine.dispose()  # the connections that made the tables still wait for the disk
    sa.event.listen(engine, "connect", _need_not_survive_a_power_cut)
    return made


def _need_not_survive_a_power_cut(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")
