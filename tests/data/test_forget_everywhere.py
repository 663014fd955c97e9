"""A person is forgotten in every room that copied their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from flyball.data.snapshot import take_snapshot
from flyball.data.table import Table, read_table, write_table
from flyball.features.definition import feature_view
from flyball.governance.forgetting import forget_everywhere
from flyball.labels.task import LabelSet, NewItem
from flyball.models.package import save_model
from flyball.pipelines.cache import CachedStep
from flyball.pipelines.materials import save
from flyball.serialization import digest
from flyball.workspace import Workspace

PERSON = "zaphod@example.org"
PEOPLE = pa.table({"mail": [PERSON, "ford@example.org"], "n": [1.0, 2.0]})

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def spread(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace in which the rows were copied into every room."""
    snapshot = take_snapshot(workspace.data, workspace.blobs, "people", PEOPLE, root=tmp_path)
    ref = f"snapshots:/people/{snapshot.id}"
    table = save(PEOPLE, workspace.blobs)
    summary = save({"of": ["no", "person"]}, workspace.blobs)
    hidden = save(_Hidden(PERSON), workspace.blobs)
    later = save(_Hidden(PERSON * 200), workspace.blobs)
    made: list[tuple[str, Any, dict[str, Any]]] = [
        ("clean", table, {"snapshots": (ref,)}),
        ("fold", hidden, {"snapshots": (ref,)}),
        ("fit", later, {"inputs": {"rows": table.identity}}),
        ("other", summary, {"inputs": {"rows": digest(b"something else")}}),
    ]
    workspace.step_cache.record(
        [
            CachedStep(key=digest(name.encode()), pipeline="p", step=name, run="r", artifacts=(artifact,), **more)
            for name, artifact, more in made
        ]
    )
    model = LinearRegression().fit(PEOPLE.select(["n"]).to_pandas(), [0.0, 1.0])
    package = save_model(model, workspace.blobs, example=PEOPLE.select(["n"]))
    holdout = workspace.blobs.put(write_table(Table(PEOPLE, key="mail")))
    workspace.registry.register("guess", package, holdout=holdout, label="n", snapshots=(ref,))
    workspace.features.declare(feature_view("visits", entity="mail", time="at"))
    pushed = [{"mail": mail, "at": "2026-01-01T00:00:00Z", "n": 1.0} for mail in PEOPLE["mail"].to_pylist()]
    workspace.features_online.push("visits", pushed)
    workspace.labels.declare(LabelSet(name="nice", task="accept"))
    items = [NewItem(key=str(place), data=row) for place, row in enumerate(PEOPLE.to_pylist())]
    workspace.labels.add_items("nice", items)
    workspace.labels.label("nice", "0", True, "trillian")
    take_snapshot(workspace.data, workspace.blobs, "guests", PEOPLE.slice(0, 1), root=tmp_path)
    return workspace


class _Hidden:
    """What cannot be looked into without running it."""

    def __init__(self, text: str) -> None:
        self.text = text


def test_what_is_found_is_told_and_stays_in_a_dry_run(spread: Workspace) -> None:
    would = forget_everywhere(spread, "people", PERSON, column="mail", dry_run=True)
    assert would.is_dry_run
    assert sorted((copy.what, copy.where, copy.rows, copy.is_purged) for copy in would.copies) == [
        ("dataset", "datasets:/guests", 1, False),
        ("held-out rows", "models:/guess/1", 1, True),
        ("label item", "labels:/nice", 1, True),
        ("pushed rows", "features:/visits", 1, True),
        ("served values", "features:/visits@1", 1, True),
        ("step output", "steps:/p/clean", 1, True),
        ("step output", "steps:/p/fit", None, True),
        ("step output", "steps:/p/fold", None, True),
    ]
    assert len(spread.step_cache.list()) == 4
    assert len(spread.labels.list_items("nice")) == 2


def test_the_person_is_gone_from_every_room(spread: Workspace) -> None:
    holdout = spread.registry.get_version("guess/1").holdout
    artifacts = {step.step: step.artifacts[0].digest for step in spread.step_cache.list()}
    done = forget_everywhere(spread, "people", PERSON, column="mail")
    assert done.models == ("models:/guess/1",)
    assert [step.step for step in spread.step_cache.list()] == ["other"]
    assert not any(spread.blobs.has(one) for one in (holdout, artifacts["clean"], artifacts["fit"]))
    kept = spread.registry.get_version("guess/1").holdout
    assert read_table(spread.blobs.get(kept)).arrow["mail"].to_pylist() == ["ford@example.org"]
    found = spread.features_online.get(["visits"], [{"mail": mail} for mail in PEOPLE["mail"].to_pylist()])
    assert [row["n"] for row in found.rows] == [None, 1.0]
    assert [push.rows for push in spread.features.pushes("visits")] == [1]
    assert [item.key for item in spread.labels.list_items("nice")] == ["1"]
    assert spread.labels.list_labels("nice") == []


def test_the_audit_tells_what_was_purged_and_no_name(spread: Workspace) -> None:
    forget_everywhere(spread, "people", PERSON, column="mail")
    events = spread.events.list(limit=1000)
    (told,) = [event for event in events if event.kind == "data.copies_forgotten"]
    assert told.facts["purged"] == {
        "step output": 3, "held-out rows": 1, "pushed rows": 1, "served values": 1, "label item": 1,
    }  # fmt: skip
    kinds = {event.kind for event in events}
    assert {"features.push_rewritten", "labels.items_removed", "registry.holdout_replaced"} <= kinds
    assert PERSON not in str(events)


def test_asked_again_only_what_is_for_people_is_left(spread: Workspace) -> None:
    forget_everywhere(spread, "people", PERSON, column="mail")
    again = forget_everywhere(spread, "people", PERSON, column="mail")
    assert again.rows == {}
    assert [(copy.what, copy.is_purged) for copy in again.copies] == [("dataset", False)]
