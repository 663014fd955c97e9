"""Personal data is followed along the lineage, and what is kept for too long goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import flyball as fb
import flyball.testing
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput, NotFound
from flyball.governance.forgetting import forget_everywhere
from flyball.models.package import ModelPackage, save_model
from flyball.principals import Principal, acting_as
from flyball.serving.segments import parquet, segment_name, segments_of
from flyball.workspace import Workspace
from tests.registry.constant import always_seven

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with flyball.testing.workspace(tmp_path, clock="virtual") as made, acting_as(Principal(name="ada", role="owner")):
        made.clock.set(NOW.isoformat())
        yield made


@pytest.fixture
def package(here: Workspace) -> ModelPackage:
    return save_model(always_seven, here.blobs, example=pa.table({"age": [1.0, 2.0]}))


def _snapshot(here: Workspace, name: str, day: int = 1) -> str:
    table = pa.table({"age": [1.0, 2.0], "mail": [f"anna{day}@example.org", "ben@example.org"]})
    return take_snapshot(here.data, here.blobs, name, table, root=here.root).id


def _log(here: Workspace, at: datetime, mails: list[str]) -> None:
    rows = pa.table(
        {
            "prediction_id": [f"{at:%d}-{number}" for number in range(len(mails))],
            "at": pa.array([at] * len(mails), pa.timestamp("us", "UTC")),
            "revision": pa.array([1] * len(mails), pa.int64()),
            "answered": [True] * len(mails),
            "input.mail": mails,
        }
    )
    here.store.put(segment_name("churn", "local-0", at, at, at), parquet(rows))


def test_a_model_says_which_personal_data_it_came_of(here: Workspace, package: ModelPackage) -> None:
    raw, clean = _snapshot(here, "raw"), _snapshot(here, "clean", 2)
    here.lineage.link(f"snapshots:/raw/{raw}", f"snapshots:/clean/{clean}", "derived")
    here.registry.register("churn", package, snapshots=(f"clean/{clean}",))
    assert not here.privacy.origin("models:/churn/1").is_personal
    here.quality.declare_pii("raw", "mail", "mail")
    here.quality.declare_pii("clean", "age", "birth")
    found = here.privacy.origin("models:/churn/1")
    assert {(c.dataset, c.column, c.kind, c.is_input) for c in found.columns} == {
        ("raw", "mail", "mail", False),
        ("clean", "age", "birth", True),
    }
    assert "personal data (mail): the column mail of raw, no input of the model" in here.model_cards.card(
        "models:/churn/1"
    )
    assert here.privacy.models_of("raw") == ["models:/churn/1"]
    assert here.privacy.models_of("nobody") == []


def test_unknown_things_are_told(here: Workspace) -> None:
    with pytest.raises(NotFound):
        here.privacy.origin("models:/nobody/1")
    with pytest.raises(InvalidInput):
        here.privacy.origin("nonsense:/x")
    assert here.privacy.origin("datasets:/nobody").columns == ()


def test_old_predictions_go_and_a_dry_run_only_tells(here: Workspace, package: ModelPackage) -> None:
    here.registry.register("churn", package)
    here.deployments.deploy("churn", "churn", 1)
    _log(here, NOW - timedelta(days=100), ["anna@example.org"])
    _log(here, NOW - timedelta(days=1), ["ben@example.org"])
    here.policies.apply(
        [fb.rule.retention("predictions", "90d"), fb.rule.retention("predictions", "1s", names=["other"])]
    )
    (told,) = here.privacy.retain().done
    assert (told.name, told.removed) == ("churn", 1)
    assert len(segments_of(here.store, "churn")) == 2
    here.privacy.retain(dry_run=False)
    assert [segment.high for segment in segments_of(here.store, "churn")] == [NOW - timedelta(days=1)]
    (row,) = here.audit.list(action="privacy.removed")
    assert (row.who, row.facts["removed"], row.facts["name"]) == ("ada", 1, "churn")


def test_old_snapshots_go_unless_a_model_needs_them_or_they_are_the_latest(
    here: Workspace, package: ModelPackage
) -> None:
    first, second, third = _snapshot(here, "people", 1), _snapshot(here, "people", 2), _snapshot(here, "people", 3)
    here.registry.register("churn", package, snapshots=(f"people/{second}",))
    here.clock.set((NOW + timedelta(days=400)).isoformat())
    here.policies.apply([fb.rule.retention("snapshots", "365d")])
    (told,) = here.privacy.retain().done
    assert told.removed == 1
    assert second[:12] in told.kept[0]
    (done,) = here.privacy.retain(dry_run=False).done
    assert done.removed == 1
    assert {each.id for each in here.data.list_snapshots("people")} == {second, third} - {first}


def test_a_person_is_forgotten_in_logs_of_predictions(here: Workspace, package: ModelPackage) -> None:
    _snapshot(here, "people", 1)
    here.registry.register("churn", package)
    here.deployments.deploy("churn", "churn", 1)
    _log(here, NOW - timedelta(days=2), ["anna1@example.org", "ben@example.org"])
    _log(here, NOW - timedelta(days=1), ["anna1@example.org"])
    would = forget_everywhere(here, "people", "anna1@example.org", column="mail", dry_run=True)
    assert [(c.what, c.rows) for c in would.copies] == [("logged predictions", 1), ("logged predictions", 1)]
    forget_everywhere(here, "people", "anna1@example.org", column="mail")
    (left,) = segments_of(here.store, "churn")
    assert b"anna1" not in here.store.get(left.key)
    assert b"ben@" in here.store.get(left.key)
    assert forget_everywhere(here, "people", "anna1@example.org", column="mail").copies == ()
