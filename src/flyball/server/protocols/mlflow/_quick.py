"""What reads the bodies of the addresses that clients ask for again and again; its module is loaded with the first request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.tracking.ingest import Batch


def _metric(body: bytes) -> Batch | None:
    from flyball.server.protocols.mlflow.metrics import read_metric

    return read_metric(body)


def _batch(body: bytes) -> Batch | None:
    from flyball.server.protocols.mlflow.metrics import read_batch

    return read_batch(body)


QUICK = {
    f"{root}/2.0/mlflow/runs/{name}": reader
    for root in ("/api", "/ajax-api")
    for name, reader in {"log-metric": _metric, "log-batch": _batch}.items()
}
"""By address, what gives the batch that a body asks to be written; None where that cannot be said at once."""
