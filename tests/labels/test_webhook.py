from __future__ import annotations

import json
from typing import Any

import pytest
import urllib3

from flyball.labels.task import LabelSet
from flyball.workspace import Workspace


@pytest.fixture
def hook(workspace: Workspace, url: str) -> str:
    workspace.labels.declare(LabelSet(name="pets", task="classify", items="text", classes=("cat", "dog")))
    workspace.labels.set_secret("pets", "s3cret")
    return f"{url}/api/labels/pets/label-studio"


def send(hook: str, body: object, secret: str = "s3cret") -> tuple[int, Any]:
    headers = {"content-type": "application/json", "x-flyball-secret": secret}
    answer = urllib3.request("POST", hook, body=json.dumps(body).encode(), headers=headers)
    return answer.status, answer.json()


def call(action: str, choice: str = "cat", updated: str = "2026-03-01T10:00:00Z") -> dict[str, Any]:
    """A call as Label Studio makes it."""
    chosen = {"from_name": "l", "to_name": "t", "type": "choices", "value": {"choices": [choice]}}
    annotation = {"id": 5, "completed_by": 2, "result": [chosen], "was_cancelled": False, "updated_at": updated}
    return {
        "action": action,
        "task": {"id": 7, "data": {"text": "purr"}},
        "annotation": annotation,
        "project": {"id": 1},
    }


def book(workspace: Workspace) -> list[tuple[str, Any]]:
    return [(label.item, label.value) for label in workspace.labels.list_labels("pets")]


def test_an_annotation_is_made_changed_and_deleted(hook: str, workspace: Workspace) -> None:
    assert send(hook, call("ANNOTATION_CREATED")) == (200, {"labels": 1})
    assert send(hook, call("ANNOTATION_UPDATED", "dog", "2026-03-01T11:00:00Z")) == (200, {"labels": 1})
    assert send(hook, {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}]}) == (200, {"labels": 1})
    assert book(workspace) == [("7", "cat"), ("7", "dog"), ("7", None)]
    assert workspace.labels.current("pets") == []


def test_the_same_call_twice_is_one(hook: str, workspace: Workspace) -> None:
    assert [send(hook, call("ANNOTATION_CREATED"))[1]["labels"] for _ in range(2)] == [1, 0]
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}]}
    assert [send(hook, gone)[1]["labels"] for _ in range(2)] == [1, 0]


def test_a_call_that_was_overtaken_changes_nothing(hook: str, workspace: Workspace) -> None:
    send(hook, call("ANNOTATION_UPDATED", "dog", "2026-03-01T11:00:00Z"))
    assert send(hook, call("ANNOTATION_CREATED", "cat", "2026-03-01T10:00:00Z")) == (200, {"labels": 0})
    assert book(workspace) == [("7", "dog")]


def test_other_calls_are_left_aside(hook: str) -> None:
    assert send(hook, {"action": "PROJECT_UPDATED"}) == (200, {"labels": 0})


def test_only_who_knows_the_secret_is_heard(hook: str, workspace: Workspace) -> None:
    assert send(hook, call("ANNOTATION_CREATED"), secret="x")[0] == 403
    assert send(hook.replace("pets", "none"), call("ANNOTATION_CREATED"))[0] == 403
    assert book(workspace) == []


def test_what_is_no_call_is_refused(hook: str) -> None:
    bad = [[], {"x": 1}, {"action": "ANNOTATION_CREATED"}, call("ANNOTATION_CREATED", "cow")]
    assert [send(hook, body)[0] for body in bad] == [400, 400, 400, 400]
