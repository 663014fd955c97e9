"""A model that would run code as it is read: the server never reads one, and a project may ask for a trusted signature."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

import flyball as fb
from flyball.data.checks_file import parse_checks
from flyball.errors import FlyballError, InvalidInput, PermissionDenied
from flyball.models.package import ModelPackage, package_id, runs_code, save_model
from flyball.registry.keys import make_keys
from flyball.registry.signing import sign_version
from flyball.testing import workspace as made_in
from flyball.workspace import Workspace
from tests.attacks.conftest import Target
from tests.registry.constant import always_seven


class Exploit:
    """Runs a command when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return (os.system, (f"touch {self._mark}",))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with made_in(tmp_path) as made:
        yield made


@pytest.fixture
def package(here: Workspace) -> ModelPackage:
    return save_model(always_seven, here.blobs, example=pa.table({"age": [1.0, 2.0]}))


def disguises(data: bytes) -> dict[str, bytes]:
    """A pickle as itself, and in the clothes that scanners were fooled by."""
    return {
        "model.pickle": data, "model.joblib": zlib.compress(data), "model.onnx": data, "model.txt": data, "a.json": data,
        "model.npy": b"\x93NUMPY" + data, "x.safetensors": data,
    }  # fmt: skip


def test_the_server_reads_no_model_whatever_it_is_called(target: Target, tmp_path: Path) -> None:
    import json

    mark = tmp_path / "ran"
    for name, data in disguises(pickle.dumps(Exploit(mark))).items():
        path = f"/api/2.0/mlflow-artifacts/artifacts/{target.run}/artifacts/model/{name}"
        assert target.ask("PUT", path, data).status == 200
        assert target.ask("GET", path).body == data
    yaml = (
        b"flavors: {python_function: {loader_module: os, data: !!python/object/apply:os.system ['touch %s']}}"
        % str(mark).encode()
    )
    target.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{target.run}/artifacts/model/MLmodel", yaml)
    for path, body in (
        ("/api/2.0/mlflow/registered-models/create", {"name": "poisoned"}),
        (
            "/api/2.0/mlflow/model-versions/create",
            {"name": "poisoned", "source": f"runs:/{target.run}/model", "run_id": target.run},
        ),
        ("/api/deployments/deploy", {"name": "poisoned", "model": "poisoned", "version": 1}),
    ):
        assert target.ask("POST", path, json.dumps(body).encode()).status < 500
    for path in (
        f"/api/tracking/list_artifacts?run={target.run}",
        "/api/model_cards/get?ref=models:/poisoned/1",
        "/api/sboms/get?ref=models:/poisoned/1",
    ):
        target.ask("GET", path)
    assert not mark.exists()


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(FlyballError):
        parse_checks(f"- !!python/object/apply:os.system ['touch {mark}']")
    assert not mark.exists()


@pytest.mark.parametrize("flavor", ["scikit_learn", "python_function", "statsmodels", "mlflow", "made_up"])
def test_what_runs_code_is_known_by_its_flavor_and_not_by_its_word(package: ModelPackage, flavor: str) -> None:
    assert runs_code(replace(package, flavor=flavor, flavor_settings={}))


@pytest.mark.parametrize("flavor", ["onnx", "xgboost", "lightgbm", "rules"])
def test_what_is_data_is_data(package: ModelPackage, flavor: str) -> None:
    assert not runs_code(replace(package, flavor=flavor, flavor_settings={}))


def test_a_pickle_that_calls_itself_harmless_is_refused_where_code_is(here: Workspace, package: ModelPackage) -> None:
    here.policies.apply([fb.rule.formats(no_code=True)])
    quiet = replace(package, flavor_settings={k: v for k, v in package.flavor_settings.items() if k != "trusted_only"})
    with pytest.raises(PermissionDenied, match="runs code"):
        here.registry.register("churn", replace(quiet, id=package_id(quiet)))


def test_what_runs_code_is_served_when_a_trusted_key_has_signed_it(
    here: Workspace, package: ModelPackage, tmp_path: Path
) -> None:
    pytest.importorskip("model_signing")
    trusted, other = make_keys(tmp_path / "ada.key"), make_keys(tmp_path / "eve.key")
    here.policies.apply([fb.rule.signed([trusted.public.read_text()])])
    version = here.registry.register("churn", package)
    with pytest.raises(PermissionDenied, match="no trusted key has signed it"):
        here.deployments.deploy("churn", "churn", 1)
    sign_version(version, other.private, signatures=here.signatures, blobs=here.blobs)
    with pytest.raises(PermissionDenied, match="no trusted key has signed it"):
        here.deployments.deploy("churn", "churn", 1)
    sign_version(version, trusted.private, signatures=here.signatures, blobs=here.blobs)
    assert here.deployments.deploy("churn", "churn", 1).champion == 1


def test_a_signature_that_only_names_a_trusted_key_is_none(
    here: Workspace, package: ModelPackage, tmp_path: Path
) -> None:
    """Whoever may add signatures could name a key that they do not hold."""
    pytest.importorskip("model_signing")
    trusted, other = make_keys(tmp_path / "ada.key"), make_keys(tmp_path / "eve.key")
    here.policies.apply([fb.rule.signed([trusted.public.read_text()])])
    version = here.registry.register("churn", package)
    made = sign_version(version, other.private, signatures=here.signatures, blobs=here.blobs)
    forged = here.blobs.get(made.signature).replace(other.id.encode(), trusted.id.encode())
    here.signatures.record("models:/churn/1", here.blobs.put(forged), made.described, trusted.public.read_text())
    with pytest.raises(PermissionDenied):
        here.deployments.deploy("churn", "churn", 1)


def test_a_key_that_is_none_is_refused(here: Workspace) -> None:
    with pytest.raises(InvalidInput):
        here.policies.apply([fb.rule.signed(["no key"])])


def test_the_server_never_imports_what_reads_models() -> None:
    code = (
        "import sys, flyball.server.main, flyball.server.protocols.mlflow.wire as w; w.load_endpoints(); "
        "print([name for name in ('sklearn', 'joblib', 'cloudpickle', 'skops', 'onnxruntime', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
