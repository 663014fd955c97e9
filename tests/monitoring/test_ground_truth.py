from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.monitoring.monitoring import Monitoring
from flyball.refs import new_id

PLAIN = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8")),
)


def test_it_is_told_how_many_were_new(monitoring: Monitoring) -> None:
    assert monitoring.add_ground_truth("shop", ["a", "b"], [True, False]) == 2
    assert monitoring.ground_truth_count("shop") == 2


def test_the_same_word_twice_counts_once(monitoring: Monitoring) -> None:
    monitoring.add_ground_truth("shop", ["a", "b"], [True, False])

    assert monitoring.add_ground_truth("shop", ["b", "c"], [False, True]) == 1
    assert (monitoring.ground_truth_count("shop"), monitoring.revision_count("shop")) == (3, 0)


def test_a_later_word_replaces_the_former_and_both_are_counted(monitoring: Monitoring, clock: FixedClock) -> None:
    monitoring.add_ground_truth("shop", ["a"], [True], known_at="2013-03-01")

    assert monitoring.add_ground_truth("shop", ["a"], [False], known_at="2013-03-02") == 1
    (found,) = monitoring.ground_truth("shop", ["a"])
    assert (found.value, found.known_at.day, found.revised) == (False, 2, 1)
    assert monitoring.revision_count("shop") == 1


def test_what_was_known_earlier_does_not_come_back(monitoring: Monitoring) -> None:
    monitoring.add_ground_truth("shop", ["a"], [True], known_at="2013-03-02")

    assert monitoring.add_ground_truth("shop", ["a"], [False], known_at="2013-03-01") == 0
    assert monitoring.truth_of("shop", ["a"]) == {"a": True}


def test_sending_contradictory_words_again_changes_nothing(monitoring: Monitoring) -> None:
    monitoring.add_ground_truth("shop", ["a", "a"], [1, 2])

    assert monitoring.add_ground_truth("shop", ["a", "a"], [1, 2]) == 0
    assert monitoring.truth_of("shop", ["a"]) == {"a": 2}


def test_it_may_come_before_its_prediction(monitoring: Monitoring) -> None:
    assert monitoring.add_ground_truth("shop", ["no prediction yet"], [1.5]) == 1


def test_it_belongs_to_one_deployment(monitoring: Monitoring) -> None:
    monitoring.add_ground_truth("shop", ["a"], [True])

    assert monitoring.truth_of("other", ["a"]) == {}
    assert monitoring.ground_truth_count("other") == monitoring.revision_count("other") == 0


def test_it_is_known_now_by_default(monitoring: Monitoring, clock: FixedClock) -> None:
    monitoring.add_ground_truth("shop", ["a"], [True])

    assert monitoring.ground_truth("shop", ["a", "b"])[0].known_at == clock.now()


def test_nothing_may_be_sent(monitoring: Monitoring) -> None:
    assert monitoring.add_ground_truth("shop", [], []) == 0
    assert monitoring.truth_of("shop", []) == {}


@given(values=st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=20), PLAIN, max_size=8))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_come_back_as_they_were(monitoring: Monitoring, values: dict[str, Any]) -> None:
    # PostgreSQL keeps no zero bytes in an id; serving's own ids have none.
    values = {name.replace("\0", "0"): value for name, value in values.items()}
    name = new_id()
    monitoring.add_ground_truth(name, list(values), list(values.values()))

    found = monitoring.truth_of(name, list(values))
    assert found == values
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in values.items()}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, [1], {"late": True}, b"late"])
def test_a_value_that_is_none_is_refused(monitoring: Monitoring, value: object) -> None:
    with pytest.raises(InvalidInput, match="The truth of 'b' is"):
        monitoring.add_ground_truth("shop", ["a", "b"], [True, value])
    assert monitoring.ground_truth_count("shop") == 0


def test_each_id_needs_a_value(monitoring: Monitoring) -> None:
    with pytest.raises(InvalidInput, match="2 ids and 1 values"):
        monitoring.add_ground_truth("shop", ["a", "b"], [True])


@pytest.mark.parametrize("name", ["", "a" * 201, 3])
def test_an_id_that_no_prediction_has_is_refused(monitoring: Monitoring, name: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot be the id"):
        monitoring.add_ground_truth("shop", [name], [True])


def test_a_time_that_is_none_is_refused(monitoring: Monitoring) -> None:
    with pytest.raises(InvalidInput, match="is not a time"):
        monitoring.add_ground_truth("shop", ["a"], [True], known_at="soon")


def test_many_are_written_and_read_in_one_go(monitoring: Monitoring) -> None:
    ids = [new_id() for _ in range(12_000)]
    assert monitoring.add_ground_truth("shop", ids, [True] * len(ids)) == len(ids)
    assert len(monitoring.truth_of("shop", ids)) == len(ids)
