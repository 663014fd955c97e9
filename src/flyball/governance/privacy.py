"""Privacy: which models came of personal data, and how long things are kept."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_duration
from flyball.data.personal_origin import PersonalColumn, datasets_behind, full_ref, personal_columns
from flyball.errors import Conflict, FlyballError
from flyball.governance.rules.base import PolicySpec
from flyball.refs import Ref
from flyball.serving.segments import segments_of
from flyball.storage.audit_chain import note
from flyball.verbs import change, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyball.workspace import Workspace

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalOrigin:
    """The personal data that a thing was made from, near or far.

    Attributes:
        datasets: All datasets behind it, personal or not.
    """

    ref: str
    datasets: tuple[str, ...]
    columns: tuple[PersonalColumn, ...]

    @property
    def is_personal(self) -> bool:
        """Whether there is any."""
        return bool(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What a policy of retention did, or would do, to one thing.

    Attributes:
        removed: How many segments of predictions, runs or snapshots went.
        kept: Why some stayed although they are older.
    """

    policy: str
    of: str
    name: str
    before: datetime
    removed: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """What all policies of retention did, or would do."""

    is_dry_run: bool
    done: tuple[Retained, ...]


class Privacy:
    """Follows personal data along the lineage, and removes what is kept for too long."""

    def __init__(self, here: Workspace) -> None:
        self._here = here

    @read
    def origin(self, ref: str) -> PersonalOrigin:
        """The personal data that a thing was made from, along its whole lineage.

        Args:
            ref: A model version, a snapshot, a dataset, a run or a feature view.

        Raises:
            NotFound: it is a model version that is not there.
            InvalidInput: it is no reference.
        """
        inputs: tuple[str, ...] = ()
        ref = ref if ":/" in ref else str(Ref.parse(ref, kind="models"))
        behind = [ref]
        if Ref.parse(ref).kind == "models":
            version = self._here.registry.get_version(ref)
            ref = f"models:/{version.model}/{version.version}"
            inputs = version.package.signature.inputs.names
            behind = [ref, *(full_ref(text) for text in version.snapshots)]
        names = datasets_behind(self._here.lineage, behind)
        return PersonalOrigin(
            ref=ref, datasets=tuple(names), columns=personal_columns(self._here.quality, names, inputs)
        )

    @read
    def models_of(self, dataset: str) -> builtins.list[str]:
        """References of the model versions that came of a dataset, near or far."""
        found: dict[str, None] = {}
        for start in (f"datasets:/{dataset}", *self._snapshots(dataset)):
            for edge in self._downstream(start):
                if edge.target.startswith("models:/"):
                    found[edge.target] = None
        return sorted(found)

    @change(role="maintainer")
    def retain(self, dry_run: bool = True) -> RetentionReport:
        """Removes what is older than the policies of retention let it become.

        What something still needs, such as a snapshot that a model was trained on, stays, and the report says so.

        Args:
            dry_run: Whether to tell only what would be removed.
        """
        done: list[Retained] = []
        for policy in self._here.policies.list():
            if policy.kind == "retention":
                before = self._here.time.now() - parse_duration(policy.params["keep"])
                steps = {
                    "predictions": self._predictions,
                    "snapshots": self._old_snapshots,
                    "runs_in_trash": self._runs,
                }
                done += steps[policy.params["of"]](policy, before, dry_run)
        if not dry_run:
            with self._here.database.transaction() as connection:
                for each in done:
                    note(
                        connection,
                        "privacy.removed",
                        f"policies:/{each.policy}",
                        of=each.of,
                        name=each.name,
                        removed=each.removed,
                    )
        return RetentionReport(is_dry_run=dry_run, done=tuple(done))

    def _predictions(self, policy: PolicySpec, before: datetime, dry_run: bool) -> Iterator[Retained]:
        for deployment in self._here.deployments.list(limit=1000):
            if not _fits(policy, deployment.name):
                continue
            old = [segment for segment in segments_of(self._here.store, deployment.name) if segment.high < before]
            for segment in () if dry_run else old:
                self._here.store.delete(segment.key)
            yield Retained(policy=policy.name, of="predictions", name=deployment.name, before=before, removed=len(old))

    def _old_snapshots(self, policy: PolicySpec, before: datetime, dry_run: bool) -> Iterator[Retained]:
        for name in self._datasets():
            if not _fits(policy, name):
                continue
            latest, removed, kept = True, 0, list[str]()
            for snapshot in list(self._versions(name)):
                if not latest and snapshot.created is not None and snapshot.created < before:
                    why = self._needed(name, snapshot.id) if dry_run else self._delete(name, snapshot.id)
                    kept += [why] if why else []
                    removed += not why
                latest = False
            yield Retained(
                policy=policy.name, of="snapshots", name=name, before=before, removed=removed, kept=tuple(kept)
            )

    def _runs(self, policy: PolicySpec, before: datetime, dry_run: bool) -> Iterator[Retained]:
        days = (self._here.time.now() - before).total_seconds() / 86_400
        report = self._here.trash.gc(older_than_days=days, dry_run=dry_run)
        yield Retained(policy=policy.name, of="runs_in_trash", name="", before=before, removed=report.runs)

    def _needed(self, dataset: str, snapshot: str) -> str:
        """Why a snapshot would stay; empty if it would go."""
        uses = [edge.target for edge in self._downstream(f"snapshots:/{dataset}/{snapshot}")]
        return f"{snapshot[:12]} is needed by {uses[0]}" if uses else ""

    def _delete(self, dataset: str, snapshot: str) -> str:
        try:
            self._here.data_versions.delete_snapshot(dataset, snapshot)
        except Conflict as error:
            return error.message
        return ""

    def _datasets(self) -> Iterator[str]:
        after = ""
        while page := self._here.data.list(limit=_PAGE, after=after):
            yield from (each.name for each in page)
            after = page[-1].name

    def _versions(self, dataset: str) -> Iterator[Any]:
        before = ""
        while page := self._here.data.list_snapshots(dataset, limit=_PAGE, before=before):
            yield from page
            before = page[-1].id

    def _snapshots(self, dataset: str) -> Iterator[str]:
        return (f"snapshots:/{dataset}/{each.id}" for each in self._versions(dataset))

    def _downstream(self, ref: str) -> builtins.list[Any]:
        try:
            return list(self._here.lineage.downstream(ref, depth=20))
        except FlyballError:  # nothing is known of it
            return []


def _fits(policy: PolicySpec, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in policy.params["names"])
