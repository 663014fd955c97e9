"""Prompts, evaluation data sets, evaluation by scorers of one's own, webhooks."""

from __future__ import annotations

import logging
import warnings

import mlflow
from checks import check, refused, same
from mlflow import MlflowClient

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
client = MlflowClient()
experiment = mlflow.set_experiment("genai").experiment_id
ids: dict[str, str] = {}


@check
def a_prompt_is_kept_in_versions() -> None:
    first = mlflow.genai.register_prompt("greet", "Hello {{name}}", commit_message="first", tags={"k": "v"})
    second = mlflow.genai.register_prompt("greet", "Good day {{name}}")
    same((first.version, second.version), (1, 2))
    found = mlflow.genai.load_prompt("prompts:/greet/1")
    same((found.template, found.commit_message, found.format(name="Ann")), ("Hello {{name}}", "first", "Hello Ann"))
    mlflow.genai.set_prompt_alias("greet", "best", 2)
    same(mlflow.genai.load_prompt("prompts:/greet@best").template, "Good day {{name}}")
    same(mlflow.genai.load_prompt("nobody", allow_missing=True), None)
    chat = mlflow.genai.register_prompt("chat", [{"role": "user", "content": "{{q}}"}])
    same(mlflow.genai.load_prompt("chat").template, chat.template)


@check
def prompts_are_searched_and_are_no_models() -> None:
    same({p.name for p in mlflow.genai.search_prompts()}, {"greet", "chat"})
    same([p.name for p in mlflow.genai.search_prompts("name LIKE 'gre%'")], ["greet"])
    assert not {"greet", "chat"} & {m.name for m in client.search_registered_models()}
    same(len(client.search_prompt_versions("greet")), 2)


@check
def prompts_are_tagged_and_removed() -> None:
    mlflow.genai.set_prompt_tag("greet", "team", "blue")
    same(mlflow.genai.get_prompt_tags("greet")["team"], "blue")
    mlflow.genai.set_prompt_version_tag("greet", 1, "a", "b")
    same(client.get_prompt_version("greet", "1").tags["a"], "b")
    mlflow.genai.delete_prompt_version_tag("greet", 1, "a")
    mlflow.genai.delete_prompt_tag("greet", "team")
    mlflow.genai.delete_prompt_alias("greet", "best")
    client.delete_prompt_version("greet", "1")
    same(len(client.search_prompt_versions("greet")), 1)


@check
def a_prompt_used_in_a_run_is_linked_to_it() -> None:
    with mlflow.start_run() as run:
        mlflow.genai.load_prompt("prompts:/greet/2")
    assert run.info.run_id


@check
def an_evaluation_data_set_keeps_each_record_once() -> None:
    made = mlflow.genai.datasets.create_dataset("questions", experiment_id=[experiment], tags={"v": "1"})
    ids["data"] = made.dataset_id
    rows = [{"inputs": {"q": f"q{n}"}, "expectations": {"answer": f"a{n}"}, "tags": {"n": str(n)}} for n in range(5)]
    made.merge_records(rows)
    made.merge_records([*rows[:2], {"inputs": {"q": "new"}}])
    found = mlflow.genai.datasets.get_dataset(dataset_id=made.dataset_id)
    table = found.to_df()
    same(len(table), 6)
    same(sorted(row["q"] for row in table["inputs"]), ["new", "q0", "q1", "q2", "q3", "q4"])
    same((found.name, found.tags["v"], list(found.experiment_ids)), ("questions", "1", [experiment]))


@check
def evaluation_data_sets_are_searched_tagged_and_removed() -> None:
    other = mlflow.genai.datasets.create_dataset("others", experiment_id=[experiment])
    names = {d.name for d in mlflow.genai.datasets.search_datasets(experiment_ids=[experiment])}
    same(names, {"questions", "others"})
    same([d.name for d in mlflow.genai.datasets.search_datasets(filter_string="name = 'others'")], ["others"])
    mlflow.genai.datasets.set_dataset_tags(dataset_id=other.dataset_id, tags={"a": "b"})
    same(mlflow.genai.datasets.get_dataset(dataset_id=other.dataset_id).tags["a"], "b")
    mlflow.genai.datasets.delete_dataset_tag(dataset_id=other.dataset_id, key="a")
    elsewhere = client.create_experiment("genai elsewhere")
    mlflow.genai.datasets.add_dataset_to_experiments(dataset_id=other.dataset_id, experiment_ids=[elsewhere])
    same(len(mlflow.genai.datasets.get_dataset(dataset_id=other.dataset_id).experiment_ids), 2)
    mlflow.genai.datasets.remove_dataset_from_experiments(dataset_id=other.dataset_id, experiment_ids=[elsewhere])
    mlflow.genai.datasets.delete_dataset(dataset_id=other.dataset_id)
    refused(lambda: mlflow.genai.datasets.get_dataset(dataset_id=other.dataset_id), "RESOURCE_DOES_NOT_EXIST")


@check
def an_application_is_evaluated_by_scorers_of_ones_own() -> None:
    from mlflow.genai.scorers import scorer

    @scorer
    def is_short(outputs: str) -> bool:
        return len(outputs) < 10

    @scorer
    def is_right(outputs: str, expectations: dict[str, str]) -> bool:
        return outputs == expectations["answer"]

    found = mlflow.genai.evaluate(
        data=[
            {"inputs": {"q": "1"}, "expectations": {"answer": "one"}},
            {"inputs": {"q": "2"}, "expectations": {"answer": "x"}},
        ],
        predict_fn=lambda q: {"1": "one", "2": "two"}[q],
        scorers=[is_short, is_right],
    )
    same(
        {name: value for name, value in found.metrics.items() if name.endswith("/mean")},
        {"is_short/mean": 1.0, "is_right/mean": 0.5},
    )
    stored = client.get_run(found.run_id).data.metrics
    same(stored["is_right/mean"], 0.5)
    traces = client.search_traces(locations=[experiment], run_id=found.run_id)
    same(len(traces), 2)
    assert {"is_short", "is_right"} <= {a.name for t in traces for a in t.info.assessments}


@check
def scorers_are_registered() -> None:
    from mlflow.genai.judges import make_judge

    judge = make_judge(name="kind", instructions="Is {{ outputs }} kind?", model="openai:/gpt-4")
    judge.register(experiment_id=experiment)
    same([s.name for s in mlflow.genai.list_scorers(experiment_id=experiment)], ["kind"])
    same(mlflow.genai.get_scorer(name="kind", experiment_id=experiment).name, "kind")
    mlflow.genai.delete_scorer(name="kind", experiment_id=experiment, version="all")
    same(mlflow.genai.list_scorers(experiment_id=experiment), [])


@check
def webhooks_are_kept_listed_changed_and_removed() -> None:
    made = client.create_webhook(
        "hook", "https://1.1.1.1/hook", ["registered_model.created", "model_version.created"], secret="s" * 16
    )
    same((made.name, str(made.status)), ("hook", "ACTIVE"))
    same(client.get_webhook(made.webhook_id).url, "https://1.1.1.1/hook")
    same([hook.name for hook in client.list_webhooks()], ["hook"])
    changed = client.update_webhook(made.webhook_id, description="words", status="DISABLED")
    same((changed.description, str(changed.status)), ("words", "DISABLED"))
    client.delete_webhook(made.webhook_id)
    same(list(client.list_webhooks()), [])
    refused(lambda: client.get_webhook(made.webhook_id), "RESOURCE_DOES_NOT_EXIST")
    refused(
        lambda: client.create_webhook("x", "ftp://example.com", ["model_version.created"]), "INVALID_PARAMETER_VALUE"
    )
