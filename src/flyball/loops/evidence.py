"""What the two versions of a rollout did, hour by hour: how often each was asked and was wrong."""

from __future__ import annotations

from datetime import datetime

from flyball.deployment.analysis import ArmOutcomes, Batch
from flyball.deployment.rollout import Rollout
from flyball.monitoring.examine import labelled_predictions
from flyball.monitoring.monitoring import Monitoring
from flyball.storage.object_store import ObjectStore

_SQL = """
SELECT epoch_us("at") // 3600000000 AS hour, model_version AS version, count(*) AS predictions, count(truth) AS labelled,
       count(*) FILTER (truth IS DISTINCT FROM prediction AND truth IS NOT NULL) AS wrong
FROM rows GROUP BY ALL ORDER BY ALL
"""


def gather(store: ObjectStore, monitoring: Monitoring, rollout: Rollout, until: datetime) -> list[Batch]:
    """What the champion and the new version did since the rollout began, in batches of an hour.

    A shadow's predictions count for it although they were not the answer.
    """
    import duckdb

    shadow = rollout.spec.strategy == "shadow"
    rows = labelled_predictions(
        store, monitoring, rollout.deployment, start=rollout.started, end=until, with_shadow=shadow, inputs=()
    )
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        found = connection.execute(_SQL).fetchall()
    hours: dict[int, dict[int, ArmOutcomes]] = {}
    for hour, version, predictions, labelled, wrong in found:
        arm = ArmOutcomes(predictions=predictions, labelled=labelled, wrong=wrong)
        hours.setdefault(hour, {})[version] = arm
    nothing = ArmOutcomes()
    return [
        Batch(champion=arms.get(rollout.from_version, nothing), challenger=arms.get(rollout.to_version, nothing))
        for arms in hours.values()
    ]
