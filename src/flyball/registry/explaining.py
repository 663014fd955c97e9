"""Explains the predictions of a registered version, against the rows that it is judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.data.arrow import to_arrow
from flyball.data.table import read_table
from flyball.evaluation.explanation import Explanation
from flyball.models.explaining import explain_model
from flyball.models.package import load_model
from flyball.models.signature import Label
from flyball.registry.versions import ModelVersion
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa


def explain_version(
    version: ModelVersion,
    rows: object,
    *,
    blobs: Blobs,
    background: object | None = None,
    target: Label | None = None,
    method: str | None = None,
    samples: int = 64,
    seed: int = 0,
) -> Explanation:
    """What each input column contributed to a version's predictions of some rows.

    Args:
        rows: Anything that holds a table with the version's columns: Arrow, pandas, Polars.
        background: Rows as they usually are; by default the held-out rows, or the example that is kept with the model.
        target: The class to explain; by default the last one, which is the positive one of two.
        method: Name of an explainer; by default the first, from exact to drawn, that can explain the model.
        samples: How many orders of the columns are drawn for a row, where no explainer is exact. `seed`: of the draws.

    Raises:
        InvalidInput: the rows do not fit the model, or it cannot be explained.
        NotFound: its files or the method are not there.
    """
    usual = to_arrow(background) if background is not None else _usual(version, blobs)
    return explain_model(
        load_model(version.package, blobs),
        to_arrow(rows),
        background=usual,
        target=target,
        method=method,
        samples=samples,
        seed=seed,
        name=f"models:/{version.model}/{version.version}",
    )


def _usual(version: ModelVersion, blobs: Blobs) -> pa.Table | None:
    return read_table(blobs.get(version.holdout)).arrow if version.holdout else None
