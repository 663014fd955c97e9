"""The credit example: the gate holds the biased model back, and the monitors find the injected faults."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "credit"


@pytest.fixture(scope="module")
def card() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        import scorecard  # type: ignore[import-not-found]  # a script beside its README, in no package

        return scorecard.scorecard(rows=500)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.mark.slow
def test_the_biased_model_is_held_back_and_the_one_with_two_thresholds_passes(card: Any) -> None:
    assert card.unfair_held
    assert not card.fair_held


@pytest.mark.slow
def test_every_injected_fault_is_found_in_its_weeks_and_named_rightly(card: Any) -> None:
    assert [line.fault for line in card.lines if line.delay is None or not line.named_rightly] == []


@pytest.mark.slow
def test_quiet_weeks_stay_quiet(card: Any) -> None:
    assert len(card.false_alarms) == 0
