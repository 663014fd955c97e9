"""MLflow's registry by raw requests: models, versions, aliases, stages, prompts, webhooks, and where versions come from."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from flyball.errors import Conflict
from flyball.models.package import ModelPackage
from flyball.registry.versions import Registry
from flyball.workspace import Workspace
from tests.servers.mlflow_api import NONE, SEE, Api

PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
MLMODEL = {
    "flavors": {
        "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl", "python_version": "3.11.7"},
        "sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"},
    },
    "signature": {
        "inputs": json.dumps([{"type": "double", "name": "age", "required": True}]),
        "outputs": json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]),
    },
}


@pytest.fixture
def model(api: Api) -> str:
    """A registered model, `churn`."""
    api.post("registered-models/create", name="churn", description="Who leaves?", tags=[{"key": "a", "value": "1"}])
    return "churn"


@pytest.fixture
def version(api: Api, model: str) -> dict[str, Any]:
    """Its first version."""
    return create(api, model)


def create(api: Api, name: str, source: str = "s3://bucket/model", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("model-versions/create", name=name, source=source, **more)["model_version"]
    return made


def get(api: Api, name: str, version: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = api.get("model-versions/get", name=name, version=version)["model_version"]
    return found


def delete(api: Api, path: str, **given: str) -> None:
    answer = api.http.request("DELETE", f"/api/2.0/mlflow/{path}", json=given)
    assert (answer.status_code, answer.json()) == (200, {})


def patch(api: Api, path: str, **given: Any) -> dict[str, Any]:
    answer = api.http.request("PATCH", f"/api/2.0/mlflow/{path}", json=given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put_model(api: Api, root: str, said: object = None) -> None:
    """Brings a model folder to an address of artifacts."""
    files = {
        "MLmodel": json.dumps(said or MLMODEL),
        "model.pkl": "bytes",
        "requirements.txt": "scikit-learn==1.9.1\nfoo\n",
    }
    path = root.removeprefix("mlflow-artifacts:/")
    for name, text in files.items():
        answer = api.http.put(f"/api/2.0/mlflow-artifacts/artifacts/{path}/{name}", content=text.encode())
        assert answer.status_code == 200, answer.text


def root_of(api: Api, run: str) -> str:
    root: str = api.get("runs/get", run_id=run)["run"]["info"]["artifact_uri"]
    return root


def test_a_model_is_as_mlflow_writes_it(api: Api, model: str) -> None:
    found = api.get("registered-models/get", name=model)["registered_model"]
    times = [found.pop(name) for name in ("creation_timestamp", "last_updated_timestamp")]
    assert all(isinstance(time, int) for time in times)
    assert found == {"name": "churn", "description": "Who leaves?", "tags": [{"key": "a", "value": "1"}]}


def test_a_version_is_as_mlflow_writes_it(api: Api, model: str) -> None:
    made = create(api, model, run_id=NONE, description="d", tags=[{"key": "k", "value": "v"}])
    assert made == get(api, model)
    assert {name: value for name, value in made.items() if not name.endswith("_timestamp")} == {
        "name": "churn", "version": "1", "current_stage": "None", "description": "d", "source": "s3://bucket/model",
        "run_id": NONE, "status": "READY", "run_link": "", "tags": [{"key": "k", "value": "v"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("registered-models/create", {}, f"Missing value for required parameter 'name'.{SEE}"),
        ("registered-models/create", {"name": " "}, "Missing value for required parameter 'name'."),
        ("registered-models/create", {"name": "a/b"}, "Invalid model name 'a/b'. Names cannot contain '/' or ':'."),
        ("registered-models/create", {"name": "a:b"}, "Invalid model name 'a:b'. Names cannot contain '/' or ':'."),
        ("registered-models/create", {"name": "churn"}, "Registered Model (name=churn) already exists."),
        ("registered-models/rename", {"name": "churn", "new_name": "a/b"}, "Invalid model name 'a/b'."),
        (
            "registered-models/set-tag",
            {"name": "churn", "key": "a?", "value": ""},
            "Invalid value \"a?\" for parameter 'key'",
        ),
        ("registered-models/alias", {"name": "churn", "alias": "latest", "version": "1"}, "'latest' alias name"),
        (
            "registered-models/alias",
            {"name": "churn", "alias": "v2", "version": "1"},
            "Version alias name 'v2' is reserved.",
        ),
        ("registered-models/alias", {"name": "churn", "alias": "a b", "version": "1"}, "Invalid alias name: 'a b'."),
        ("model-versions/create", {"name": "churn"}, f"Missing value for required parameter 'source'.{SEE}"),
        (
            "model-versions/set-tag",
            {"name": "churn", "version": "x", "key": "a"},
            "Parameter 'version' must be an integer, got 'x'.",
        ),
        (
            "model-versions/transition-stage",
            {"name": "churn", "version": "1", "stage": "live"},
            "Invalid Model Version stage: live. Value must be one of None, Staging, Production, Archived.",
        ),
    ],
)
def test_refusals_are_in_mlflows_words(
    api: Api, version: dict[str, Any], path: str, body: dict[str, Any], message: str
) -> None:
    status, code, said = api.refused(path, "POST", **body)
    assert status == 400
    assert code in ("INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS")
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("path", "method", "body", "message"),
    [
        ("registered-models/get", "GET", {"name": "x"}, "Registered Model with name=x not found"),
        ("registered-models/rename", "POST", {"name": "x", "new_name": "y"}, "Registered Model with name=x not found"),
        ("registered-models/set-tag", "POST", {"name": "x", "key": "a"}, "Registered Model with name=x not found"),
        (
            "model-versions/create",
            "POST",
            {"name": "x", "source": "s3://b/m"},
            "Registered Model with name=x not found",
        ),
        (
            "model-versions/get",
            "GET",
            {"name": "churn", "version": 9},
            "Model Version (name=churn, version=9) not found",
        ),
        (
            "model-versions/get",
            "GET",
            {"name": "churn", "version": 0},
            "Model Version (name=churn, version=-1) not found",
        ),
        (
            "registered-models/alias",
            "POST",
            {"name": "churn", "alias": "a", "version": "9"},
            "Model Version (name=churn, version=9)",
        ),
        ("webhooks/none", "GET", {}, "Webhook with ID none not found."),
    ],
)
def test_what_is_not_there_is_told_in_mlflows_words(
    api: Api, model: str, path: str, method: str, body: dict[str, Any], message: str
) -> None:
    status, code, said = api.refused(path, method, **body)
    assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert said.startswith(message)


def test_a_model_is_described_tagged_renamed_and_removed(api: Api, model: str, version: dict[str, Any]) -> None:
    assert (
        patch(api, "registered-models/update", name=model, description="new")["registered_model"]["description"]
        == "new"
    )
    api.post("registered-models/set-tag", name=model, key="b", value="2")
    delete(api, "registered-models/delete-tag", name=model, key="a")
    delete(api, "registered-models/delete-tag", name=model, key="never")
    renamed = api.post("registered-models/rename", name=model, new_name="late flights")["registered_model"]
    assert renamed["tags"] == [{"key": "b", "value": "2"}]
    assert [found["name"] for found in renamed["latest_versions"]] == ["late flights"]
    delete(api, "registered-models/delete", name="late flights")
    assert api.get("registered-models/search") == {}


def test_a_version_is_described_tagged_and_removed(api: Api, version: dict[str, Any]) -> None:
    patch(api, "model-versions/update", name="churn", version="1", description="new")
    api.post("model-versions/set-tag", name="churn", version="1", key="k", value="v")
    delete(api, "model-versions/delete-tag", name="churn", version="1", key="never")
    found = get(api, "churn")
    assert (found["description"], found["tags"]) == ("new", [{"key": "k", "value": "v"}])
    delete(api, "model-versions/delete", name="churn", version="1")
    assert api.refused("model-versions/get", "GET", name="churn", version=1)[0] == 404
    assert create(api, "churn")["version"] == "2"


def test_stages_are_mlflows_own_and_say_nothing_of_the_champion(
    api: Api, workspace: Workspace, version: dict[str, Any]
) -> None:
    create(api, "churn")
    stage = {"name": "churn", "stage": "production", "archive_existing_versions": True}
    api.post("model-versions/transition-stage", version="1", **stage)
    made = api.post("model-versions/transition-stage", version="2", **stage)["model_version"]
    assert (made["current_stage"], get(api, "churn")["current_stage"]) == ("Production", "Archived")
    assert workspace.registry.list_models()[0].champion is None
    latest = api.post("registered-models/get-latest-versions", name="churn", stages=["Production", "archived"])
    assert [found["version"] for found in latest["model_versions"]] == ["1", "2"]
    assert api.get("registered-models/get-latest-versions", name="churn", stages=["Staging"]) == {}


def test_both_worlds_have_the_same_aliases(api: Api, workspace: Workspace, version: dict[str, Any]) -> None:
    create(api, "churn")
    api.post("registered-models/alias", name="churn", alias="champion", version="1")
    assert workspace.registry.list_models()[0].champion == 1
    workspace.registry.promote("churn", 2)
    found = api.get("registered-models/alias", name="churn", alias="champion")["model_version"]
    assert (found["version"], found["aliases"]) == ("2", ["champion"])
    assert workspace.registry.get_version("churn/1").stage == "archived"
    delete(api, "registered-models/alias", name="churn", alias="champion")
    delete(api, "registered-models/alias", name="churn", alias="never")
    assert workspace.registry.list_models()[0].champion is None
    assert api.get("registered-models/alias", name="churn", alias="Latest")["model_version"]["version"] == "2"
    assert api.refused("registered-models/alias", "GET", name="churn", alias="champion") == (
        400, "INVALID_PARAMETER_VALUE", "Registered model alias champion not found.",
    )  # fmt: skip


def test_a_version_that_is_deployed_is_not_removed(
    api: Api, workspace: Workspace, registry: Registry, package: ModelPackage
) -> None:
    registry.register("shop", package)
    workspace.deployments.deploy("shop", "shop", 1)
    for path, body in (("model-versions/delete", {"version": "1"}), ("registered-models/delete", {})):
        status, _, said = api.refused(path, "DELETE", name="shop", **body)
        assert status == 400
        assert "deployments:/shop" in said


def test_a_version_whose_files_lie_elsewhere_is_not_deployed(workspace: Workspace, version: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="not kept here"):
        workspace.deployments.deploy("churn", "churn", 1)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd", "/etc/passwd", "etc/passwd", "C:\\models", "c:/models", "s3://b/../m", "s3://b/%2e%2e/m",
        "s3://b/%252e%252e/m", "mlflow-artifacts:/../../etc", "http://h/api/2.0/mlflow-artifacts/artifacts/../x", "FILE:///x",
        "s3://b/a\\..\\m", "s3://b/m%00", "ssh://h/m", "sqlite:///x.db", "models://other/churn/1", "models:/churn/9",
        "models:/m-1", "runs:/abc/model", "mlflow-artifacts:/0/abc/artifacts/model",
        "https://h/api/2.0/mlflow-artifacts/artifacts/0/abc/artifacts/m", "dummy-source",
    ],
)  # fmt: skip
def test_no_version_comes_from_where_it_does_not_belong(api: Api, version: dict[str, Any], source: str) -> None:
    status, _, said = api.refused("model-versions/create", "POST", name="churn", source=source)
    assert status in (400, 404)
    assert "nvalid" in said
    assert len(api.get("model-versions/search")["model_versions"]) == 1


def test_a_source_belongs_to_the_run_that_is_named(api: Api, model: str, experiment: str, run: str) -> None:
    other = api.run(experiment, "other")
    put_model(api, f"{root_of(api, run)}/model")
    for source in (f"runs:/{run}/model", f"{root_of(api, run)}/model"):
        assert create(api, model, source, run_id=run)["run_id"] == run
        for wrong in ({}, {"run_id": other}, {"run_id": run, "model_id": "m-1"}):
            _, _, said = api.refused("model-versions/create", "POST", name=model, source=source, **wrong)
            assert "must identify the resource that contains the source" in said


def test_what_a_run_logged_becomes_a_package(api: Api, workspace: Workspace, model: str, run: str) -> None:
    put_model(api, f"{root_of(api, run)}/model")
    create(api, model, f"runs:/{run}/model", run_id=run)
    found = workspace.registry.get_version("churn/1")
    assert (found.package.flavor, sorted(found.package.files)) == (
        "mlflow",
        ["MLmodel", "model.pkl", "requirements.txt"],
    )
    assert (found.package.signature.inputs.names, found.run) == (("age",), run)
    assert found.package.environment.packages == {"scikit-learn": "1.9.1"}
    edges = workspace.lineage.upstream("models:/churn/1")
    assert [edge.source for edge in edges] == [f"runs:/{run}"]


def test_a_logged_model_becomes_a_version_and_knows_it(api: Api, workspace: Workspace, model: str, run: str) -> None:
    experiment = api.get("runs/get", run_id=run)["run"]["info"]["experiment_id"]
    made = api.post("logged-models", experiment_id=experiment, name="m", source_run_id=run)["model"]["info"]
    put_model(api, made["artifact_uri"])
    source = f"models:/{made['model_id']}"
    assert create(api, model, source, model_id=made["model_id"])["run_id"] == run
    assert create(api, model, made["artifact_uri"], model_id=made["model_id"])["version"] == "2"
    found = workspace.registry.get_version("churn/1")
    assert (found.logged_model, found.is_external) == (made["model_id"], False)
    tags = workspace.logged_models.get(made["model_id"]).tags
    assert json.loads(tags["mlflow.modelVersions"]) == [
        {"name": "churn", "version": 1},
        {"name": "churn", "version": 2},
    ]
    assert api.get("model-versions/get-download-uri", name=model, version=1) == {"artifact_uri": made["artifact_uri"]}


def test_a_version_stays_what_it_was_when_its_run_changes(api: Api, workspace: Workspace, model: str, run: str) -> None:
    root = f"{root_of(api, run)}/model"
    put_model(api, root)
    create(api, model, f"runs:/{run}/model", run_id=run)
    assert api.get("model-versions/get-download-uri", name=model, version=1) == {"artifact_uri": root}
    api.http.put(
        f"/api/2.0/mlflow-artifacts/artifacts/{root.removeprefix('mlflow-artifacts:/')}/model.pkl", content=b"new"
    )
    uri = api.get("model-versions/get-download-uri", name=model, version=1)["artifact_uri"]
    assert uri == "mlflow-artifacts:/flyball/models/churn/1/artifacts"
    assert api.http.get(f"/api/2.0/mlflow-artifacts/artifacts/{uri[18:]}/model.pkl").content == b"bytes"


@pytest.mark.parametrize(
    "said", [{"flavors": {}}, {"flavors": {"x": {}}, "signature": {"inputs": "no json"}}, {"nothing": 1}, [1]]
)
def test_an_mlmodel_that_cannot_be_read_is_refused(api: Api, model: str, run: str, said: object) -> None:
    put_model(api, f"{root_of(api, run)}/model", said)
    status, code, _ = api.refused("model-versions/create", "POST", name=model, source=f"runs:/{run}/model", run_id=run)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


def test_a_version_is_copied_with_its_files(
    api: Api, workspace: Workspace, model: str, registry: Registry, package: ModelPackage
) -> None:
    registry.register("late flights", package, run="r1")
    made = create(api, model, "models:/late flights@latest")
    assert (made["source"], made["run_id"]) == ("models:/late flights/1", "r1")
    assert workspace.registry.get_version("churn/1").package == package
    uri = api.get("model-versions/get-download-uri", name=model, version=1)["artifact_uri"]
    workspace.registry.delete_version("late flights", 1)
    assert uri == f"mlflow-artifacts:/flyball/models/~{b'late flights'.hex()}/1/artifacts"
    again = api.get("model-versions/get-download-uri", name=model, version=1)["artifact_uri"]
    assert again == "mlflow-artifacts:/flyball/models/churn/1/artifacts"


def test_what_was_registered_here_is_a_model_folder(api: Api, registry: Registry, package: ModelPackage) -> None:
    registry.register("late flights", package)
    uri = api.get("model-versions/get", name="late flights", version=1)
    root = uri["model_version"]["source"].removeprefix("mlflow-artifacts:/")
    listed = api.http.get("/api/2.0/mlflow-artifacts/artifacts", params={"path": root}).json()["files"]
    names = {file["path"] for file in listed}
    assert {"MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml", *package.files} <= names
    said = api.http.get(f"/api/2.0/mlflow-artifacts/artifacts/{root}/MLmodel").json()
    assert json.loads(said["signature"]["inputs"]) == [{"type": "double", "name": "age", "required": True}]
    assert "python_function" in said["flavors"]
    one = api.http.get("/model-versions/get-artifact", params={"name": "late flights", "version": 1, "path": "MLmodel"})
    assert one.json() == said
    for path in ("../2/artifacts/MLmodel", "%2e%2e/x", "/etc/passwd"):
        refused = api.http.get(
            "/model-versions/get-artifact", params={"name": "late flights", "version": 1, "path": path}
        )
        assert refused.status_code in (400, 404)
    answer = api.http.put(f"/api/2.0/mlflow-artifacts/artifacts/{root}/MLmodel", content=b"x")
    assert answer.json()["error_code"] == "PERMISSION_DENIED"
    for nowhere in ("flyball/models/late flights/9/artifacts/MLmodel", "flyball/models/~zz/1/artifacts/MLmodel"):
        assert api.http.get(f"/api/2.0/mlflow-artifacts/artifacts/{quote(nowhere)}").status_code == 404


def test_models_and_versions_are_searched(api: Api, version: dict[str, Any]) -> None:
    api.post("registered-models/create", name="fraud")
    create(api, "fraud", "s3://bucket/fraud")

    def models(**query: Any) -> list[str]:
        return [found["name"] for found in api.get("registered-models/search", **query).get("registered_models", [])]

    def versions(**query: Any) -> list[str]:
        return [found["name"] for found in api.get("model-versions/search", **query).get("model_versions", [])]

    assert models() == ["churn", "fraud"]
    assert models(filter="tags.a = '1'") == models(filter="name ILIKE 'CH%'") == ["churn"]
    assert models(order_by=["name DESC"]) == ["fraud", "churn"]
    assert versions(filter="source_path LIKE '%fraud'") == ["fraud"]
    page = api.get("registered-models/search", max_results=1)
    assert models(max_results=1, page_token=page["next_page_token"]) == ["fraud"]
    for path, query in (
        ("registered-models/search", {"filter": "name = 'a' OR name = 'b'"}),
        ("registered-models/search", {"filter": "size = 1"}),
        ("registered-models/search", {"max_results": 1001}),
        ("registered-models/search", {"page_token": "x"}),
        ("model-versions/search", {"filter": "version_number = 'x'"}),
        ("model-versions/search", {"order_by": ["size"]}),
    ):
        assert api.refused(path, "GET", **query)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_prompt_has_no_files_and_is_no_model(api: Api, workspace: Workspace, model: str) -> None:
    api.post("registered-models/create", name="greeting", tags=[PROMPT])
    text = {"key": "mlflow.prompt.text", "value": "Hello {{name}}" + "!" * 50_000}
    create(api, "greeting", "dummy-source", tags=[PROMPT, text])
    asked = "name = 'greeting' AND tags.`mlflow.prompt.is_prompt` = 'true'"
    assert text in api.get("model-versions/search", filter=asked)["model_versions"][0]["tags"]
    assert [found["name"] for found in api.get("registered-models/search")["registered_models"]] == ["churn"]
    assert api.get("model-versions/search") == {}
    assert [found.name for found in workspace.registry.list_models()] == ["churn"]
    assert (
        "Prompt versions cannot"
        in api.refused("model-versions/create", "POST", name=model, source="models:/greeting/1")[2]
    )
    status, _, said = api.refused("model-versions/create", "POST", name="greeting", source="s3://b/m", tags=[PROMPT])
    assert (status, said[:22]) == (400, "Invalid prompt source:")
    for name, tags, old in (("greeting", [], "prompt"), ("churn", [PROMPT], "registered model")):
        _, code, said = api.refused("registered-models/create", "POST", name=name, tags=tags)
        assert (code, f"already taken by a {old}" in said) == ("RESOURCE_ALREADY_EXISTS", True)


def test_webhooks_are_told_of_both_worlds(
    api: Api, workspace: Workspace, registry: Registry, package: ModelPackage
) -> None:
    events = [{"entity": "MODEL_VERSION", "action": "CREATED"}, {"entity": "PROMPT_ALIAS", "action": "DELETED"}]
    made = api.post("webhooks", name="ci", url="https://hooks.example.org/x", events=events, secret="s")["webhook"]
    assert (made["status"], made["events"], "secret" in made) == ("ACTIVE", events, False)
    assert api.get(f"webhooks/{made['webhook_id']}")["webhook"] == made
    registry.register("churn", package, run="r1")
    api.post("registered-models/create", name="greeting", tags=[PROMPT])
    create(api, "greeting", "dummy-source", tags=[PROMPT])
    api.post("registered-models/alias", name="greeting", alias="blue", version="1")
    delete(api, "registered-models/alias", name="greeting", alias="blue")
    told = workspace.webhooks.deliveries(made["webhook_id"])
    assert [delivery.event for delivery in told] == ["prompt_alias.deleted", "model_version.created"]
    changed = patch(api, f"webhooks/{made['webhook_id']}", status="DISABLED", name="cd")["webhook"]
    assert (changed["status"], changed["name"], changed["events"]) == ("DISABLED", "cd", events)
    delete(api, f"webhooks/{made['webhook_id']}")
    assert api.get("webhooks") == {}


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "http://hooks.example.org"},
        {"url": "https://127.0.0.1/x"},
        {"url": "https://[::1]/x"},
        {"events": []},
        {"events": [{"entity": "MODEL_VERSION", "action": "DELETED"}]},
        {"events": [{"entity": "RUN", "action": "CREATED"}]},
        {"name": "-x"},
        {"status": "SLEEPING"},
    ],
)
def test_a_webhook_that_cannot_be_is_refused(api: Api, bad: dict[str, Any]) -> None:
    good = {
        "name": "ci",
        "url": "https://hooks.example.org/x",
        "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}],
    }
    assert api.refused("webhooks", "POST", **{**good, **bad})[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_webhooks_are_listed_page_by_page(api: Api) -> None:
    events = [{"entity": "PROMPT", "action": "CREATED"}]
    made = [
        api.post("webhooks", name=f"w{n}", url="https://hooks.example.org/", events=events)["webhook"] for n in range(3)
    ]
    page = api.get("webhooks", max_results=2)
    rest = api.get("webhooks", max_results=2, page_token=page["next_page_token"])
    listed = [webhook["webhook_id"] for webhook in (*page["webhooks"], *rest["webhooks"])]
    assert sorted(listed) == sorted(webhook["webhook_id"] for webhook in made)
    assert "next_page_token" not in rest


@pytest.fixture
def registry(workspace: Workspace) -> Registry:
    """The registry as it is natively."""
    return workspace.registry


@pytest.fixture
def package(workspace: Workspace) -> ModelPackage:
    """A model that was kept natively."""
    import pyarrow as pa
    from sklearn.linear_model import LogisticRegression

    from flyball.models.package import save_model

    rows = pa.table({"age": [20.0, 30.0, 60.0, 70.0]})
    fitted = LogisticRegression().fit(rows.to_pandas(), [0, 0, 1, 1])
    return save_model(fitted, workspace.blobs, example=rows)
