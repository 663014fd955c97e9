from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.mlflow_api import Api
from tests.servers.mlflow_traces import V3


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, where nothing else is said: the rooms' own tests run on every database, the protocol asks the same of each."""
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_tables_url")
    return url


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    """MLflow's addresses at a real server."""
    made = Api(url)
    yield made
    made.http.close()


@pytest.fixture
def experiment(api: Api) -> str:
    """The id of an experiment, `first`."""
    return api.experiment()


@pytest.fixture
def run(api: Api, experiment: str) -> str:
    """The id of a run in it, `main`."""
    return api.run(experiment)


@pytest.fixture
def v3(api: Api) -> V3:
    """The addresses of the third version."""
    return V3(api)
