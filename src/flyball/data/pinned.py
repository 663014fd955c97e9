"""Datasets as they stood for one run, for work that must see the same rows again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.data.dataset import Dataset
from flyball.data.manifest import Snapshot
from flyball.errors import NotFound

if TYPE_CHECKING:
    from flyball.data.datasets import Data


class PinnedData:
    """The catalog of datasets, where each name gives one snapshot and nothing is written.

    Args:
        data: The catalog itself.
        snapshots: The snapshot of each dataset that may be read.
    """

    def __init__(self, data: Data, snapshots: Mapping[str, Snapshot]) -> None:
        self._data = data
        self._snapshots = dict(snapshots)

    def get_snapshot(self, dataset: str, version: str = "latest", as_of: datetime | None = None) -> Snapshot:
        """The snapshot that the dataset is pinned to, whichever is asked for.

        Raises:
            NotFound: the dataset is not pinned.
        """
        found = self._snapshots.get(dataset)
        if found is None:
            raise NotFound(
                f"The run has read no snapshot of '{dataset}'.",
                hint=f"It has read: {', '.join(self._snapshots) or 'none'}.",
            )
        return found

    def declare(self, dataset: Dataset) -> Dataset:
        """Gives the declaration back; the catalog's entry stays as it is."""
        return dataset

    def record_snapshot(self, snapshot: Snapshot, branch: str = "latest") -> Snapshot:
        """The pinned snapshot in place of another one."""
        return self.get_snapshot(snapshot.dataset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)
