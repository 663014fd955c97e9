from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from flyball.monitoring.windows import Window

START = datetime(2013, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)

Predict = Callable[..., list[str]]
Examine = Callable[..., Window]


def inputs_of(rows: int, *, seed: int = 0, warmer: float = 0.0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "temperature": random.normal(51 + warmer, 12, rows),
            "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]),
        }
    )
