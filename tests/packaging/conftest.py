from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import urllib3

from flyball.models.package import save_model
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.servers.absent import found
from tests.servers.processes import free_port, running
from tools import provision
from tools.provision import FOLDER

SOURCE = "def predict(table):\n    return [{value}] * table.num_rows\n"


class SharedLayers(Workspace):
    """A workspace whose packed layers outlive the tests: packing Python takes ten seconds."""

    @property
    def cache(self) -> Path:
        return FOLDER / "layers"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with two versions of a model; a deployment serves the first one."""
    folder = tmp_path_factory.mktemp("shop")
    example = pa.table({"x": [1.0, 2.0]})
    with SharedLayers(load_settings({}, environment={}, start=folder), durable=False) as made:
        for value in (1.0, 2.0):
            path = folder / f"shop_model_{value:.0f}.py"
            path.write_text(SOURCE.format(value=value))
            space: dict[str, object] = {}
            code = compile(path.read_text(), str(path), "exec")
            exec(code, space)
            made.registry.register("shop", save_model(space["predict"], made.blobs, example=example))
        made.registry.promote("shop", 1)
        made.deployments.deploy("shop", "shop", 1)
        yield made


@pytest.fixture(scope="session")
def image_registry() -> Iterator[str]:
    """The address of a real registry of images."""
    program = found(provision.IMAGE_REGISTRY)
    with tempfile.TemporaryDirectory(prefix="flyball-registry-") as name:
        port = free_port()
        config = Path(name) / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {name}/data}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
        with running([program, "serve", config], log=Path(name) / "log", ready=lambda: _answers(port)):
            yield f"127.0.0.1:{port}"


def _answers(port: int) -> bool:
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/v2/", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
