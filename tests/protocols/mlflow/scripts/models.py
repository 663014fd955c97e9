"""Models: logged, searched, registered, versioned, aliased, staged, loaded, evaluated, removed."""

from __future__ import annotations

import warnings

import mlflow
import pandas as pd
from checks import check, refused, same
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
client = MlflowClient()
MAJOR = int(mlflow.__version__[0])
NAME = {"name": "model"} if MAJOR == 3 else {"artifact_path": "model"}
experiment = mlflow.set_experiment("models").experiment_id
frame, target = load_iris(as_frame=True, return_X_y=True)
model = LogisticRegression(max_iter=200).fit(frame, target)
wanted = list(model.predict(frame))
ids: dict[str, str] = {}


@check
def a_model_is_logged_and_loaded_from_its_run() -> None:
    with mlflow.start_run() as run:
        made = mlflow.sklearn.log_model(
            model, **NAME, signature=infer_signature(frame, model.predict(frame)), input_example=frame[:2]
        )
    ids["run"], ids["uri"] = run.info.run_id, made.model_uri
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    same(list(loaded.predict(frame)), wanted)
    same(list(mlflow.sklearn.load_model(made.model_uri).predict(frame)), wanted)
    same(loaded.metadata.signature.inputs.input_names(), list(frame.columns))
    assert loaded.metadata.saved_input_example_info


@check
def a_logged_model_is_found_and_carries_metrics() -> None:
    if MAJOR < 3:
        return
    with mlflow.start_run(run_id=ids["run"]):
        logged = mlflow.sklearn.log_model(
            model, name="second", params={"c": 1.0}, tags={"colour": "red"}, model_type="clf"
        )
        mlflow.log_metric("accuracy", 0.91, model_id=logged.model_id, step=2)
        mlflow.log_metrics(
            {"f1": 0.8}, model_id=logged.model_id, dataset=mlflow.data.from_pandas(frame, name="iris", digest="d1")
        )
    ids["model"] = logged.model_id
    found = mlflow.get_logged_model(logged.model_id)
    same((found.name, str(found.status), found.model_type, found.source_run_id), ("second", "READY", "clf", ids["run"]))
    same((found.params["c"], found.tags["colour"]), ("1.0", "red"))
    same({m.key: m.value for m in found.metrics}, {"accuracy": 0.91, "f1": 0.8})
    same(next(m for m in found.metrics if m.key == "f1").dataset_name, "iris")
    outputs = client.get_run(ids["run"]).outputs.model_outputs
    same(logged.model_id in {o.model_id for o in outputs}, True)


@check
def logged_models_are_searched() -> None:
    if MAJOR < 3:
        return

    def names(text: str | None = None, **options: object) -> list[str]:
        return [m.name for m in mlflow.search_logged_models([experiment], text, output_format="list", **options)]

    same(sorted(names()), ["model", "second"])
    same(names("name = 'second'"), ["second"])
    same(names("metrics.accuracy > 0.9"), ["second"])
    same(names("metrics.accuracy > 0.95"), [])
    same(names("params.c = '1.0' AND tags.colour = 'red'"), ["second"])
    same(names("attributes.status = 'READY' AND model_type = 'clf'"), ["second"])
    same(names(f"source_run_id = '{ids['run']}' AND name LIKE 'mod%'"), ["model"])
    same(names(f"model_id IN ('{ids['model']}')"), ["second"])
    same(names(order_by=[{"field_name": "metrics.accuracy", "ascending": False}])[0], "second")
    same(names(order_by=[{"field_name": "creation_time", "ascending": True}]), ["model", "second"])
    same(names("metrics.f1 > 0.5", datasets=[{"dataset_name": "iris", "dataset_digest": "d1"}]), ["second"])
    same(len(names(max_results=1)), 1)
    page = client.search_logged_models([experiment], max_results=1)
    same([m.name for m in client.search_logged_models([experiment], max_results=1, page_token=page.token)], ["model"])
    try:  # MLflow's own server fails at this with 500; any refusal will do
        names("colour = 'x'")
    except mlflow.MlflowException:
        pass
    else:
        raise AssertionError("not refused")


