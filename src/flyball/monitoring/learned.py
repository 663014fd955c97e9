"""What a reference learns of a model besides its inputs: what it says, what is true, and where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from flyball.monitoring import loss_model
from flyball.monitoring.outcome_reference import TRUTH, fit_outcomes
from flyball.monitoring.profile import Reference

if TYPE_CHECKING:
    import pyarrow as pa

_LEAST_ROWS = 100


def with_outcomes(
    reference: Reference,
    inputs: pa.Table,
    outcomes: pa.Table,
    *,
    is_classifier: bool,
    times: pa.ChunkedArray | None = None,
    period: timedelta | None = None,
) -> Reference:
    """The reference with the spread of predictions and truth, and for a regression with a model of its errors.

    Args:
        inputs: Held-out rows.
        outcomes: As `outcome_table` gives it, for the same rows.
        times: When each row was; `period`: length of the windows that live traffic is compared in.
    """
    if outcomes.num_rows < _LEAST_ROWS:
        return reference
    learned = replace(reference, outcomes=fit_outcomes(outcomes, times=times, period=period))
    if is_classifier or outcomes.num_rows < loss_model.LEAST_ROWS:
        return learned
    models = loss_model.fit_losses(inputs, outcomes["prediction"].to_numpy(), outcomes[TRUTH].to_numpy())
    return replace(learned, loss_models=models)
