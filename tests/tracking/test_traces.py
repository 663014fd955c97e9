from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.client import RemoteWorkspace
from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.assessments import Assessment, Assessments
from flyball.tracking.evaluation_sets import NewRecord
from flyball.tracking.files import Files
from flyball.tracking.runs import Tracking
from flyball.tracking.spans import MOST_SPANS, Span, SpanEvent, SpanLink
from flyball.tracking.trace_nouns import Trace
from flyball.tracking.traces import Traces
from flyball.verbs import verbs_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
NS = int(AT.timestamp()) * 10**9


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def traces(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Traces:
    return Traces(database, blobs, events, clock)


@pytest.fixture
def assessments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Assessments:
    return Assessments(database, blobs, events, clock)


def trace_id(number: int) -> str:
    return f"tr-{number:032x}"


def span(number: int = 1, *, trace: int = 1, start: int = 0, took: int = 10, **more: Any) -> Span:
    """A span that starts and takes so many milliseconds."""
    begin = NS + start * 10**6
    given: dict[str, Any] = {"name": f"step{number}", "started_ns": begin, "ended_ns": begin + took * 10**6}
    return Span(trace=trace_id(trace), id=f"{number:016x}", **{**given, **more})


def found(traces: Traces, text: str, **more: Any) -> list[int]:
    """Numbers of the traces that are found."""
    return [int(trace.id.removeprefix("tr-"), 16) for trace in traces.search(text, **more).traces]


def test_a_trace_is_made_of_its_spans(traces: Traces) -> None:
    root = span(1, took=120, status="ok", inputs={"question": "why?"}, outputs={"answer": "so"})
    assert traces.record_spans("bot", [span(2, parent=root.id, start=5), root]) == [trace_id(1)]
    trace = traces.get(trace_id(1))
    assert (trace.name, trace.state, trace.started, trace.milliseconds) == ("step1", "ok", AT, 120)
    assert (trace.request_preview, trace.response_preview) == ('{"question": "why?"}', '{"answer": "so"}')
    assert [one.name for one in trace.spans] == ["step1", "step2"]


def test_a_span_reads_back_as_it_was_given(traces: Traces) -> None:
    given = span(
        1,
        type="LLM",
        status="error",
        message="boom",
        kind="client",
        inputs=[1, 2.5, None, True],
        outputs="text",
        model="m-1",
        tokens={"input_tokens": 3},
        cost={"total_cost": 0.5},
        attributes={"temperature": 0.5, "nested": {"a": ["ü"]}},
        events=[SpanEvent(name="exception", at_ns=NS + 7, attributes={"exception.type": "ValueError"})],
        links=[SpanLink(trace=trace_id(9), span="f" * 16, attributes={"why": "retry"})],
    )
    traces.record_spans("bot", [given])
    assert traces.get(trace_id(1)).spans == [given]


def test_a_trace_survives_the_wire(traces: Traces) -> None:
    traces.record_spans("bot", [span()])
    trace = traces.get(trace_id(1))
    assert from_json(to_json(trace), Trace) == trace


def test_a_trace_without_its_root_is_under_way(traces: Traces) -> None:
    traces.record_spans("bot", [span(2, parent="1" * 16)])
    assert traces.get(trace_id(1)).state == "in_progress"


def test_an_error_of_the_root_is_one_of_the_trace(traces: Traces) -> None:
    traces.record_spans("bot", [span(2, parent="1" * 16, status="error"), span(1, status="error")])
    assert traces.get(trace_id(1)).state == "error"


def test_spans_widen_their_trace_as_they_come(traces: Traces) -> None:
    traces.record_spans("bot", [span(2, parent=f"{1:016x}", start=50, took=10)])
    traces.record_spans("bot", [span(1, start=10, took=100)])
    trace = traces.get(trace_id(1))
    assert (trace.started, trace.milliseconds) == (AT + timedelta(milliseconds=10), 100)


def test_a_span_that_is_sent_again_replaces_itself(traces: Traces) -> None:
    traces.record_spans("bot", [span(ended_ns=None)])
    traces.record_spans("bot", [span(name="other")])
    assert [one.name for one in traces.get(trace_id(1)).spans] == ["other"]


def test_spans_of_several_traces_may_come_at_once(traces: Traces) -> None:
    assert sorted(traces.record_spans("bot", [span(trace=2), span(trace=1)])) == [trace_id(1), trace_id(2)]
    assert found(traces, "") == [1, 2]


def test_tokens_are_added_up_once_along_every_branch(traces: Traces) -> None:
    agent, model = f"{2:016x}", f"{3:016x}"
    traces.record_spans("bot", [span(4, parent=model, tokens={"input_tokens": 1}), span(1)])
    traces.record_spans("bot", [span(3, parent=agent, tokens={"input_tokens": 5, "output_tokens": 2})])
    assert traces.get(trace_id(1)).tokens == {"input_tokens": 5, "output_tokens": 2}
    traces.record_spans("bot", [span(2, parent=f"{1:016x}", tokens={"input_tokens": 7, "total_tokens": 9})])
    assert traces.get(trace_id(1)).tokens == {"input_tokens": 7, "total_tokens": 9}


def test_costs_are_added_up(traces: Traces) -> None:
    traces.record_spans("bot", [span(1), *(span(n, parent=f"{1:016x}", cost={"total_cost": 0.25}) for n in (2, 3))])
    assert traces.get(trace_id(1)).cost == {"total_cost": 0.5}


def test_a_very_deep_trace_is_added_up(traces: Traces) -> None:
    chain = [span(n, parent=f"{n - 1:016x}" if n > 1 else "") for n in range(1, 3000)]
    chain[-1] = replace(chain[-1], tokens={"total_tokens": 4})
    traces.record_spans("bot", chain)
    assert traces.get(trace_id(1)).tokens == {"total_tokens": 4}


def test_spans_that_are_each_others_parent_do_no_harm(traces: Traces) -> None:
    first = span(1, parent=f"{2:016x}", tokens={"total_tokens": 4})
    traces.record_spans("bot", [first, span(2, parent=first.id)])
    assert traces.get(trace_id(1)).state == "in_progress"


def test_conventions_of_opentelemetry_are_understood(traces: Traces) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": "4",
        "gen_ai.input.messages": [{"role": "user", "content": "hi"}],
    }
    traces.record_spans("bot", [span(attributes=attributes)])
    read = traces.get(trace_id(1)).spans[0]
    assert (read.type, read.model, read.inputs) == ("CHAT_MODEL", "m-1", [{"role": "user", "content": "hi"}])
    assert read.tokens == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert read.attributes == attributes


