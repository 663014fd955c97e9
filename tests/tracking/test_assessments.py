from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import AlreadyExists, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.assessments import Assessments
from flyball.tracking.spans import Span
from flyball.tracking.traces import Traces

AT = datetime(2026, 1, 1, tzinfo=UTC)
NS = int(AT.timestamp()) * 10**9


def trace_id(number: int) -> str:
    return f"tr-{number:032x}"


@pytest.fixture
def traces(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Traces:
    made = Traces(database, blobs, events, clock)
    spans = [
        Span(trace=trace_id(n), id=f"{n:016x}", name="answer", started_ns=NS + n, ended_ns=NS + 9, attributes=told)
        for n, told in ((1, {"session.id": "s"}), (2, {"session.id": "s"}), (3, {}))
    ]
    made.record_spans("bot", spans)
    return made


@pytest.fixture
def assessments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock, traces: Traces) -> Assessments:
    return Assessments(database, blobs, events, clock)


@pytest.mark.parametrize("value", [5, 2.5, "yes", True, None, [1, "a"], {"a": [1, None]}, "ü\n\"'"])
def test_a_judgement_reads_back_as_it_was_given(assessments: Assessments, value: Any) -> None:
    made = assessments.create(
        trace_id(1), "quality", value, source="ann", source_type="human", rationale="so", metadata={"m": "1"}
    )
    assert assessments.get(trace_id(1), made.id) == made
    assert (made.value, made.source_type, made.created, made.valid) == (value, "HUMAN", AT, True)
    assert type(made.value) is type(value)


def test_judgements_come_with_their_trace(assessments: Assessments, traces: Traces, clock: FixedClock) -> None:
    first = assessments.create(trace_id(1), "quality", 1)
    clock.advance(timedelta(seconds=1))
    second = assessments.create(trace_id(1), "answer", "42", kind="expectation")
    assert traces.get(trace_id(1)).assessments == assessments.list(trace_id(1)) == [first, second]
    assert assessments.list(trace_id(2)) == []


def test_creating_twice_with_an_id_is_creating_once(assessments: Assessments) -> None:
    for _ in range(2):
        assessments.create(trace_id(1), "quality", 1, id="a-1")
    assert len(assessments.list(trace_id(1))) == 1


def test_the_id_of_another_trace_is_taken(assessments: Assessments) -> None:
    assessments.create(trace_id(1), "quality", 1, id="a-1")
    with pytest.raises(AlreadyExists, match="another trace"):
        assessments.create(trace_id(2), "quality", 2, id="a-1")
    assert assessments.get(trace_id(1), "a-1").value == 1


def test_what_is_overridden_is_not_valid_until_that_is_taken_back(assessments: Assessments) -> None:
    first = assessments.create(trace_id(1), "quality", 1)
    second = assessments.create(trace_id(1), "quality", 2, overrides=first.id)
    assert not assessments.get(trace_id(1), first.id).valid
    assessments.delete(trace_id(1), second.id)
    assert assessments.get(trace_id(1), first.id).valid


def test_only_what_is_there_can_be_overridden(assessments: Assessments) -> None:
    with pytest.raises(NotFound, match="a-9"):
        assessments.create(trace_id(1), "quality", 2, overrides="a-9")
    assert assessments.list(trace_id(1)) == []


def test_an_update_changes_what_is_given(assessments: Assessments, clock: FixedClock) -> None:
    made = assessments.create(trace_id(1), "quality", 1, rationale="so", metadata={"a": "1"})
    clock.advance(timedelta(seconds=1))
    changed = assessments.update(trace_id(1), made.id, value=3, metadata={"b": "2"})
    assert changed == replace(made, value=3, metadata={"a": "1", "b": "2"}, updated=clock.now())
    assert assessments.update(trace_id(1), made.id, keep_value=False).value is None


def test_an_expectation_is_no_feedback(assessments: Assessments) -> None:
    made = assessments.create(trace_id(1), "answer", "42", kind="expectation")
    with pytest.raises(InvalidInput, match="Expectation"):
        assessments.update(trace_id(1), made.id, value="43", kind="feedback")


def test_deleting_twice_is_deleting_once(assessments: Assessments) -> None:
    made = assessments.create(trace_id(1), "quality", 1)
    for _ in range(2):
        assessments.delete(trace_id(1), made.id)
    with pytest.raises(NotFound, match=made.id):
        assessments.get(trace_id(1), made.id)


def test_a_trace_that_is_not_there_cannot_be_judged(assessments: Assessments) -> None:
    with pytest.raises(NotFound, match="not found"):
        assessments.create(trace_id(9), "quality", 1)


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "a" * 251}, {"id": "a" * 129}, {"source": "s" * 251}])
def test_a_judgement_that_cannot_be_kept_is_refused(assessments: Assessments, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        assessments.create(**{"trace": trace_id(1), "name": "quality", "value": 1, **wrong})


def test_the_judgement_of_a_session_is_found_at_all_its_traces(assessments: Assessments, traces: Traces) -> None:
    assessments.create(trace_id(1), "helpful", "yes", metadata={"mlflow.trace.session": "s"})
    assessments.create(trace_id(3), "polite", "yes")
    assert [one.id for one in traces.search("feedback.helpful = 'yes'").traces] == [trace_id(1), trace_id(2)]
    assert [one.id for one in traces.search("feedback.helpful IS NULL").traces] == [trace_id(3)]
    assert [one.id for one in traces.search("feedback.polite IS NOT NULL").traces] == [trace_id(3)]
