"""The whole grammar of run searches: comparators, entities, quotes, orders, pages."""

from __future__ import annotations

import math

import mlflow
from checks import check, refused, same
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

client = MlflowClient()
experiment = mlflow.set_experiment("search").experiment_id
other = client.create_experiment("search elsewhere")
ids = {}
for number in range(6):
    name = f"run-{number}"
    made = client.create_run(experiment, start_time=1_700_000_000_000 + number * 1000, run_name=name)
    ids[name] = made.info.run_id
    metrics = [Metric("loss", number / 10, 1, 0), Metric("with space", float(number), 1, 0)]
    if number == 4:
        metrics.append(Metric("rare", 4.0, 1, 0))
    if number == 5:
        metrics[0] = Metric("loss", math.nan, 1, 0)
    params = [Param("model", "Tree" if number % 2 else "linear"), Param("number", str(number)), Param("a b", "it's")]
    tags = [
        RunTag("team", "Blue" if number < 3 else "Red"),
        RunTag("dotted.tag", str(number)),
        RunTag("mlflow.user", "u"),
    ]
    client.log_batch(made.info.run_id, metrics, params, tags)
    client.set_terminated(made.info.run_id, "FAILED" if number == 1 else "FINISHED", 1_700_000_010_000 + number)
far = client.create_run(other, start_time=1_700_000_000_000, run_name="far").info.run_id


def numbers(text: str, order: list[str] | None = None, **options: object) -> list[int]:
    found = client.search_runs([experiment], text, order_by=order or ["attributes.start_time ASC"], **options)
    return [int(run.info.run_name[-1]) for run in found]


WANTED = {
    "": [0, 1, 2, 3, 4, 5],
    "metrics.loss < 0.2": [0, 1],
    "metrics.loss <= 0.2 and metrics.loss >= 0.1": [1, 2],
    "metrics.loss = 0.3": [3],
    "metrics.loss != 0.3": [0, 1, 2, 4, 5],
    "metric.loss > .25": [3, 4],
    "metrics.loss > -1e-3": [0, 1, 2, 3, 4],
    'metrics."with space" > 3': [4, 5],
    "metrics.`with space` > 3": [4, 5],
    "metrics.rare > 0": [4],
    "metrics.unknown > 0": [],
    "params.model = 'Tree'": [1, 3, 5],
    'params.model = "Tree"': [1, 3, 5],
    "params.model != 'Tree'": [0, 2, 4],
    "params.model LIKE 'T%'": [1, 3, 5],
    "params.model LIKE 't%'": [],
    "params.model ILIKE 't%'": [1, 3, 5],
    "parameters.number = '3'": [3],
    "param.number = '3' AND params.model = 'Tree'": [3],
    'params.`a b` = "it\'s"': [0, 1, 2, 3, 4, 5],
    "tags.team = 'Blue'": [0, 1, 2],
    "tag.team = 'Red' AND metrics.loss < 0.35": [3],
    "tags.dotted.tag = '3'": [3],
    "tags.`dotted.tag` = '3'": [3],
    "tags.\"dotted.tag\" = '3'": [3],
    "tags.team LIKE '%e%'": [0, 1, 2, 3, 4, 5],
    "tags.team ILIKE 'blu_'": [0, 1, 2],
    "tags.nobody = 'x'": [],
    "tags.nobody != 'x'": [],
    "attributes.status = 'FAILED'": [1],
    "status != 'FAILED'": [0, 2, 3, 4, 5],
    "attribute.status = 'FINISHED' and attr.run_name = 'run-4'": [4],
    "run_name LIKE 'run-%'": [0, 1, 2, 3, 4, 5],
    "`run name` = 'run-2'": [2],
    "attributes.run_name ILIKE 'RUN-5'": [5],
    "start_time > 1700000003000": [4, 5],
    "attributes.start_time <= 1700000001000": [0, 1],
    "Created >= 1700000005000": [5],
    "attributes.end_time = 1700000010002": [2],
    "end_time >= 1700000010003": [3, 4, 5],
    "attributes.artifact_uri LIKE '%artifacts'": [0, 1, 2, 3, 4, 5],
    "metrics.loss < 0.4 AND params.model = 'Tree' AND tags.team = 'Red' AND status = 'FINISHED'": [3],
}


@check
def what_each_filter_finds() -> None:
    wrong = {}
    for text, wanted in WANTED.items():
        try:
            found = numbers(text)
        except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
            wrong[text] = f"{type(error).__name__} {str(error)[:150]}"
        else:
            if found != wanted:
                wrong[text] = f"found {found}, wanted {wanted}"
    assert not wrong, "\n   ".join(f"{text}: {said}" for text, said in wrong.items())


@check
def runs_are_found_by_their_ids() -> None:
    chosen = f"('{ids['run-1']}', '{ids['run-3']}')"
    same(numbers(f"attributes.run_id IN {chosen}"), [1, 3])
    same(numbers(f"attributes.run_id NOT IN {chosen}"), [0, 2, 4, 5])
    same(numbers(f"run_id = '{ids['run-2']}'"), [2])
    same(numbers(f"run_id != '{ids['run-2']}'"), [0, 1, 3, 4, 5])


