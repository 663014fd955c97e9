"""A name is a text: in images, manifests, exports, metrics and logs it stays one, whatever stands in it."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from flyball.errors import FlyballError
from flyball.pipelines.exporters.base import EXPORTERS, ExportSettings
from flyball.pipelines.pipeline import pipeline
from flyball.pipelines.plan import Plan, plan_pipeline
from flyball.pipelines.step import step
from tests.attacks.conftest import Target

HOSTILE = [
    "'; touch /owned; '",
    '"; touch /owned; "',
    "$(touch /owned)",
    "`touch /owned`",
    "a\n- evil: true",
    "a\r\nevil: true",
    "{{workflow.name}}",
    "{{ inputs.parameters.x }}",
    '"""\nimport os\nos.system("x")\n"""',
    "'''\nimport os\n'''",
    "\\",
    "\\'",
    "!!python/object/apply:os.system [x]",
    "&a *a",
    "%s %d",
    "${HOME}",
    "\u2028x",
    "| evil",
    "\x00",
]
SETTINGS = ExportSettings(image="registry.example/flights:3", url="https://flyball.example")


@step
def rows(word: str) -> list[str]:
    return [word]


@pipeline
def words(word: str = "plain") -> Any:
    return rows(word)


def plan_of(word: str) -> Plan:
    return plan_pipeline(words, {"word": word})


def shape(value: Any) -> Any:
    """What a document is made of, its texts left out."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def shape_of_text(text: str, name: str) -> Any:
    if name == "airflow":
        told = ast.parse(text)
        for node in ast.walk(told):
            if isinstance(node, ast.Constant):
                node.value = type(node.value).__name__
        return ast.dump(told)
    return [shape(document) for document in yaml.safe_load_all(text)]


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", sorted(EXPORTERS.names()))
def test_a_parameter_stays_a_text_in_every_language(name: str, word: str) -> None:
    exporter = EXPORTERS.get(name)
    try:
        written = exporter.write(plan_of(word), SETTINGS)
    except FlyballError:  # refused in words is as good
        return
    assert shape_of_text(written, name) == shape_of_text(exporter.write(plan_of("plain"), SETTINGS), name)


@pytest.mark.parametrize("word", ["a\nevil 1", 'a"} evil 1\n#', "a\\", "é\u2028"])
def test_metrics_hold_no_line_of_a_name(target: Target, word: str) -> None:
    target.ask("POST", "/api/alerts/open", json.dumps({
        "severity": "info", "kind": word, "subject": f"models:/{word}", "cause": word, "title": word}).encode())  # fmt: skip
    target.ask("POST", "/api/registered_models/create", json.dumps({"name": word}).encode())
    answer = target.ask("GET", "/metrics")
    assert answer.status == 200
    for line in answer.body.decode().split("\n"):
        assert (
            line == ""
            or line.startswith("#")
            or re.fullmatch(r'[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? \S+( \d+)?', line)
        ), line


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, as a server writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_no_secret_comes_into_the_log(target: Target, logged: io.StringIO) -> None:
    secret = "s3cr3t-wort"
    target.ask("GET", f"/api/tracking/list_runs?token={secret}&password={secret}")
    target.ask("GET", f"/nowhere/{secret}?api_key={secret}")
    target.ask(
        "POST", f"/api/tracking/create_run?secret={secret}", json.dumps({"experiment": 3, "password": secret}).encode()
    )
    target.ask("GET", "/api/tracking/list_runs", headers={"Authorization": f"Bearer fly_x_{secret}"})
    target.ask("GET", "/api/tracking/list_runs", headers={"Cookie": f"flyball={secret}"}, known=False)
    hook = {
        "name": "w",
        "url": f"https://user:{secret}@example.org/{secret}",
        "events": ["model_version.created"],
        "secret": secret,
    }
    target.ask("POST", "/api/webhooks/create", json.dumps(hook).encode())
    target.ask("POST", "/api/v1/lineage", f'{{"password": "{secret}", "eventType"'.encode())
    target.ask("POST", "/api/2.0/mlflow/runs/create", f'{{"x": "{secret}"'.encode())
    assert secret not in logged.getvalue()
    assert target.token not in logged.getvalue()


def test_no_line_of_the_log_is_made_by_who_asks(target: Target, logged: io.StringIO) -> None:
    forged = "2026-01-01 00:00:00,000 INFO flyball.access: ada logged in"
    for path in (
        f"/{quote(chr(10) + forged)}",
        f"/api/tracking/get_run?run={quote(chr(10) + forged)}",
        f"/api/{quote(chr(13) + forged)}/x",
    ):
        target.ask("GET", path)
        target.ask("POST", path, b"{")
    assert not any(line.startswith(forged) for line in logged.getvalue().splitlines())


def test_errors_tell_nothing_of_the_inside(target: Target) -> None:
    for path in (
        "/api/tracking/get_run?run=x",
        "/objects/none",
        "/api/2.0/mlflow/runs/get?run_id=x",
        "/nowhere",
        "/api/data/get?name=x",
    ):
        answer = target.ask("GET", path)
        for word in (str(target.workspace.root).encode(), b"Traceback", b"sqlalchemy", b"SELECT "):
            assert word not in answer.body, (path, answer.body)
        assert not any("uvicorn" in value.lower() or "python" in value.lower() for value in answer.headers.values())
