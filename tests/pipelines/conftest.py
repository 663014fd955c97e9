"""What the tests of pipelines share: services as a run wants them, and a project in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.pipelines.cache import StepCache
from flyball.pipelines.code_snapshot import load_project
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.result import PipelineResult
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking


@dataclass
class Services:
    """What a run works with."""

    tracking: Tracking
    step_cache: StepCache
    blobs: Blobs
    clock: FixedClock
    project_root: Path
    database: Database
    code: str = ""


@dataclass
class ProjectFolder:
    """A project in a folder, run in this process as `flyball run` does."""

    root: Path
    services: Services
    states: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """Writes a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Changes a file in place."""
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def run(self, pipeline: str = "main", **given: Any) -> PipelineResult:
        """Loads the project anew and runs a pipeline; `states` and `reasons` say what became of the steps.

        Args:
            pipeline: Its name.
            **given: Settings of the run by their names; all others are params.
        """
        project = load_project(self.root, "project.py")
        settings = {name: given.pop(name) for name in ("only", "again_from", "run_id", "shared") if name in given}
        result = run_pipeline(project.pipelines[pipeline], given, services=self.services, **settings)
        self.states = {step.name: step.state for step in result.steps}
        self.reasons = {step.name: step.reason for step in result.steps}
        return result


@pytest.fixture
def services_on_each(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock, tmp_path: Path) -> Services:
    """Services on SQLite, and then on PostgreSQL, for what is written into tables."""
    root = tmp_path / "project"
    root.mkdir()
    parts = (database, blobs, events, clock)
    return Services(Tracking(*parts), StepCache(*parts), blobs, clock, root, database)


@pytest.fixture
def services(sqlite_url: str, blobs: Blobs, clock: FixedClock, tmp_path: Path) -> Iterator[Services]:
    """Services on SQLite alone, for what has nothing to do with the database."""
    root = tmp_path / "project"
    root.mkdir()
    database = Database(sqlite_url)
    parts = (database, blobs, EventLog(database, clock), clock)
    yield Services(Tracking(*parts), StepCache(*parts), blobs, clock, root, database)
    database.close()


@pytest.fixture
def project(services: Services) -> ProjectFolder:
    return ProjectFolder(services.project_root, services)
