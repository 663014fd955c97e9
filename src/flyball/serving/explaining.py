"""Explanations on request: what each column contributed to what the champion answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.models.explaining import explain_model
from flyball.serving.decoding import PredictRequest, prediction_ids, table_of_request
from flyball.serving.runtime import Runtime

MOST_ROWS = 100
"""Most rows of a request."""
MOST_WAITING = 8
"""Most requests that are worked on or wait: each may take a second."""
_MOST_SAMPLES = 2_000
# Rows times samples: a thread that explains cannot be stopped, and each of them asks the model once for each column.
_MOST_DRAWN = 6_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """What a request's query says.

    Attributes:
        target: Label of the class to explain; the last one if empty.
        samples: How many orders of the columns are drawn for a row, where they are drawn.
    """

    target: str = ""
    samples: int = 64


def read_options(query: Mapping[str, str]) -> ExplainOptions:
    """The options in the query of a request.

    Raises:
        InvalidInput: one is not known, or no number within its limits.
    """
    known = ("target", "samples")
    for name in query:
        if name not in known:
            raise InvalidInput(f"There is no option {name[:80]!r}.", hint=did_you_mean(name, known))
    samples = query.get("samples", "64")
    if not (samples.isascii() and samples.isdigit() and len(samples) < 5 and 4 <= int(samples) <= _MOST_SAMPLES):
        raise InvalidInput(f"samples is {samples[:20]!r}.", hint=f"Give a number from 4 to {_MOST_SAMPLES}.")
    return ExplainOptions(target=query.get("target", ""), samples=int(samples))


def explain(runtime: Runtime, request: PredictRequest, options: ExplainOptions) -> dict[str, Any]:
    """The champion's predictions of the rows, shared out over their columns.

    Raises:
        InvalidInput: the rows do not fit the model or are too many, or it cannot be explained.
    """
    table = table_of_request(request, runtime)
    if table.num_rows > MOST_ROWS:
        raise InvalidInput(
            f"{table.num_rows:,} rows are too many to explain in one request.", hint=f"Send at most {MOST_ROWS}."
        )
    if table.num_rows * options.samples > _MOST_DRAWN:
        raise InvalidInput(
            f"{options.samples:,} samples are too many for {table.num_rows} rows.",
            hint=f"Ask for at most {_MOST_DRAWN // table.num_rows:,}, or send fewer rows.",
        )
    ids = prediction_ids(request.ids, table.num_rows)
    champion = runtime.champion
    found = explain_model(
        runtime.models[champion.package.id],
        table,
        target=options.target or None,
        samples=options.samples,
        name=f"models:/{champion.model}/{champion.version}",
    )
    head = {"deployment": runtime.manifest.deployment, "model": champion.model, "version": champion.version}
    return {**head, "generation": runtime.manifest.generation, "ids": ids, "explanation": found}
