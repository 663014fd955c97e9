"""Answers to tensors of the Open Inference Protocol and to tables of others, whatever face they came by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.clock import Clock
from flyball.errors import InvalidInput
from flyball.serving.decoding import InferRequest, moment, prediction_ids, table_of_columns, table_of_tensors
from flyball.serving.endpoint import Endpoint, Outcome
from flyball.serving.manifest import Arm
from flyball.serving.runtime import Runtime
from flyball.telemetry import NO_TRACE, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


def infer(
    endpoint: Endpoint,
    runtime: Runtime,
    asked: InferRequest,
    clock: Clock,
    *,
    binary: memoryview | None = None,
    only: Arm | None = None,
    trace: Trace = NO_TRACE,
) -> tuple[Outcome, list[str]]:
    """What comes of tensors, and the ids of the predictions.

    Args:
        binary: The values of tensors that follow the JSON.
        only: The arm that is asked, whatever the keys.

    Raises:
        InvalidInput: the tensors do not fit the model.
    """
    with trace.span("decode", inputs=len(asked.inputs)):
        if not asked.inputs:
            raise InvalidInput("The request has no inputs.", hint="Give one tensor a column.")
        table = table_of_tensors(asked.inputs, runtime, binary)
    ids = prediction_ids(asked.parameters.get("prediction_ids"), table.num_rows)
    at = moment(asked.parameters.get("time"), clock)
    answer = endpoint.answer(runtime, table, ids, at=at, only=only, request_id=asked.id, trace=trace)
    return Outcome.of(answer), ids


def score_columns(
    endpoint: Endpoint, runtime: Runtime, columns: Mapping[str, Sequence[Any]], clock: Clock, *, trace: Trace = NO_TRACE
) -> tuple[Outcome, list[str]]:
    """What comes of columns of values by name; columns that no arm takes are an error.

    Raises:
        InvalidInput: the columns do not fit the model.
    """
    with trace.span("decode", columns=len(columns)):
        table = table_of_columns(columns, runtime)
    return score_table(endpoint, runtime, table, clock, trace=trace)


def score_table(
    endpoint: Endpoint, runtime: Runtime, table: pa.Table, clock: Clock, *, trace: Trace = NO_TRACE
) -> tuple[Outcome, list[str]]:
    """What comes of a table.

    Raises:
        InvalidInput: its columns do not fit the model.
    """
    ids = prediction_ids(None, table.num_rows)
    answer = endpoint.answer(runtime, table, ids, at=clock.now(), trace=trace)
    return Outcome.of(answer), ids
