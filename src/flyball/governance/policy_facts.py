"""What policies look at, beside what is about to happen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from flyball.data.personal_origin import PersonalColumn, datasets_behind, full_ref, personal_columns
from flyball.errors import FlyballError, NotFound
from flyball.principals import ROLES
from flyball.storage.audit_chain import audit

if TYPE_CHECKING:
    from flyball.registry.approvals import Approval
    from flyball.registry.versions import ModelVersion
    from flyball.workspace import Workspace


class PolicyFacts:
    """Looks things up for policies, once for each question."""

    def __init__(self, here: Workspace) -> None:
        self._here = here
        self.datasets_of = lru_cache(maxsize=100)(self._datasets_of)

    def risk_of(self, model: str) -> str:
        """The class of risk that a model is tagged with; empty if with none."""
        try:
            return self._here.registered_models.get(model).tags.get("risk", "")
        except FlyballError:  # its first version is about to be registered
            return ""

    def approvals(self, ref: str) -> list[Approval]:
        """What people were asked about a version."""
        return self._here.approvals.list(ref=ref, limit=100)

    def registered_by(self, ref: str) -> str:
        """The person who registered a version; empty where it was a program or is not known."""
        query = sa.select(audit.c.who).where(
            audit.c.subject == ref, audit.c.action == "registry.version_registered", audit.c.kind == "user"
        )
        row = self._here.database.row(query.order_by(audit.c.id).limit(1))
        return str(row[0]) if row else ""

    def has_role(self, name: str, role: str) -> bool:
        """Whether a person has at least this role in the project."""
        members = {each.name: each.role for each in self._here.members.list() if each.kind == "account"}
        found = members.get(name)
        return found is not None and list(ROLES).index(found) >= list[str](ROLES).index(role)

    def tags_of(self, dataset: str) -> dict[str, str]:
        """The tags of a dataset in the catalog."""
        try:
            return dict(self._here.catalog.get(f"datasets:/{dataset}").tags)
        except FlyballError:
            return {}

    def personal_columns(self, snapshots: Iterable[str]) -> tuple[PersonalColumn, ...]:
        """Columns with personal data that were learned from, near or far."""
        return personal_columns(self._here.quality, self.datasets_of(tuple(snapshots)))

    def why_not_vouched_for(self, version: ModelVersion, keys: Iterable[str]) -> str:
        """Why none of these public keys vouches for a version as it is; empty if one does."""
        from flyball.registry.signing import verify_version

        said = ""
        for key in keys:
            with tempfile.NamedTemporaryFile("w", suffix=".pub", encoding="utf-8") as file:
                file.write(key)
                file.flush()
                try:
                    verify_version(version, Path(file.name), signatures=self._here.signatures, blobs=self._here.blobs)
                except NotFound:
                    said = said or "Reading it runs code, and no trusted key has signed it."
                except FlyballError as error:
                    said = error.message
                else:
                    return ""
        return said

    def _datasets_of(self, snapshots: tuple[str, ...]) -> list[str]:
        """The datasets behind some snapshots, near or far."""
        return datasets_behind(self._here.lineage, [full_ref(text) for text in snapshots])