@check
def a_logged_model_is_tagged_finished_and_removed() -> None:
    if MAJOR < 3:
        return
    made = mlflow.initialize_logged_model(name="by hand", tags={"a": "1"}, params={"p": "q"})
    same(str(made.status), "PENDING")
    same(str(mlflow.finalize_logged_model(made.model_id, "FAILED").status), "FAILED")
    mlflow.set_logged_model_tags(made.model_id, {"b": "2"})
    mlflow.delete_logged_model_tag(made.model_id, "a")
    same({k: v for k, v in client.get_logged_model(made.model_id).tags.items() if "." not in k}, {"b": "2"})
    mlflow.log_model_params({"later": "1"}, made.model_id)
    same(client.get_logged_model(made.model_id).params, {"p": "q", "later": "1"})
    client.delete_logged_model(made.model_id)
    refused(lambda: client.get_logged_model(made.model_id), "RESOURCE_DOES_NOT_EXIST")
    external = mlflow.create_external_model(name="elsewhere")
    same(client.get_logged_model(external.model_id).name, "elsewhere")


@check
def a_model_is_registered_and_loaded_by_version_and_alias() -> None:
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, **NAME, registered_model_name="iris", input_example=frame[:2])
        mlflow.sklearn.log_model(model, **NAME, registered_model_name="iris")
    found = client.get_registered_model("iris")
    same(found.name, "iris")
    assert found.creation_timestamp <= found.last_updated_timestamp
    version = client.get_model_version("iris", "1")
    same((version.name, str(version.version), version.status, version.run_id), ("iris", "1", "READY", run.info.run_id))
    same(str(client.get_model_version("iris", "2").version), "2")
    client.set_registered_model_alias("iris", "champion", "1")
    same(str(client.get_model_version_by_alias("iris", "champion").version), "1")
    client.set_registered_model_alias("iris", "champion", "2")
    same(str(client.get_model_version_by_alias("iris", "champion").version), "2")
    same({a: str(v) for a, v in client.get_registered_model("iris").aliases.items()}, {"champion": "2"})
    same(list(client.get_model_version("iris", "2").aliases), ["champion"])
    for uri in ("models:/iris@champion", "models:/iris/1", "models:/iris/latest"):
        same(list(mlflow.pyfunc.load_model(uri).predict(frame)), wanted)
    same(list(mlflow.sklearn.load_model("models:/iris@champion").predict(frame)), wanted)
    client.delete_registered_model_alias("iris", "champion")
    refused(lambda: client.get_model_version_by_alias("iris", "champion"), "INVALID_PARAMETER_VALUE")
    client.delete_registered_model_alias("iris", "never-set")
    refused(lambda: client.set_registered_model_alias("iris", "x", "99"), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.set_registered_model_alias("iris", "latest", "1"), "INVALID_PARAMETER_VALUE")


@check
def register_model_takes_a_run_or_a_logged_model() -> None:
    made = mlflow.register_model(f"runs:/{ids['run']}/model", "from run", tags={"k": "v"})
    same((str(made.version), client.get_model_version("from run", made.version).tags["k"]), ("1", "v"))
    if MAJOR == 3:
        mlflow.register_model(f"models:/{ids['model']}", "from logged")
        same(list(mlflow.pyfunc.load_model("models:/from logged/1").predict(frame)), wanted)


@check
def a_registered_model_is_described_renamed_tagged_and_removed() -> None:
    client.create_registered_model("m é %41", tags={"a": "1"}, description="what it is")
    name = "m é %41"
    refused(lambda: client.create_registered_model(name), "RESOURCE_ALREADY_EXISTS")
    same(client.get_registered_model(name).description, "what it is")
    client.update_registered_model(name, description="else")
    client.set_registered_model_tag(name, "b", "2")
    client.delete_registered_model_tag(name, "a")
    same((client.get_registered_model(name).description, client.get_registered_model(name).tags), ("else", {"b": "2"}))
    client.rename_registered_model(name, "renamed")
    same(client.get_registered_model("renamed").tags, {"b": "2"})
    refused(lambda: client.get_registered_model(name), "RESOURCE_DOES_NOT_EXIST", name)
    client.delete_registered_model("renamed")
    refused(lambda: client.get_registered_model("renamed"), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.create_registered_model(""), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.create_registered_model("a/b"), "INVALID_PARAMETER_VALUE")