WRONG = [
    "metrics.loss = 'text'",
    "params.model = 3",
    "params.model > 'a'",
    "metrics.loss LIKE '1'",
    "tags.team > 'a'",
    "status > 'FINISHED'",
    "attributes.colour = 'red'",
    "colour = 'red'",
    "fruit.apple = 'x'",
    "metrics.loss == 1",
    "metrics.loss = ",
    "metrics.loss",
    "= 3",
    "params.model = 'Tree' OR params.model = 'linear'",
    "start_time = 'x'",
    "params.model = 'unclosed",
    "run_id IN ()",
]


@check
def what_cannot_be_read_is_refused() -> None:
    wrong = {}
    for text in WRONG:
        try:
            refused(lambda text=text: numbers(text), "INVALID_PARAMETER_VALUE")
        except AssertionError as error:
            wrong[text] = str(error)[:200]
    assert not wrong, "\n   ".join(f"{text}: {said}" for text, said in wrong.items())


@check
def orders() -> None:
    same(numbers("", ["metrics.loss ASC"]), [0, 1, 2, 3, 4, 5])
    same(numbers("", ["metrics.loss DESC"])[:5], [4, 3, 2, 1, 0])
    same(numbers("", ["metrics.rare DESC", "start_time"])[0], 4)
    same(numbers("", ["metrics.rare ASC", "start_time"]), [4, 0, 1, 2, 3, 5])
    same(numbers("", ["params.model DESC", "attributes.start_time DESC"]), [4, 2, 0, 5, 3, 1])
    same(numbers("", ["tags.team", "params.number DESC"]), [2, 1, 0, 5, 4, 3])
    same(numbers("", ["attributes.run_name DESC"]), [5, 4, 3, 2, 1, 0])
    same(numbers("", ["status", "end_time desc"]), [1, 5, 4, 3, 2, 0])
    same(numbers("", ["metrics.`with space` DESC"]), [5, 4, 3, 2, 1, 0])
    same(numbers("", ["`start_time` DESC"]), [5, 4, 3, 2, 1, 0])


@check
def newest_come_first() -> None:
    found = client.search_runs([experiment])
    same([run.info.run_name for run in found], [f"run-{n}" for n in reversed(range(6))])


@check
def wrong_orders_are_refused() -> None:
    for order in ("metrics.loss UP", "colour", "metrics.loss ASC DESC", "datasets.name", ""):
        refused(lambda order=order: client.search_runs([experiment], "", order_by=[order]), "INVALID_PARAMETER_VALUE")


@check
def pages() -> None:
    seen, token = [], None
    for _ in range(3):
        page = client.search_runs([experiment], "", max_results=2, order_by=["metrics.loss DESC"], page_token=token)
        seen += [int(run.info.run_name[-1]) for run in page]
        token = page.token
    same(seen, numbers("", ["metrics.loss DESC"]))
    same(token, None)
    refused(lambda: client.search_runs([experiment], page_token="rubbish"), "INVALID_PARAMETER_VALUE")


@check
def limits_of_a_page() -> None:
    refused(lambda: client.search_runs([experiment], max_results=50_001), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.search_runs([experiment], max_results=-1), "INVALID_PARAMETER_VALUE")
    same(len(client.search_runs([experiment], max_results=50_000)), 6)


@check
def several_experiments_at_once() -> None:
    same(len(client.search_runs([experiment, other])), 7)
    same([run.info.run_id for run in client.search_runs([other])], [far])
    same(len(client.search_runs([])), 0)
    same(len(client.search_runs(["987654321"])), 0)


@check
def a_table_of_runs() -> None:
    table = mlflow.search_runs([experiment, other], filter_string="metrics.loss > 0.05", order_by=["metrics.loss"])
    same(list(table["metrics.loss"].round(3)), [0.1, 0.2, 0.3, 0.4])
    same(mlflow.search_runs([experiment], output_format="list")[0].info.run_name, "run-5")
    same(len(mlflow.search_runs(experiment_names=["search"])), 6)
    assert len(mlflow.search_runs(search_all_experiments=True)) >= 7


@check
def data_sets() -> None:
    import numpy as np

    with mlflow.start_run(run_id=ids["run-2"]):
        mlflow.log_input(mlflow.data.from_numpy(np.zeros(2), name="flowers", digest="d1"), context="train")
    same(numbers("dataset.name = 'flowers'"), [2])
    same(numbers("datasets.name LIKE 'flow%' AND dataset.digest = 'd1'"), [2])
    same(numbers("dataset.context = 'train'"), [2])
    same(numbers("dataset.name IN ('flowers', 'x')"), [2])
    same(numbers("dataset.context = 'test'"), [])
    refused(lambda: numbers("dataset.colour = 'x'"), "INVALID_PARAMETER_VALUE")
