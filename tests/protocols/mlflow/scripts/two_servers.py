"""Two servers on one database, written to at the same time; the first argument is the other one's address."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from checks import check, same
from mlflow import MlflowClient
from mlflow.entities import Metric

one, other = MlflowClient(os.environ["MLFLOW_TRACKING_URI"]), MlflowClient(sys.argv[1])
experiment = one.create_experiment("two servers")
POINTS, VERSIONS, MOVES = 100, 10, 30


def both(work: object, count: int) -> list[object]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda n: work((one, other)[n % 2], n), range(count)))


@check
def what_one_makes_the_other_sees() -> None:
    same(other.get_experiment(experiment).name, "two servers")
    run = other.create_run(experiment).info.run_id
    one.log_param(run, "a", "1")
    other.log_param(run, "a", "1")
    same(one.get_run(run).data.params, {"a": "1"})


@check
def no_point_is_lost_or_doubled() -> None:
    run = one.create_run(experiment).info.run_id
    both(lambda client, n: client.log_metric(run, "m", float(n), timestamp=n, step=n), POINTS)
    both(
        lambda client, n: client.log_batch(run, [Metric("batch", float(s), s, s) for s in range(n * 50, n * 50 + 100)]),
        10,
    )
    for client in (one, other):
        same([point.step for point in client.get_metric_history(run, "m")], list(range(POINTS)))
        same([point.step for point in client.get_metric_history(run, "batch")], list(range(550)))
        same(client.get_run(run).data.metrics, {"m": POINTS - 1.0, "batch": 549.0})


@check
def each_number_of_a_version_is_given_once() -> None:
    one.create_registered_model("shared")
    made = both(lambda client, n: int(client.create_model_version("shared", f"s3://bucket/{n}").version), VERSIONS)
    same(sorted(made), list(range(1, VERSIONS + 1)))


@check
def an_alias_moves_without_a_failure() -> None:
    both(lambda client, n: client.set_registered_model_alias("shared", "champion", str(n % VERSIONS + 1)), MOVES)
    found = {str(client.get_model_version_by_alias("shared", "champion").version) for client in (one, other)}
    same(len(found), 1)


@check
def a_name_is_given_once() -> None:
    def make(client: MlflowClient, n: int) -> str:
        try:
            return client.create_experiment(f"race {n // 4}")
        except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
            return str(error.error_code)

    found = both(make, 16)
    same(found.count("RESOURCE_ALREADY_EXISTS"), 12)
