"""The real clients do all of their work against our server: the newest, and the newest of the 2.x line."""

from __future__ import annotations

import pytest

from tests.protocols.mlflow.proof import prove
from tests.servers.mlflow_clients import MlflowClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("script", ["experiments", "runs", "search", "artifacts", "models", "tracing"])
def test_the_newest_client(mlflow3: MlflowClient, script: str) -> None:
    prove(mlflow3, script)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("script", ["runs", "search"])
def test_the_newest_client_on_postgres(mlflow3: MlflowClient, script: str) -> None:
    prove(mlflow3, script)


@pytest.mark.parametrize("script", ["experiments", "runs", "search", "artifacts", "models", "tracing"])
def test_the_newest_client_of_2(mlflow2: MlflowClient, script: str) -> None:
    prove(mlflow2, script)


def test_prompts_evaluation_and_webhooks(mlflow3: MlflowClient) -> None:
    prove(mlflow3, "genai")


@pytest.mark.parametrize("script", ["autolog_sklearn", "autolog_boosting"])
def test_autologging(mlflow: MlflowClient, script: str) -> None:
    prove(mlflow, script)


def test_autologging_of_torch(torch_client: MlflowClient) -> None:
    prove(torch_client, "autolog_torch")


def test_the_callback_of_ray_tune(ray_client: MlflowClient) -> None:
    prove(ray_client, "tune_ray")
