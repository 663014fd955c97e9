"""What clients do most often, they do without holding each other up."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from blockbuster import BlockBuster
from starlette.applications import Starlette

from flyball.server.app import create_app
from flyball.workspace import Workspace

ROOT = "/api/2.0/mlflow"


@pytest.fixture
def app(workspace: Workspace) -> Starlette:
    """The application, made before anybody watches."""
    return create_app(workspace)


async def post(http: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(f"{ROOT}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.anyio
async def test_logging_and_files_do_not_hold_up_other_requests(
    app: Starlette, shown: dict[str, str], no_blocking_calls: BlockBuster
) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=shown) as http:
        experiment = (await post(http, "experiments/create", {"name": "first"}))["experiment_id"]
        made = await post(http, "runs/create", {"experiment_id": experiment, "start_time": 1})
        run = made["run"]["info"]["run_id"]
        model = await post(http, "logged-models", {"experiment_id": experiment, "name": "tree"})
        points = [
            {
                "run_id": run,
                "key": f"m{place}",
                "value": place,
                "timestamp": 1,
                "model_id": model["model"]["info"]["model_id"],
            }
            for place in range(20)
        ]
        await asyncio.gather(*(post(http, "runs/log-metric", point) for point in points))
        await asyncio.gather(
            post(http, "runs/log-parameter", {"run_id": run, "key": "a", "value": "b"}),
            post(http, "runs/set-tag", {"run_id": run, "key": "mlflow.runName", "value": "b"}),
            post(http, "runs/log-batch", {"run_id": run, "metrics": points[:5], "tags": [{"key": "t"}]}),
        )
        changed = await http.post(f"{ROOT}/runs/log-parameter", json={"run_id": run, "key": "a", "value": "c"})
        assert changed.status_code == 400
        data = (await http.get(f"{ROOT}/runs/get", params={"run_id": run})).json()["run"]["data"]
        assert len(data["metrics"]) == 20

        files = "/api/2.0/mlflow-artifacts"
        root = f"{experiment}/{run}/artifacts"
        for size in (10, 3 << 20):
            assert (await http.put(f"{files}/artifacts/{root}/a.bin", content=b"x" * size)).status_code == 200
            assert len((await http.get(f"{files}/artifacts/{root}/a.bin")).content) == size
        upload = (await http.post(f"{files}/mpu/create/{root}", json={"path": "b.bin"})).json()
        part = await http.put(upload["credentials"][0]["url"], content=b"x" * (2 << 20))
        done = {
            "path": "b.bin",
            "upload_id": upload["upload_id"],
            "parts": [{"part_number": 1, "etag": part.headers["etag"]}],
        }
        assert (await http.post(f"{files}/mpu/complete/{root}", json=done)).json() == {}
        assert (await http.get(f"{ROOT}/artifacts/list", params={"run_id": run})).status_code == 200
