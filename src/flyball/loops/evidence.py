"""What the two versions of a rollout did, hour by hour: how often each was asked, failed, was slow and was wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flyball.deployment.analysis import ArmOutcomes, Batch
from flyball.deployment.rollout import Rollout
from flyball.monitoring.examine import labelled_predictions
from flyball.monitoring.monitoring import Monitoring
from flyball.serving.prediction_log import read_predictions
from flyball.storage.object_store import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

_ANSWERS = """
SELECT epoch_us("at") // 3600000000 AS hour, model_version AS version, count(*) AS predictions, count(truth) AS labelled,
       count(*) FILTER (truth IS DISTINCT FROM prediction AND truth IS NOT NULL) AS wrong
FROM rows GROUP BY ALL ORDER BY ALL
"""
# Rows of one request fail or take long together: they are one outcome.
_REQUESTS = """
WITH requests AS (
    SELECT "at", model_version AS version, request_id, latency_us, bool_or(error IS NOT NULL) AS failed, count(*) AS rows
    FROM log GROUP BY ALL
)
SELECT epoch_us("at") // 3600000000 AS hour, version, count(*) AS requests, count(*) FILTER (failed) AS failed,
       count(*) FILTER (NOT failed AND latency_us > $slow) AS slow
FROM requests GROUP BY ALL
"""
_USUAL = """
SELECT quantile_cont(latency_us, 0.95) FROM (
    SELECT DISTINCT "at", request_id, latency_us FROM log WHERE model_version = $champion AND error IS NULL
)
"""
_BEFORE = timedelta(hours=24)
_SLOWER = 2.0
_LEAST_SLOW_US = 5_000.0


def gather(
    store: ObjectStore, monitoring: Monitoring, rollout: Rollout, until: datetime, *, with_latency: bool = True
) -> list[Batch]:
    """What the champion and the new version did since the rollout began, in batches of an hour.

    A shadow's predictions count for it although they were not the answer. Slow is a request that takes longer than twice
    what 95 % of the champion's took in the day before, and than 5 ms: the bound must not depend on what is compared.

    Args:
        with_latency: Whether slow requests count; where time is virtual they would say something of the machine only.
    """
    import duckdb

    shadow = rollout.spec.strategy == "shadow"
    rows = labelled_predictions(
        store, monitoring, rollout.deployment, start=rollout.started, end=until, with_shadow=shadow, inputs=()
    )
    if shadow:
        rows = _answered(rows)
    log = _log(store, rollout.deployment, rollout.started, until)
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        answers = connection.execute(_ANSWERS).fetchall()
        slow = _usual(connection, store, rollout) if with_latency else None
        connection.register("log", log)
        asked = connection.execute(_REQUESTS, {"slow": slow if slow is not None else 2**31}).fetchall()
    figures: dict[tuple[int, int], dict[str, int]] = {}
    for hour, version, requests, failed, late in asked:
        figures.setdefault((hour, version), {}).update(requests=requests, failed=failed, slow=late)
    for hour, version, predictions, labelled, wrong in answers:
        figures.setdefault((hour, version), {}).update(predictions=predictions, labelled=labelled, wrong=wrong)
    hours: dict[int, dict[int, ArmOutcomes]] = {}
    for hour, version in sorted(figures):
        hours.setdefault(hour, {})[version] = ArmOutcomes(**figures[hour, version])
    nothing = ArmOutcomes()
    return [
        Batch(champion=arms.get(rollout.from_version, nothing), challenger=arms.get(rollout.to_version, nothing))
        for arms in hours.values()
    ]


def _answered(rows: pa.Table) -> pa.Table:
    """Without what gave no answer: that is a failure, and neither right nor wrong."""
    import pyarrow.compute as pc

    return rows.filter(pc.is_valid(rows["prediction"]))


def _log(store: ObjectStore, deployment: str, start: datetime, end: datetime) -> pa.Table:
    import pyarrow as pa

    columns = ["at", "model_version", "request_id", "latency_us", "error"]
    log, _ = read_predictions(store, deployment, start=start, end=end, columns=columns)
    if "error" not in log.column_names:
        log = log.append_column("error", pa.nulls(log.num_rows, pa.string()))
    return log.select(columns)


def _usual(connection: object, store: ObjectStore, rollout: Rollout) -> float | None:
    """Microseconds from which a request is slow; None where the champion was not asked before."""
    import duckdb

    assert isinstance(connection, duckdb.DuckDBPyConnection)
    log = _log(store, rollout.deployment, rollout.started - _BEFORE, rollout.started)
    connection.register("log", log)
    row = connection.execute(_USUAL, {"champion": rollout.from_version}).fetchone()
    connection.unregister("log")
    usual = None if row is None else row[0]
    return None if usual is None else max(_SLOWER * float(usual), _LEAST_SLOW_US)