def test_sessions_and_users_are_taken_from_spans(traces: Traces) -> None:
    traces.record_spans("bot", [span(attributes={"session.id": "s-1", "user.id": "ann"})])
    trace = traces.get(trace_id(1))
    assert (trace.session, trace.metadata) == ("s-1", {"mlflow.trace.user": "ann"})


def test_what_cannot_be_kept_is_replaced(traces: Traces) -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    attributes = {"nul\0": "a\0b", "inf": float("inf"), "big": 1 << 70, "deep": deep, "half": "\ud800"}
    traces.record_spans("bot", [span(name="n\0", attributes=attributes)])
    read = traces.get(trace_id(1)).spans[0]
    assert read.name == "n\ufffd"
    assert read.attributes["nul\ufffd"] == "a\ufffdb"
    assert (read.attributes["inf"], read.attributes["big"], read.attributes["half"]) == ("inf", str(1 << 70), "?")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "xyz"},
        {"id": "F" * 16},
        {"parent": "1"},
        {"trace": "../etc"},
        {"trace": ""},
        {"trace": "a/b"},
        {"started_ns": -1},
        {"ended_ns": 1 << 63},
    ],
)
def test_a_span_that_is_none_is_refused(traces: Traces, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        traces.record_spans("bot", [replace(span(), **wrong)])


def test_too_many_spans_are_refused(traces: Traces) -> None:
    with pytest.raises(InvalidInput):
        traces.record_spans("bot", [span()] * (MOST_SPANS + 1))


def test_a_trace_stays_in_its_experiment(traces: Traces) -> None:
    traces.record_spans("one", [span()])
    with pytest.raises(InvalidInput, match="another experiment"):
        traces.record_spans("two", [span(2)])
    assert len(traces.get(trace_id(1)).spans) == 1


def test_what_its_maker_tells_wins(traces: Traces) -> None:
    traces.record_spans("bot", [span(tokens={"total_tokens": 4})])
    told = replace(
        traces.get(trace_id(1)), name="told", tokens={"total_tokens": 9}, milliseconds=1, told=True, spans=[]
    )
    traces.record(told)
    traces.record_spans("bot", [span(2, start=900, tokens={"total_tokens": 4})])
    trace = traces.get(trace_id(1))
    assert (trace.name, trace.tokens, trace.milliseconds) == ("told", {"total_tokens": 9}, 1)
    assert len(trace.spans) == 2


def test_telling_twice_is_telling_once(traces: Traces) -> None:
    traces.record_spans("bot", [span()])
    told = replace(traces.get(trace_id(1)), tags={"a": "1"}, metadata={"b": "2"}, told=True)
    assert traces.record(told) == traces.record(told)


def test_a_trace_of_an_experiment_that_is_not_there_is_refused(traces: Traces) -> None:
    with pytest.raises(NotFound, match="99"):
        traces.record(Trace(id=trace_id(1), experiment="99", started=AT))


def test_the_default_experiment_is_made_when_it_is_needed(traces: Traces) -> None:
    traces.record(Trace(id=trace_id(1), experiment="0", started=AT))
    assert found(traces, "", experiments=["Default"]) == [1]


def test_a_trace_can_be_started_and_ended(traces: Traces, clock: FixedClock) -> None:
    traces.record_spans("bot", [span(trace=2)])
    begun = traces.start(traces.get(trace_id(2)).experiment, name="slow")
    assert begun.state == "in_progress"
    clock.advance(timedelta(seconds=2))
    ended = traces.end(begun.id, state="error", tags={"a": "1"})
    assert (ended.state, ended.milliseconds, ended.name, ended.tags) == ("error", 2000, "slow", {"a": "1"})


def test_tags_are_set_and_taken_off(traces: Traces) -> None:
    traces.record_spans("bot", [span()], tags={"team": "chat"})
    traces.set_tags(trace_id(1), {"env": "test"})
    assert traces.get(trace_id(1)).tags == {"env": "test", "team": "chat"}
    traces.delete_tag(trace_id(1), "env")
    with pytest.raises(NotFound, match="env"):
        traces.delete_tag(trace_id(1), "env")


def test_a_trace_that_is_not_there_has_no_tags(traces: Traces) -> None:
    with pytest.raises(NotFound):
        traces.set_tags(trace_id(1), {"a": "1"})
    with pytest.raises(NotFound):
        traces.delete_tag(trace_id(1), "a")


def test_traces_are_found_with_their_run(traces: Traces, tracking: Tracking) -> None:
    run = tracking.create_run("bot").id
    traces.record_spans("bot", [span(trace=1)], run=run)
    traces.record_spans("bot", [span(trace=2), span(trace=3)])
    traces.link_to_run([trace_id(2)], run)
    traces.link_to_run([trace_id(2)], run)
    assert found(traces, f"run_id = '{run}'") == [1, 2]


def test_a_run_must_be_there_to_be_linked(traces: Traces) -> None:
    traces.record_spans("bot", [span()])
    with pytest.raises(NotFound, match="run"):
        traces.link_to_run([trace_id(1)], "nope")


def test_traces_are_found_with_their_prompts(traces: Traces) -> None:
    traces.record_spans("bot", [span(trace=1), span(trace=2)])
    traces.link_prompts(trace_id(1), ["greet/1"])
    assert found(traces, "prompt = 'greet/1'") == [1]
    for wrong in ("greet", "a/b/c"):
        with pytest.raises(InvalidInput):
            traces.link_prompts(trace_id(1), [wrong])


@pytest.fixture
def three(traces: Traces, assessments: Assessments) -> Traces:
    """Three traces: a good one, a failed one, a slow one."""
    root = f"{1:016x}"
    traces.record_spans(
        "bot",
        [
            span(1, trace=1, took=20, status="ok", name="agent", outputs="it is 42"),
            span(2, trace=1, parent=root, type="LLM", status="ok", name="model", attributes={"temperature": "hot"}),
            span(1, trace=2, start=1000, took=30, status="error", name="agent"),
            span(2, trace=2, start=1000, parent=root, type="TOOL", name="search", model="m-1"),
            span(3, trace=2, start=1000, parent=root, type="LLM", status="error", name="model"),
            span(1, trace=3, start=2000, took=900, status="ok", name="other", tokens={"total_tokens": 5}),
        ],
    )
    traces.set_tags(trace_id(1), {"env": "test"})
    told = traces.get(trace_id(3))
    traces.record(replace(told, session="s-1", metadata={"custom": "x"}, client_request_id="c-1", spans=[]))
    assessments.create(trace_id(1), "quality", 5, source="ann", source_type="human")
    assessments.create(trace_id(2), "quality", 2)
    assessments.create(trace_id(2), "answer", "no", kind="expectation")
    return traces


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [3, 2, 1]),
        ("status = 'ERROR'", [2]),
        ("trace.status IN ('OK', 'ERROR')", [3, 2, 1]),
        ("name = 'agent'", [2, 1]),
        ("tags.`mlflow.traceName` LIKE 'oth%'", [3]),
        ("name RLIKE '^a.*t$'", [2, 1]),
        ("tags.env = 'test'", [1]),
        ("tags.env IS NULL", [3, 2]),
        ("tag.env IS NOT NULL", [1]),
        ("metadata.custom = 'x'", [3]),
        ("request_metadata.`mlflow.trace.session` = 's-1'", [3]),
        ("metadata.`mlflow.trace.tokenUsage` IS NOT NULL", [3]),
        ("metadata.`mlflow.trace.tokenUsage` = '{\"total_tokens\": 5}'", [3]),
        ("client_request_id = 'c-1'", [3]),
        (f"timestamp > {NS // 10**6}", [3, 2]),
        (f"timestamp_ms = {NS // 10**6}", [1]),
        (f"end_time >= {NS // 10**6 + 2000}", [3]),
        ("execution_time_ms > 25 AND execution_time < 100", [2]),
        (f"request_id IN ('{trace_id(1)}', '{trace_id(3)}')", [3, 1]),
        ("span.type = 'LLM'", [2, 1]),
        ("span.type = 'LLM' AND span.status = 'ERROR'", [2]),
        ("span.type = 'TOOL' AND span.status = 'ERROR'", []),
        ("span.name ILIKE 'SEARCH'", [2]),
        ("span.attributes.temperature LIKE 'h%'", [1]),
        ("span.attributes.`mlflow.llm.model` LIKE '%m-%'", [2]),
        ("span.attributes.`mlflow.spanOutputs` LIKE '%42%'", [1]),
        ("span.attributes.`mlflow.chat.tokenUsage` LIKE '%5%'", [3]),
        ("span.attributes.`it\"s` LIKE '%'", []),
        ("trace.text LIKE '%42%'", [1]),
        ("feedback.quality > 3", [1]),
        ("feedback.quality = '5'", [1]),
        ("feedback.quality != '5'", [2]),
        ("feedback.quality IS NULL", [3]),
        ("expectation.answer = 'no'", [2]),
        ("expectation.answer LIKE '%n%'", [2]),
        ("status = 'ERROR' OR name = 'other'", [3, 2]),
        ("NOT status = 'ERROR'", [3, 1]),
        ("tokens >= 5", [3]),
        ("timestamp >= '2026-01-01T00:00:02Z'", [3]),
    ],
)
def test_traces_are_found_by_what_is_asked(three: Traces, text: str, wanted: list[int]) -> None:
    assert found(three, text) == wanted


