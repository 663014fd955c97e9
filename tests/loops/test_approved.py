"""A loop that asks people goes on by itself when they have answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.registry import gate
from flyball.registry.versions import ModelVersion
from tests.loops.clicks import Life, life


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Life]:
    """A loop that lets no version go live that nobody has approved; its first version waits."""
    with life(tmp_path) as made:
        made.apply(gates=(gate.approved(four_eyes=True),))
        made.settle()
        yield made


def first(life: Life) -> ModelVersion:
    return life.workspace.registry.get_version("clicks/1")


def test_a_version_waits_until_it_is_approved_and_then_goes_live(asking: Life) -> None:
    approvals = asking.workspace.approvals
    assert first(asking).stage == "archived"
    assert asking.decisions()[-1].endswith("held back by approved: nobody has asked for its approval yet")
    approvals.request("clicks/1", "Ada", four_eyes=True)
    asking.settle()
    assert first(asking).stage == "archived"
    approvals.approve("clicks/1", "Grace")
    asking.settle()
    assert (first(asking).stage, asking.champion) == ("champion", 1)
    assert asking.decisions()[-1] == "deploy: version 1 is the first to pass"


def test_a_version_that_was_registered_by_hand_is_judged_anew_as_well(asking: Life) -> None:
    registry, approvals = asking.workspace.registry, asking.workspace.approvals
    before = first(asking)
    package = replace(before.package, input_example="")
    registry.register("clicks", package, holdout=before.holdout, label=before.label, evaluation=before.evaluation)
    asking.settle()
    assert registry.get_version("clicks/2").stage == "archived"
    approvals.request("clicks/2", "Ada")
    approvals.approve("clicks/2", "Grace")
    asking.settle()
    assert (registry.get_version("clicks/2").stage, asking.champion) == ("champion", 2)


def test_a_version_that_was_rejected_stays_where_it_is(asking: Life) -> None:
    asking.workspace.approvals.request("clicks/1", "Ada")
    asking.workspace.approvals.reject("clicks/1", "Grace", "biased")
    asking.settle()
    assert first(asking).stage == "archived"
