"""The files of versions that were registered here, as a model folder that MLflow's clients load.

`flyball/models/<name>/<version>/artifacts` holds the model's own files and, made when they are asked for, an `MLmodel` and
what else MLflow wants beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from flyball.errors import NotFound
from flyball.models.mlmodel import requirements_of, written
from flyball.models.model_folders import FLAVOR
from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow._places import Place, StoredFile, find_place, trees
from flyball.server.protocols.mlflow._registry import find_version, model_of_part
from flyball.server.protocols.mlflow._sources import location_of
from flyball.server.protocols.mlflow.artifacts import file_response
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace

if TYPE_CHECKING:
    from flyball.registry.versions import ModelVersion

ROOT = "flyball/models"
_CODE = "code"
_ENVIRONMENT = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
_DISTRIBUTIONS = {
    "scikit_learn": ("scikit-learn", "numpy", "scipy", "pandas", "joblib"),
    "python_function": ("pyarrow", "numpy", "pandas"),
}


class GetFile(msgspec.Struct):
    """A file of a version."""

    name: str
    version: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class ModelTree:
    """The folders of all versions."""

    def files(self, workspace: Workspace, path: str) -> Iterator[StoredFile]:
        """The files of the version that the path leads to; none where it leads to no version."""
        parts = path.split("/")
        if len(parts) < 3 or parts[2] != "artifacts" or not parts[1].isdecimal():
            return
        try:
            version = workspace.model_versions.get(model_of_part(parts[0]), int(parts[1][:10]))
        except (NotFound, MlflowError):
            return
        root = "/".join(parts[:3])
        for file in model_files(workspace, version):
            yield StoredFile(name=f"{root}/{file.name}", size=file.size, digest=file.digest, data=file.data)


trees[ROOT] = ModelTree()


@endpoint("GET HEAD", "/model-versions/get-artifact")
def get_file(workspace: Workspace, given: GetFile) -> Response:
    """A file of a version, as MLflow's page asks for it."""
    if not given.path:
        raise MlflowError("Request must specify path.", "BAD_REQUEST")
    path = _checks.check_path(given.path)
    uri = location_of(workspace, find_version(workspace, given.name, given.version))
    scheme, _, root = uri.partition(":/")
    if scheme != "mlflow-artifacts":
        raise MlflowError(f"The files of this version are kept at {uri[:200]}.", "RESOURCE_DOES_NOT_EXIST")
    return file_response(workspace, _below(workspace, root.strip("/"), path))


def model_files(workspace: Workspace, version: ModelVersion) -> Iterator[StoredFile]:
    """A version's files, by name, with those that are made for MLflow. None where they are kept elsewhere."""
    package = version.package
    own = {
        name: StoredFile(name=name, size=workspace.blobs.size(digest), digest=digest)
        for name, digest in package.files.items()
        if workspace.blobs.has(digest)
    }
    if package.flavor not in (FLAVOR, ""):
        made = _made(version, sum(file.size for file in own.values()))
        own |= {name: StoredFile(name=name, size=len(data), data=data) for name, data in made.items()}
    for name in sorted(own):
        yield own[name]


def _made(version: ModelVersion, size: int) -> dict[str, bytes]:
    package = version.package
    flavors, code = _flavors(version)
    python = package.environment.python
    told = requirements_of(package.environment, _DISTRIBUTIONS.get(package.flavor, ()))
    needed = ["mlflow", *told.splitlines()]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": needed}],
    }
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    created = version.created.replace(tzinfo=None).isoformat(sep=" ")
    made = {
        "MLmodel": written(package.signature, flavors, created=created, size=size, identity=package.id[:32]),
        "requirements.txt": ("\n".join(needed) + "\n").encode(),
        "conda.yaml": msgspec.json.format(msgspec.json.encode(conda)),
        "python_env.yaml": msgspec.json.format(msgspec.json.encode(virtualenv)),
    }
    return made | ({f"{_CODE}/{_loader_of(version)}.py": code} if code else {})


def _flavors(version: ModelVersion) -> tuple[dict[str, dict[str, Any]], bytes]:
    """How MLflow is to read the version's files, and the module that it does it with where it has none of its own."""
    package = version.package
    function: dict[str, Any] = {"env": _ENVIRONMENT, "python_version": package.environment.python}
    with_code = {**function, "loader_module": _loader_of(version), "code": _CODE}
    if package.flavor == "scikit_learn":
        model = "model.pickle"
        theirs = {
            "pickled_model": model, "serialization_format": "pickle", "code": None,
            "sklearn_version": package.environment.packages.get("scikit-learn", ""),
        }  # fmt: skip
        texts = [column.name for column in package.signature.inputs.columns if column.type == "string"]
        if not texts:
            own = {**function, "loader_module": "mlflow.sklearn", "model_path": model, "predict_fn": "predict"}
            return {"python_function": own, "sklearn": theirs}, b""
        # The model was fitted on categories where MLflow gives texts.
        return {"python_function": {**with_code, "data": model}, "sklearn": theirs}, _loader("estimator", texts)
    if package.flavor == "python_function":
        data = package.flavor_settings["file"]
        return {"python_function": {**with_code, "data": data}}, _loader(
            "function", package.flavor_settings["function"]
        )
    raise MlflowError(
        f"Version {version.version} of '{version.model}' is of the flavor '{package.flavor}', which MLflow cannot read.",
        "NOT_IMPLEMENTED",
    )


def _loader_of(version: ModelVersion) -> str:
    # Of its own for each package: Python keeps a module under its name, whatever folder it came from.
    return f"flyball_model_{version.package.id[:16]}"


def _loader(kind: str, given: object) -> bytes:
    """A module for MLflow's environment, which has no Flyball."""
    source = resources.files("flyball.server.protocols.mlflow").joinpath("_loaders", f"{kind}.txt").read_text("utf-8")
    return f"{source}\n\nGIVEN = {given!r}\n".encode()


def _below(workspace: Workspace, root: str, path: str) -> Place:
    place = find_place(workspace, f"{root}/{path}")
    if not place.path.startswith(f"{root}/"):
        raise MlflowError("Invalid path")
    return place
