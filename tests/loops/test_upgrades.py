"""A model server with other packages than a model was made with is told of, once."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.loops.upgrades import tell_upgrades
from flyball.models.environment import capture, upgrades
from flyball.serialization import to_json
from flyball.serving.manifest import FollowerReport, follower_key
from flyball.testing import workspace
from flyball.workspace import Workspace


def test_other_versions_are_named_and_what_is_not_installed_is_passed_over() -> None:
    here = capture(("numpy", "pyarrow"), imported=False)
    older = replace(here, python="3.2.1", packages={**here.packages, "numpy": "1.0", "no-such-thing": "7"})
    numpy = importlib.metadata.version("numpy")
    assert upgrades(here) == ()
    assert upgrades(older) == (f"python 3.2.1 -> {here.python}", f"numpy 1.0 -> {numpy}")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with workspace(tmp_path) as made:
        yield made


def report(here: Workspace, replica: str, *changes: str) -> None:
    said = FollowerReport(
        replica=replica, deployment="shop", generation=1, address="", at=here.time.now(), state="ready", upgrades=changes
    )  # fmt: skip
    here.store.put(follower_key("shop", replica), to_json(said))


def test_one_alert_says_what_and_where_until_it_is_over(here: Workspace) -> None:
    report(here, "a", "numpy 1.0 -> 2.0")
    report(here, "b", "numpy 1.0 -> 2.0", "pandas 1.0 -> 3.0")
    for _ in range(3):
        tell_upgrades(here, "shop")
    (alert,) = here.alerts.list()
    assert (alert.kind, alert.count, alert.state) == ("environment", 1, "open")
    assert alert.detail == "numpy 1.0 -> 2.0 (a, b)\npandas 1.0 -> 3.0 (b)"
    assert "train it anew" in str(alert.facts["decide"])

    for replica in ("a", "b"):
        report(here, replica)
    tell_upgrades(here, "shop")
    assert [alert.state for alert in here.alerts.list()] == ["resolved"]


def test_without_a_model_server_nothing_is_said(here: Workspace) -> None:
    tell_upgrades(here, "shop")
    assert here.alerts.list() == []
