"""Traces: logged, read, searched, tagged, judged, linked, removed."""

from __future__ import annotations

import time

import mlflow
from checks import check, refused, same
from mlflow import MlflowClient

client = MlflowClient()
MAJOR = int(mlflow.__version__[0])
experiment = mlflow.set_experiment("tracing").experiment_id
ids: dict[str, str] = {}


@mlflow.trace(name="outer", span_type="CHAIN", attributes={"a": 1})
def outer(x: int) -> int:
    return inner(x) + 1


@mlflow.trace(span_type="TOOL")
def inner(x: int) -> int:
    if x < 0:
        raise ValueError("below zero")
    return x * 2


def flush() -> None:
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()


def trace_id(trace: object) -> str:
    info = trace.info
    return info.trace_id if MAJOR == 3 else info.request_id


def of_run(run: str) -> list[object]:
    # The newest client stumbles over its own `experiment_ids` here.
    places = {"locations": [experiment]} if MAJOR == 3 else {"experiment_ids": [experiment]}
    return list(client.search_traces(**places, run_id=run))


@check
def a_traced_call_is_kept_with_its_spans() -> None:
    same(outer(3), 7)
    flush()
    ids["ok"] = mlflow.get_last_active_trace_id()
    found = client.get_trace(ids["ok"])
    same(trace_id(found), ids["ok"])
    spans = {span.name: span for span in found.data.spans}
    same(set(spans), {"outer", "inner"})
    same((spans["outer"].inputs, spans["outer"].outputs), ({"x": 3}, 7))
    same(spans["inner"].parent_id, spans["outer"].span_id)
    same((spans["outer"].span_type, spans["outer"].attributes["a"]), ("CHAIN", 1))
    same(str(found.info.state if MAJOR == 3 else found.info.status.value).rpartition(".")[2], "OK")
    assert found.info.experiment_id == experiment
    assert spans["outer"].start_time_ns <= spans["inner"].start_time_ns <= spans["inner"].end_time_ns


@check
def an_error_is_kept() -> None:
    try:
        outer(-1)
    except ValueError:
        pass
    flush()
    ids["error"] = mlflow.get_last_active_trace_id()
    found = client.get_trace(ids["error"])
    same(str(found.info.state if MAJOR == 3 else found.info.status.value).rpartition(".")[2], "ERROR")
    assert any(event.name == "exception" for span in found.data.spans for event in span.events)


@check
def spans_are_made_by_hand() -> None:
    with mlflow.start_span("root", span_type="AGENT") as span:
        span.set_inputs({"question": "what?"})
        with mlflow.start_span("child") as child:
            child.set_attribute("k", {"deep": [1, 2]})
        span.set_outputs({"answer": "that"})
        mlflow.update_current_trace(tags={"fruit": "apple"})
    flush()
    ids["hand"] = mlflow.get_last_active_trace_id()
    found = client.get_trace(ids["hand"])
    same(found.info.tags["fruit"], "apple")
    same(next(s for s in found.data.spans if s.name == "child").attributes["k"], {"deep": [1, 2]})


@check
def a_trace_belongs_to_the_run_it_was_made_in() -> None:
    with mlflow.start_run() as run:
        outer(1)
    flush()
    ids["run"] = run.info.run_id
    found = of_run(run.info.run_id)
    same(len(found), 1)
    ids["in run"] = trace_id(found[0])


@check
def tags_are_set_and_removed() -> None:
    client.set_trace_tag(ids["ok"], "colour", "red")
    same(client.get_trace(ids["ok"]).info.tags["colour"], "red")
    client.delete_trace_tag(ids["ok"], "colour")
    assert "colour" not in client.get_trace(ids["ok"]).info.tags


