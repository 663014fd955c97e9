from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.evaluation.scores import MetricValue
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference, merge, profile
from flyball.monitoring.windows import Window
from flyball.serialization import convert, to_plain
from flyball.storage.event_log import EventLog
from flyball.verbs import verbs_of
from tests.monitoring.samples import DAY, START, inputs_of

AUC = MetricValue(name="roc_auc", value=0.7, low=0.68, high=0.72, n=100)


def window(day: int = 0, **named: Any) -> Window:
    start = START + day * DAY
    plain = Window(deployment="shop", start=start, end=start + DAY, predictions=10, versions={"3": 10})
    return replace(plain, **named)


def test_a_window_comes_back_as_it_was(monitoring: Monitoring, reference: Reference) -> None:
    given = window(performance=(AUC,), findings=("it is warm",), profile=profile(inputs_of(100), reference))
    kept = monitoring.record_window(given)

    assert kept == replace(given, examined=kept.examined)
    assert kept.examined is not None
    assert monitoring.get_window("shop", START.isoformat()) == kept


def test_lists_are_newest_first_and_without_profiles(monitoring: Monitoring, reference: Reference) -> None:
    for day in (1, 0, 2):
        monitoring.record_window(window(day, profile=profile(inputs_of(10), reference)))

    found = monitoring.list_windows("shop")
    assert [each.start for each in found] == [START + 2 * DAY, START + DAY, START]
    assert all(each.profile is None for each in found)
    assert monitoring.list_windows("other") == []


def test_lists_are_read_page_by_page(monitoring: Monitoring) -> None:
    for day in range(5):
        monitoring.record_window(window(day))

    first = monitoring.list_windows("shop", limit=3)
    rest = monitoring.list_windows("shop", limit=3, before=first[-1].start.isoformat())
    assert [each.start for each in (*first, *rest)] == [START + day * DAY for day in (4, 3, 2, 1, 0)]


def test_profiles_of_windows_add_up(monitoring: Monitoring, reference: Reference) -> None:
    whole = inputs_of(300)
    for day in range(3):
        monitoring.record_window(window(day, profile=profile(whole.slice(100 * day, 100), reference)))

    kept = [monitoring.get_window("shop", (START + day * DAY).isoformat()).profile for day in range(3)]
    assert merge([each for each in kept if each is not None]) == profile(whole, reference)


def test_it_is_told_once_when_new_and_once_when_complete(monitoring: Monitoring, events: EventLog) -> None:
    for complete in (False, False, True, True):
        monitoring.record_window(window(complete=complete, labelled=4))

    told = events.list(kinds=["monitoring.window_examined"])
    assert [event.facts["complete"] for event in told] == [False, True]
    assert told[0].subject == f"windows:/shop/{START.isoformat()}"
    assert told[0].facts["labelled"] == 4


def test_a_complete_window_is_not_replaced_by_an_unfinished_one(monitoring: Monitoring) -> None:
    monitoring.record_window(window(complete=True, labelled=9))

    assert monitoring.record_window(window(labelled=4)).labelled == 9
    assert monitoring.record_window(window(complete=True, labelled=10)).labelled == 10


def test_a_window_that_was_not_examined_is_not_found(monitoring: Monitoring) -> None:
    with pytest.raises(NotFound, match="No window of 'shop' that starts at 2013-03-04"):
        monitoring.get_window("shop", "2013-03-04")
    with pytest.raises(InvalidInput, match="not a time"):
        monitoring.get_window("shop", "monday")


def test_a_window_needs_a_deployment_of_a_good_name(monitoring: Monitoring) -> None:
    with pytest.raises(InvalidInput, match="name of a deployment"):
        monitoring.record_window(window(deployment="../shop"))


def test_the_verbs_types_can_be_read_from_outside(reference: Reference) -> None:
    verbs = verbs_of(Monitoring)
    given = window(performance=(AUC,), performance_by_version={"3": (AUC,)}, profile=profile(inputs_of(10), reference))

    assert {name for name, verb in verbs.items() if verb.effect == "change"} == {"add_ground_truth", "record_window"}
    assert convert(to_plain(given), verbs["record_window"].parameters[0].kind) == given
