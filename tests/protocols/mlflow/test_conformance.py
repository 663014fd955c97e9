"""The table of what is answered holds what was shown, and what is not answered says so in MLflow's own form."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest

from tests.protocols.mlflow.proof import known_endpoints, recorded
from tools import write_conformance

CLASSIC = re.compile(
    r"/api/2.0/(mlflow-artifacts/|mlflow/(artifacts|experiments|runs|metrics|logged-models|registered-models|model-versions|webhooks|traces))"
)


def test_the_page_is_up_to_date() -> None:
    found = write_conformance.PAGE.read_text(encoding="utf-8")
    assert found == write_conformance.page(), "Run: python -m tools.write_conformance --page"


def test_all_endpoints_are_known() -> None:
    assert len(known_endpoints()) == 190


def test_every_classic_endpoint_is_answered() -> None:
    missing = [
        one.name for one in known_endpoints() if CLASSIC.match(one.path) and not write_conformance.is_answered(one)
    ]
    assert missing == []


def test_a_client_of_each_line_was_answered_by_each_script() -> None:
    scripts = {"experiments", "runs", "search", "artifacts", "models", "tracing", "autolog_sklearn", "autolog_boosting"}
    for client in ("mlflow3", "mlflow2"):
        assert scripts <= {script for script, name in recorded() if name == client}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_not_answered_says_so_as_mlflow_does(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for endpoint in known_endpoints():
        if not write_conformance.is_answered(endpoint):
            connection.request(endpoint.method, re.sub(r"\{\w+\}", "x1", endpoint.path))
            answer = connection.getresponse()
            found = json.loads(answer.read())
            assert (answer.status, found["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), endpoint
            assert found["message"]
    connection.close()
