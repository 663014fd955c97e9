"""What is known of a loop, looked up when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from flyball.errors import FlyballError
from flyball.governance._store import policies
from flyball.refs import Ref
from flyball.serialization import from_json
from flyball.storage.audit_chain import audit

if TYPE_CHECKING:
    from flyball.data.quality import QualityReport
    from flyball.deployment.deployments import Deployment
    from flyball.deployment.rollout import Rollout
    from flyball.features.definition import FeatureView
    from flyball.loops.loops import LoopState, Training
    from flyball.monitoring.windows import Window
    from flyball.registry.approvals import Approval
    from flyball.registry.versions import ModelVersion
    from flyball.workspace import Workspace

T = TypeVar("T")
_MOST = 50


class LoopFacts:
    """A loop, its versions, data, features, deployment and windows.

    Args:
        here: The workspace's services.
        name: Name of the loop; also of its model and its deployment.

    Raises:
        NotFound: there is no such loop.
    """

    def __init__(self, here: Workspace, name: str) -> None:
        self._here = here
        self.name = name
        self.state: LoopState = here.loops.get(name)
        self.loop = self.state.loop

    @cached_property
    def trainings(self) -> list[Training]:
        """Its trainings, the latest first."""
        return self._here.loops.list_trainings(self.name, limit=_MOST)

    @cached_property
    def versions(self) -> list[ModelVersion]:
        """The latest versions of its model, the newest first."""
        return _known(lambda: self._here.registry.list_versions(self.name, limit=_MOST)) or []

    @cached_property
    def deployment(self) -> Deployment | None:
        """What serves it; None where nothing does."""
        return _known(lambda: self._here.deployments.get(self.name))

    @cached_property
    def rollouts(self) -> list[Rollout]:
        """How versions took over, the latest first."""
        return _known(lambda: self._here.deployments.list_rollouts(self.name, limit=_MOST)) or []

    @cached_property
    def champion(self) -> ModelVersion | None:
        """The version that is served, or stands as champion; else the newest."""
        served = self.deployment.champion if self.deployment else None
        for version in self.versions:
            if version.version == served or (served is None and version.stage == "champion"):
                return version
        return self.versions[0] if self.versions else None

    @cached_property
    def former_champion(self) -> int | None:
        """The version that can be gone back to."""
        return _known(lambda: self._here.lifecycle.former_champion(self.name))

    @cached_property
    def approvals(self) -> list[Approval]:
        """What people were asked about the champion."""
        if self.champion is None:
            return []
        return self._here.approvals.list(ref=f"models:/{self.name}/{self.champion.version}", limit=_MOST)

    @cached_property
    def signatures(self) -> int:
        """How many keys vouch for the champion."""
        if self.champion is None:
            return 0
        return len(self._here.signatures.list(f"models:/{self.name}/{self.champion.version}"))

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that the champion was trained on."""
        snapshots = self.champion.snapshots if self.champion else ()
        return tuple(dict.fromkeys(Ref.parse(text, kind="snapshots").name for text in snapshots))

    @cached_property
    def reports(self) -> dict[str, list[QualityReport]]:
        """What checks found, by dataset, the latest first."""
        return {name: self._here.quality.list_reports(name, limit=10) for name in self.datasets}

    @cached_property
    def is_validated(self) -> bool:
        """Whether a step of the run that made the champion checked the data."""
        run = self.champion.run if self.champion else ""
        steps = self._here.tracking.list_runs(parent=run, limit=1000) if run else []
        return any(step.name == "validate" and step.state == "finished" for step in steps)

    @cached_property
    def personal(self) -> dict[str, bool]:
        """Whether somebody has said of each dataset's columns which are personal."""
        said = {name: self._here.quality.pii_classes(name) for name in self.datasets}
        return {name: bool(classes.declared or classes.cleared) for name, classes in said.items()}

    @cached_property
    def views(self) -> list[FeatureView]:
        """The feature views that the champion learned from."""
        run = self.champion.run if self.champion else ""
        plan = _known(lambda: self._here.features.used_by(run)) if run else None
        names = [planned.view.name for planned in plan.views] if plan else []
        found = [_known(partial(self._here.features.get, name)) for name in names]
        return [view for view in found if view is not None]

    @cached_property
    def windows(self) -> list[Window]:
        """Windows of its predictions, the latest first."""
        return _known(lambda: self._here.monitoring.list_windows(self.name, limit=_MOST)) or []

    @cached_property
    def study(self) -> str:
        """The name of a finished search for params of its pipeline; empty if there is none."""
        after = ""
        while page := self._here.studies.list(limit=_MOST, after=after):
            for study in page:
                if self.loop.pipeline in study.target and self._here.studies.best(study.name):
                    return study.name
            after = page[-1].name
        return ""

    @cached_property
    def code_files(self) -> tuple[str, ...]:
        """Paths of the project's code that was applied."""
        if not self.loop.code or not self._here.blobs.has(self.loop.code):
            return ()
        return tuple(from_json(self._here.blobs.get(self.loop.code), dict[str, Any]))

    @property
    def test_files(self) -> tuple[str, ...]:
        """Those of them that are tests."""
        named = [(path, path.rpartition("/")[2]) for path in self.code_files]
        return tuple(path for path, name in named if name.startswith("test_") or name.endswith("_test.py"))

    @cached_property
    def applied_by(self) -> str:
        """The kind of account that applied it last: `user`, `service`, `system`; empty where that is not known."""
        query = sa.select(audit.c.kind).where(audit.c.subject == f"loops:/{self.name}", audit.c.verb == "loops.apply")
        row = self._here.database.row(query.order_by(audit.c.id.desc()).limit(1))
        return str(row[0]) if row else ""

    @cached_property
    def policy_kinds(self) -> frozenset[str]:
        """The kinds of rules that are in force in the project."""
        rows = self._here.database.rows(sa.select(policies.c.policy))
        return frozenset(str(row.policy.get("kind", "")) for row in rows)

    @property
    def gates(self) -> frozenset[str]:
        """The kinds of gates that a new version must pass."""
        return frozenset(gate.gate for gate in self.loop.gates)

    @property
    def monitors(self) -> frozenset[str]:
        """The kinds of monitors that watch it."""
        return frozenset(monitor.monitor for monitor in self.loop.monitors)

    @property
    def triggers(self) -> frozenset[str]:
        """The kinds of what may start a training."""
        return frozenset(trigger.trigger for trigger in self.loop.retrain)

    @property
    def is_from_ci(self) -> bool:
        """Whether a program, and no person, applied the loop."""
        return self.applied_by == "service"

    @property
    def ref(self) -> str:
        """Reference of the loop."""
        return f"loops:/{self.name}"

    @property
    def champion_ref(self) -> str:
        """Reference of the version that the tests look at."""
        return f"models:/{self.name}/{self.champion.version}" if self.champion else f"models:/{self.name}"


def _known(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except FlyballError:  # what is not there, or cannot be read, is not known
        return None