@pytest.mark.parametrize(
    "text",
    ["nonsense", "foo = 'x'", "timestamp > 'a'", "span.foo = 'a'", "status > 'OK'", "prompt = 'a'", "run_id LIKE 'a%'"],
)
def test_a_filter_that_makes_no_sense_is_refused(traces: Traces, text: str) -> None:
    with pytest.raises(InvalidInput):
        traces.search(text)


@pytest.mark.parametrize(
    ("order_by", "wanted"),
    [
        (["timestamp ASC"], [1, 2, 3]),
        (["execution_time DESC"], [3, 2, 1]),
        (["name ASC"], [2, 1, 3]),
        (["tags.env DESC"], [1, 3, 2]),
        (["metadata.custom"], [3, 2, 1]),
        (["status", "request_id DESC"], [2, 3, 1]),
        (["end_time"], [1, 2, 3]),
    ],
)
def test_traces_come_in_the_order_asked_for(three: Traces, order_by: list[str], wanted: list[int]) -> None:
    assert found(three, "", order_by=order_by) == wanted


@pytest.mark.parametrize("order_by", [[], ["name ASC"]])
def test_pages_follow_each_other(traces: Traces, order_by: list[str]) -> None:
    traces.record_spans("bot", [span(trace=n, start=n // 2) for n in range(1, 8)])
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        page = traces.search(order_by=order_by, limit=3, page_token=token)
        pages.append([trace.id for trace in page.traces])
        token = page.next_page_token
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(one for page in pages for one in page) == [trace_id(n) for n in range(1, 8)]


@pytest.mark.parametrize(
    "token", ["x", "eyJvZmZzZXQiOiAtMX0=", "AAAA", "bnVsbA==", "eyJvZmZzZXQiOiA5OTk5OTk5OTk5OTk5OTk5OTk5OTl9"]
)
def test_a_token_that_is_none_is_refused(traces: Traces, token: str) -> None:
    with pytest.raises(InvalidInput):
        traces.search(page_token=token)


def test_only_the_experiments_that_are_asked_for_are_searched(traces: Traces) -> None:
    traces.record_spans("one", [span(trace=1)])
    traces.record_spans("two", [span(trace=2)])
    assert found(traces, "", experiments=["two"]) == [2]
    assert found(traces, "", experiments=[]) == []
    assert found(traces, "", experiments=["nope", "77"]) == []


def test_traces_are_got_in_the_order_of_their_ids(traces: Traces) -> None:
    traces.record_spans("bot", [span(trace=1), span(trace=2)])
    got = traces.get_many([trace_id(2), trace_id(9), trace_id(1), trace_id(2)], spans=True)
    assert [(trace.id, len(trace.spans)) for trace in got] == [(trace_id(2), 1), (trace_id(1), 1)]


def test_a_trace_that_is_not_there_is_not_found(traces: Traces) -> None:
    with pytest.raises(NotFound, match="not found"):
        traces.get(trace_id(1))


def test_deleted_traces_are_gone_with_all_that_hangs_on_them(three: Traces, assessments: Assessments) -> None:
    assert three.delete("bot", traces=[trace_id(1), trace_id(9)]) == 1
    assert found(three, "") == [3, 2]
    with pytest.raises(NotFound):
        assessments.list(trace_id(1))
    three.record_spans("bot", [span(9, trace=1)])
    again = three.get(trace_id(1))
    assert (again.tags, again.assessments, len(again.spans)) == ({}, [], 1)


def test_the_oldest_are_deleted_first(three: Traces) -> None:
    assert three.delete("bot", before=AT + timedelta(days=1), most=2) == 2
    assert found(three, "") == [3]
    assert three.delete("bot", before=AT) == 0


def test_deleting_must_say_which_ones(traces: Traces) -> None:
    with pytest.raises(InvalidInput):
        traces.delete("bot")


def test_sessions_are_summed_up(traces: Traces) -> None:
    for number, session in ((1, "a"), (2, "a"), (3, "b"), (4, "")):
        attributes = {"session.id": session}
        traces.record_spans(
            "bot", [span(trace=number, start=number, attributes=attributes, tokens={"total_tokens": 3})]
        )
    first, second = traces.sessions("bot")
    assert (first.id, second.id, second.traces, second.total_tokens) == ("b", "a", 2, 6)
    assert [one.id for one in traces.sessions("bot", before=first.last)] == ["a"]


def test_traces_are_counted(three: Traces) -> None:
    assert (three.count(), three.count("status = 'ERROR'"), three.count(experiments=["nope"])) == (3, 1, 0)


def test_many_may_write_the_same_traces_at_once(traces: Traces) -> None:
    def write(writer: int) -> None:
        numbers = list(range(1, 6))
        random.Random(writer).shuffle(numbers)
        for number in numbers:
            told = {"session.id": "s", "user.id": "ann"}
            batch = [span(writer, trace=n, start=writer, tokens={"total_tokens": 1}, attributes=told) for n in numbers]
            traces.record_spans("bot", batch, tags={"a": "1", "b": str(writer)})
            traces.record(Trace(id=trace_id(number), experiment=home, started=AT, tags={"c": "2"}, metadata={"d": "3"}))

    traces.record_spans("bot", [span(trace=9)])
    home = traces.get(trace_id(9)).experiment
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(1, 7)))
    for number in range(1, 6):
        trace = traces.get(trace_id(number))
        assert (len(trace.spans), trace.tokens, trace.session) == (6, {"total_tokens": 6}, "s")
        assert trace.tags.keys() == {"a", "b", "c"}


def test_a_server_keeps_traces_as_well(remote: RemoteWorkspace) -> None:
    given = span(inputs={"q": 1}, tokens={"total_tokens": 3}, links=[SpanLink(trace=trace_id(2), span="0" * 16)])
    remote.traces.record_spans("bot", [given], tags={"a": "1"})
    trace = remote.traces.get(trace_id(1))
    assert (trace.spans, trace.tags) == ([given], {"a": "1"})
    judged = remote.assessments.create(trace_id(1), "quality", {"a": [1]})
    assert remote.traces.search("feedback.quality IS NOT NULL").traces[0].assessments == [judged]
    faq = remote.evaluation_sets.create("faq", experiments=[trace.experiment])
    assert remote.evaluation_sets.merge_records(faq.id, [NewRecord(inputs={"q": 1})]).inserted == 1
    assert remote.evaluation_sets.records(faq.id).records[0].inputs == {"q": 1}
    assert remote.scorers.register("bot", "kind", "{}").version == 1


def test_filters_are_compared(three: Traces) -> None:
    always = three.correlate("status = 'ERROR'", "span.type = 'TOOL'")
    assert (always.first, always.second, always.both, always.all, always.npmi) == (1, 1, 1, 3, 1.0)
    assert three.correlate("status = 'ERROR'", "name = 'other'", experiments=["bot"]).npmi == -1.0
    assert three.correlate("status = 'ERROR'", "name = 'nobody'").npmi is None
    assert three.correlate("status = 'ERROR'", "name = 'agent'", "name = 'agent'").all == 2


OLD = {
    "name": "old",
    "context": {"span_id": "0x1a", "trace_id": "0x2"},
    "parent_id": None,
    "start_time": NS,
    "end_time": NS + 5,
    "status_code": "ERROR",
    "status_message": "boom",
    "attributes": {"mlflow.traceRequestId": '"x"', "mlflow.spanType": '"TOOL"', "k": "3", "plain": "text"},
    "events": [{"name": "e", "timestamp": NS + 1, "attributes": {"a": 1}}],
}
NEWER = {
    "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
    "span_id": "AAAAAAAAABs=",
    "parent_span_id": "AAAAAAAAABo=",
    "name": "newer",
    "start_time_unix_nano": NS + 2,
    "end_time_unix_nano": NS + 3,
    "status": {"code": "STATUS_CODE_OK", "message": ""},
    "attributes": {"mlflow.spanOutputs": '{"a": 1}'},
    "events": [],
}


@pytest.fixture
def in_file(
    database: Database, blobs: Blobs, events: EventLog, clock: FixedClock, traces: Traces
) -> Callable[[bytes], Trace]:
    """A trace whose spans a client kept in a file."""

    def keep(data: bytes) -> Trace:
        begun = traces.start("0", id="c0ffee")
        digest = blobs.put(data)
        Files(database, blobs, events, clock).put(f"{begun.experiment}/traces/c0ffee", "traces.json", digest, len(data))
        return traces.get("c0ffee")

    return keep


def test_spans_that_a_client_kept_in_a_file_are_read(in_file: Callable[[bytes], Trace]) -> None:
    trace = in_file(to_json({"spans": [NEWER, OLD], "request": "x"}))
    old, newer = trace.spans
    assert (old.id, old.parent, old.name, old.type, old.status, old.message) == (
        f"{0x1A:016x}",
        "",
        "old",
        "TOOL",
        "error",
        "boom",
    )
    assert (old.attributes, old.events[0].attributes) == ({"k": 3, "plain": "text"}, {"a": 1})
    assert (newer.parent, newer.outputs, newer.ended_ns, trace.span_count) == (old.id, {"a": 1}, NS + 3, 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"spans": 1}',
        b'{"spans": [1]}',
        b'{"spans": [{}]}',
        b'{"spans": [{"attributes": []}]}',
    ]
    + [to_json({"spans": [{**OLD, **wrong}]}) for wrong in ({"start_time": "x"}, {"context": {"span_id": "../"}})],
)
def test_a_file_that_holds_no_spans_does_no_harm(in_file: Callable[[bytes], Trace], data: bytes) -> None:
    assert in_file(data).spans == []


def test_verbs_can_be_told_to_the_outside() -> None:
    assert {"record_spans", "record", "get", "search", "delete", "link_to_run"} <= verbs_of(Traces).keys()
    assert verbs_of(Assessments)["get"].returns is Assessment