@check
def they_are_searched() -> None:
    def found(text: str | None = None, **options: object) -> set[str]:
        names = {key: value for key, value in ids.items() if key != "run"}
        known = {value: key for key, value in names.items()}
        return {known.get(trace_id(t), "?") for t in client.search_traces([experiment], text, **options)}

    same(found(), {"ok", "error", "hand", "in run"})
    same(found("status = 'ERROR'"), {"error"})
    same(found("tags.fruit = 'apple'"), {"hand"})
    same(found("attributes.name = 'root'" if MAJOR == 2 else "trace.name = 'root'"), {"hand"})
    same(found(f"timestamp_ms > {int(time.time() * 1000) + 60000}"), set())
    same(found(f"metadata.mlflow.sourceRun = '{ids['run']}'"), {"in run"})
    if MAJOR == 3:
        same(found("span.name = 'root'"), {"hand"})
        same(found("span.type = 'AGENT'"), {"hand"})
        same(found("trace.execution_time_ms >= 0"), {"ok", "error", "hand", "in run"})
    newest = client.search_traces([experiment], order_by=["timestamp_ms DESC"], max_results=1)
    same(len(newest), 1)
    oldest = client.search_traces([experiment], order_by=["timestamp_ms ASC"], max_results=3)
    rest = client.search_traces([experiment], order_by=["timestamp_ms ASC"], max_results=3, page_token=oldest.token)
    same((len(oldest), len(rest)), (3, 1))
    refused(lambda: client.search_traces([experiment], "colour ~ 'x'"), "INVALID_PARAMETER_VALUE")
    table = mlflow.search_traces(experiment_ids=[experiment])
    same(len(table), 4)


@check
def people_and_judges_say_what_they_think() -> None:
    if MAJOR < 3:
        return
    made = mlflow.log_feedback(trace_id=ids["ok"], name="good", value=True, rationale="it is")
    mlflow.log_feedback(trace_id=ids["ok"], name="score", value=0.5)
    expected = mlflow.log_expectation(trace_id=ids["ok"], name="answer", value={"text": "seven"})
    found = {a.name: a for a in client.get_trace(ids["ok"]).info.assessments}
    same(set(found), {"good", "score", "answer"})
    same((found["good"].value, found["good"].rationale, found["answer"].value), (True, "it is", {"text": "seven"}))
    one = mlflow.get_assessment(ids["ok"], made.assessment_id)
    same(one.value, True)
    one.rationale = "is it?"
    one.value = False
    mlflow.update_assessment(ids["ok"], made.assessment_id, one)
    same(mlflow.get_assessment(ids["ok"], made.assessment_id).value, False)
    mlflow.override_feedback if hasattr(mlflow, "override_feedback") else None
    mlflow.delete_assessment(ids["ok"], expected.assessment_id)
    same("answer" in {a.name for a in client.get_trace(ids["ok"]).info.assessments}, False)
    same(len(client.search_traces([experiment], "feedback.score = '0.5'")), 1)


@check
def a_trace_is_linked_to_a_run() -> None:
    if MAJOR < 3:
        return
    client.link_traces_to_run([ids["hand"]], ids["run"])
    same({trace_id(t) for t in of_run(ids["run"])}, {ids["hand"], ids["in run"]})


@check
def the_old_way_by_hand() -> None:
    root = client.start_trace("by client", inputs={"a": 1}, experiment_id=experiment)
    request = root.trace_id if MAJOR == 3 else root.request_id
    child = client.start_span("child", request, parent_id=root.span_id)
    client.end_span(request, child.span_id, outputs={"b": 2})
    client.end_trace(request, outputs={"c": 3})
    flush()
    found = client.get_trace(request)
    same({span.name for span in found.data.spans}, {"by client", "child"})


@check
def they_are_removed() -> None:
    same(
        client.delete_traces(experiment, trace_ids=[ids["error"]])
        if MAJOR == 3
        else client.delete_traces(experiment, request_ids=[ids["error"]]),
        1,
    )
    left = {trace_id(t) for t in client.search_traces([experiment])}
    assert ids["error"] not in left
    try:
        client.get_trace(ids["error"])
    except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
        assert "not found" in str(error).lower() or "does not exist" in str(error).lower() or "No trace" in str(error)
    else:
        raise AssertionError("still there")
    far = int(time.time() * 1000) + 60_000
    same(client.delete_traces(experiment, max_timestamp_millis=far, max_traces=100), len(left))


@check
def a_session_is_found_by_its_id() -> None:
    if MAJOR < 3:
        return
    with mlflow.start_span("turn"):
        mlflow.update_current_trace(metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "ann"})
    flush()
    same(len(client.search_traces([experiment], "metadata.`mlflow.trace.session` = 's-1'")), 1)
