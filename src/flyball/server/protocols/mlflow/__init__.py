"""MLflow's REST protocol, so that the `mlflow` package takes this server for its own.

`wire.py` is the seam: requests, answers and errors as MLflow writes them. Every other module without a leading underscore
holds endpoints and is found by being here.
"""

from __future__ import annotations

from flyball.server.protocols.mlflow._quick import QUICK
from flyball.server.protocols.mlflow.wire import MlflowProtocol

__all__ = ["QUICK", "MlflowProtocol"]
