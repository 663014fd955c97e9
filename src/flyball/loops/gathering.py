"""Which predictions a person should label: those of which the model was least sure."""

from __future__ import annotations

from typing import Any

from flyball.loops.services import Services
from flyball.monitoring.examine import labelled_predictions
from flyball.monitoring.windows import Window


def least_sure(workspace: Services, deployment: str, window: Window, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The predictions of a window that nobody has labelled and of which the model was least sure: id and confidence.

    Confidence is the probability of the predicted class, or the largest one where there are several (uncertainty sampling:
    Lewis and Gale 1994).

    Args:
        params: `most`, how many at most; `below`, the confidence below which one is taken.
    """
    import numpy as np

    rows = labelled_predictions(
        workspace.store, workspace.monitoring, deployment, start=window.start, end=window.end, inputs=()
    )
    rows = rows.filter(rows["truth"].is_null())
    sure = _confidence(rows)
    unsure = [int(place) for place in np.argsort(sure, kind="stable") if sure[place] < float(params["below"])]
    ids = rows["prediction_id"].to_pylist()
    return [{"id": ids[place], "confidence": round(float(sure[place]), 4)} for place in unsure[: int(params["most"])]]


def _confidence(rows: Any) -> Any:
    import numpy as np

    if "probabilities" in rows.column_names and rows.num_rows:
        return np.array(
            [
                max(values) if values else 1.0
                for values in (_numbers(each) for each in rows["probabilities"].to_pylist())
            ]
        )
    chance = rows["probability"].to_numpy(zero_copy_only=False)
    return np.nan_to_num(np.maximum(chance, 1 - chance), nan=1.0)


def _numbers(value: Any) -> list[float]:
    found = value.values() if isinstance(value, dict) else value or ()
    return [float(each) for each in found if each is not None]
