"""MLflow's protocol by raw requests, as no client is between."""

from __future__ import annotations

from typing import Any

import httpx2

Answer = dict[str, Any]
START = 1_700_000_000_000
NONE = "f" * 32
"""An id that no run has."""
SEE = " See the API docs for more information about request parameters."


class Api:
    """MLflow's addresses at a real server."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=60)

    def post(self, path: str, /, **body: Any) -> Answer:
        """What the server answers; it must be content."""
        answer = self.http.post(f"/api/2.0/mlflow/{path}", json=body)
        assert answer.status_code == 200, answer.text
        found: Answer = answer.json()
        return found

    def get(self, path: str, /, **query: Any) -> Answer:
        """What the server answers; it must be content."""
        answer = self.http.get(f"/api/2.0/mlflow/{path}", params=query)
        assert answer.status_code == 200, answer.text
        found: Answer = answer.json()
        return found

    def refused(self, path: str, method: str = "POST", /, **body: Any) -> tuple[int, str, str]:
        """The status, code and message of a refusal."""
        given: Any = {"params": body} if method == "GET" else {"json": body}
        answer = self.http.request(method, f"/api/2.0/mlflow/{path}", **given)
        found = answer.json()
        assert set(found) == {"error_code", "message"}
        return answer.status_code, found["error_code"], found["message"]

    def experiment(self, name: str = "first", **more: Any) -> str:
        """The id of a new experiment."""
        made: str = self.post("experiments/create", name=name, **more)["experiment_id"]
        return made

    def run(self, experiment: str, name: str = "main", start: int = START, **more: Any) -> str:
        """The id of a new run."""
        made = self.post("runs/create", experiment_id=experiment, run_name=name, start_time=start, **more)
        run: str = made["run"]["info"]["run_id"]
        return run

    def data(self, run: str) -> dict[str, dict[str, Any]]:
        """Metrics, params and tags of a run, by key."""
        data = self.get("runs/get", run_id=run)["run"]["data"]
        return {
            "metrics": {one["key"]: (one["value"], one["timestamp"], one["step"]) for one in data.get("metrics", [])},
            "params": {one["key"]: one["value"] for one in data.get("params", [])},
            "tags": {one["key"]: one["value"] for one in data.get("tags", [])},
        }
