"""Fills an MLflow store with a bit of everything; run by a real client, with the store's address."""

import contextlib
import sys

import mlflow
import numpy as np
from mlflow.entities import AssessmentSource, Metric
from mlflow.entities.trace_state import TraceState
from sklearn.linear_model import LinearRegression

if len(sys.argv) > 1:
    mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()


@mlflow.trace(span_type="LLM", attributes={"model": "small", "at": [1, 2]})
def answer(question: str) -> dict[str, object]:
    """A call with a part."""
    with mlflow.start_span("look up") as span:
        span.set_inputs({"question": question})
        span.set_outputs([1, None, "é"])
    mlflow.update_current_trace(session_id="talk", tags={"team": "growth"})
    return {"answer": 42, "deep": {"er": [0.5]}}


@mlflow.trace
def fail() -> None:
    """A call that does not work."""
    raise ValueError("on purpose")


experiment = mlflow.set_experiment("apples é")
mlflow.set_experiment_tag("kind", "fruit")
with mlflow.start_run(run_name="parent", description="what it is: '\"") as run:
    mlflow.log_params({"a": 1, "b/c": "x y\nz", "yes": "no", "long": "w " * 200})
    mlflow.log_metric("loss", float("nan"), step=3)
    mlflow.log_metric("m/deep", 2.5, step=-1)
    client.log_batch(run.info.run_id, [Metric("long", i * 0.5, 1_700_000_000_000 + i, i) for i in range(300)])
    mlflow.log_text("hello", "d/é & +.txt")
    mlflow.log_text("", "empty.txt")
    data = mlflow.data.from_numpy(np.zeros(3), name="zeros", digest="dd")
    mlflow.log_input(data, context="train", tags={"t": "u"})
    with mlflow.start_run(nested=True, run_name="child: '1'"):
        mlflow.log_metric("x", 1.0)
    fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    made = mlflow.sklearn.log_model(
        fitted, name="model", registered_model_name="line", params={"p": 1}, tags={"k": "v"}
    )
    mlflow.log_metric("acc", 0.5, model_id=made.model_id)
    answer("what is it?")
    client.create_model_version("line", made.model_uri, run.info.run_id, model_id=made.model_id, description="second")
    client.create_model_version("line", made.model_uri, run.info.run_id, model_id=made.model_id, tags={"n": "3"})
client.delete_model_version("line", "2")
client.set_registered_model_alias("line", "champion", "3")
client.update_registered_model("line", "a straight one")
gone = client.create_run(experiment.experiment_id, run_name="gone")
client.set_terminated(gone.info.run_id, "KILLED")
client.delete_run(gone.info.run_id)
with contextlib.suppress(ValueError):
    fail()
mlflow.flush_trace_async_logging()
traces = {
    trace.info.state: trace.info.trace_id
    for trace in mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
}
answered = traces[TraceState.OK]
mlflow.log_feedback(
    trace_id=answered,
    name="good",
    value=0.5,
    rationale="why",
    source=AssessmentSource("HUMAN", "ann"),
    metadata={"a": "b"},
)
wrong = mlflow.log_feedback(trace_id=answered, name="short", value=True)
mlflow.override_feedback(trace_id=answered, assessment_id=wrong.assessment_id, value=False)
mlflow.log_expectation(trace_id=answered, name="answer", value={"deep": [1, {"x": 2}]})