@check
def versions_are_described_tagged_staged_and_removed() -> None:
    client.create_registered_model("staged")
    known = client.get_model_version("from run", "1")
    options = {"model_id": known.source.rpartition("/")[2]} if known.source.startswith("models:/") else {}
    source = known.source
    for number in range(3):
        made = client.create_model_version(
            "staged", source, ids["run"], tags={"n": str(number)}, description=f"d{number}", **options
        )
        same(str(made.version), str(number + 1))
    client.update_model_version("staged", "1", description="new words")
    client.set_model_version_tag("staged", "1", "k", "v")
    client.delete_model_version_tag("staged", "1", "n")
    found = client.get_model_version("staged", "1")
    same((found.description, found.tags, found.current_stage), ("new words", {"k": "v"}, "None"))
    client.transition_model_version_stage("staged", "1", "Production")
    client.transition_model_version_stage("staged", "2", "production", archive_existing_versions=True)
    same(client.get_model_version("staged", "1").current_stage, "Archived")
    same([str(v.version) for v in client.get_latest_versions("staged", ["Production"])], ["2"])
    same(
        {v.current_stage: str(v.version) for v in client.get_latest_versions("staged")},
        {"Archived": "1", "Production": "2", "None": "3"},
    )
    same(str(mlflow.pyfunc.load_model("models:/staged/Production").metadata.run_id), ids["run"])
    refused(lambda: client.transition_model_version_stage("staged", "1", "Nowhere"), "INVALID_PARAMETER_VALUE")
    client.delete_model_version("staged", "3")
    refused(lambda: client.get_model_version("staged", "3"), "RESOURCE_DOES_NOT_EXIST")
    same(str(client.create_model_version("staged", source, ids["run"], **options).version), "4")
    assert client.get_model_version_download_uri("staged", "1")


@check
def models_and_versions_are_searched() -> None:
    def names(text: str | None = None, **options: object) -> list[str]:
        return [m.name for m in client.search_registered_models(text, **options)]

    for name in ("tree-a", "tree-b", "Tree-c"):
        client.create_registered_model(name, tags={"kind": "tree", "name": name})
    same(names("name LIKE 'tree-%'"), ["tree-a", "tree-b"])
    same(sorted(names("name ILIKE 'tree-%'")), ["Tree-c", "tree-a", "tree-b"])
    same(names("name = 'tree-a'"), ["tree-a"])
    same(names("tags.kind = 'tree' AND name != 'tree-a'", order_by=["name DESC"]), ["tree-b", "Tree-c"])
    same(names("tags.`name` LIKE '%b'"), ["tree-b"])
    first = client.search_registered_models("tags.kind = 'tree'", max_results=2, order_by=["name ASC"])
    rest = client.search_registered_models("tags.kind = 'tree'", 2, ["name ASC"], page_token=first.token)
    same((len(first), len(rest)), (2, 1))
    refused(lambda: names("colour = 'x'"), "INVALID_PARAMETER_VALUE")

    def versions(text: str, **options: object) -> list[str]:
        return [f"{v.name}/{v.version}" for v in client.search_model_versions(text, **options)]

    same(versions("name = 'iris'", order_by=["version_number ASC"]), ["iris/1", "iris/2"])
    same(versions("name = 'iris'", order_by=["version_number DESC"]), ["iris/2", "iris/1"])
    same(set(versions(f"run_id = '{ids['run']}'")) >= {"from run/1", "staged/1"}, True)
    same(versions("tags.k = 'v' AND name = 'staged'"), ["staged/1"])
    same(versions("name LIKE 'stag%' AND version_number > 2"), ["staged/4"])
    refused(lambda: versions("colour = 'x'"), "INVALID_PARAMETER_VALUE")


@check
def a_version_is_copied() -> None:
    made = client.copy_model_version("models:/iris/1", "copied")
    same((made.name, str(made.version)), ("copied", "1"))
    same(list(mlflow.pyfunc.load_model("models:/copied/1").predict(frame)), wanted)


@check
def a_version_without_files_of_ours_is_kept_as_an_address() -> None:
    client.create_registered_model("remote")
    client.create_model_version("remote", "s3://bucket/model")
    same(client.get_model_version_download_uri("remote", "1"), "s3://bucket/model")
    for source in ("file:///etc", "/etc/passwd", "file:../../x"):
        refused(lambda source=source: client.create_model_version("remote", source), "INVALID_PARAMETER_VALUE")


@check
def a_function_of_ones_own_is_a_model() -> None:
    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:
            return model_input * 2

    with mlflow.start_run():
        mlflow.pyfunc.log_model(**{next(iter(NAME)): "twice"}, python_model=Twice(), registered_model_name="twice")
    same(list(mlflow.pyfunc.load_model("models:/twice/1").predict(pd.DataFrame({"a": [1, 2]}))["a"]), [2, 4])


@check
def a_model_is_evaluated() -> None:
    data = frame.assign(target=target)
    with mlflow.start_run() as run:
        found = mlflow.models.evaluate(
            "models:/iris/1",
            data,
            targets="target",
            model_type="classifier",
            evaluator_config={"log_model_explainability": False, "log_explainer": False},
        )
    assert found.metrics["accuracy_score"] > 0.9
    stored = client.get_run(run.info.run_id)
    same(stored.data.metrics["accuracy_score"], found.metrics["accuracy_score"])
    assert any("confusion" in file.path for file in client.list_artifacts(run.info.run_id))
