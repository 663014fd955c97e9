from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.models.package import ModelPackage, save_model
from flyball.serialization import to_json
from flyball.serving.follower import Follower
from flyball.serving.manifest import Arm, Manifest, Role, manifest_key
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

EXAMPLE = pa.table({"x": [0.5, 2.0], "n": [1, 2], "city": ["a", "b"]})
CONSTANT = "def predict(table):\n    return [{value!r}] * table.num_rows\n"

MakePackage = Callable[..., ModelPackage]
MakeArm = Callable[..., Arm]
Publish = Callable[..., Manifest]


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "objects", durable=False)


@pytest.fixture
def blobs(store: LocalObjects) -> Blobs:
    return Blobs(store)


@pytest.fixture
def make_package(tmp_path: Path, blobs: Blobs) -> MakePackage:
    """Packages a model whose every prediction is one value, or whose source is given."""

    def make(value: object = 1.0, *, source: str = "", example: pa.Table = EXAMPLE) -> ModelPackage:
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        path = folder / f"model_{len(list(folder.iterdir()))}.py"
        path.write_text(source or CONSTANT.format(value=value))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return save_model(module.predict, blobs, example=example)

    return make


@pytest.fixture
def make_arm(make_package: MakePackage) -> MakeArm:
    def make(
        version: int = 1, *, role: Role = "champion", weight: float = 1.0, package: ModelPackage | None = None
    ) -> Arm:
        return Arm(
            revision=f"model-{version}",
            model="model",
            version=version,
            package=package or make_package(float(version)),
            role=role,
            weight=weight,
        )

    return make


@pytest.fixture
def publish(store: LocalObjects) -> Publish:
    """Writes a manifest where followers look for it."""

    def write(*arms: Arm, generation: int = 1, name: str = "shop", key: str = "", log_inputs: bool = True) -> Manifest:
        manifest = Manifest(deployment=name, generation=generation, arms=arms, key=key, log_inputs=log_inputs)
        store.put(manifest_key(name), to_json(manifest))
        return manifest

    return write


@pytest.fixture
def follower(store: LocalObjects) -> Iterator[Follower]:
    follower = Follower(store, replica="r1")
    yield follower
    follower.stop()
