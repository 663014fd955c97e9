"""A model as a zip file for small machines and function services: the graph, what it takes, and a runner of one file.

It needs Python, numpy and ONNX Runtime, and no Flyball. The same version always gives the same bytes.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.packaging.image import manifest_of
from flyball.refs import new_id
from flyball.serialization import to_json
from flyball.serving.manifest import Arm
from flyball.storage.objects import Blobs

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that zip files know


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeBundle:
    """A bundle that was written.

    Attributes:
        model: Reference of the version in it.
        size: Bytes of the file.
    """

    file: str
    model: str
    size: int


def write_edge_bundle(services: Any, what: str, file: Path) -> EdgeBundle:
    """Writes the champion of a deployment, or a version, as a bundle.

    Args:
        services: A workspace, or what stands for one.
        what: Name of a deployment, or a version such as `late@champion`.

    Raises:
        NotFound: there is no such deployment or version.
        InvalidInput: the model is no ONNX graph and has no ONNX twin.
    """
    arm = next(arm for arm in manifest_of(services, what).arms if arm.role == "champion")
    files = {
        "model.json": to_json(_about(arm)),
        "model.onnx": _graph(arm, services.blobs),
        "requirements.txt": b"numpy\nonnxruntime\n",
        "run.py": resources.files("flyball.packaging").joinpath("_edge_runner.py").read_bytes(),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{new_id()}")
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    return EdgeBundle(file=str(file), model=f"models:/{arm.model}/{arm.version}", size=file.stat().st_size)


def _graph(arm: Arm, blobs: Blobs) -> bytes:
    package = arm.package
    if package.twin is not None:
        return blobs.get(package.twin.file)
    if package.flavor == "onnx":
        return blobs.get(next(iter(package.files.values())))
    raise InvalidInput(
        f"Version {arm.version} of '{arm.model}' is a {package.flavor} model without an ONNX twin.",
        hint="Register it where skl2onnx is installed, or build a container image.",
    )


def _about(arm: Arm) -> dict[str, Any]:
    signature = arm.package.signature
    return {
        "model": arm.model,
        "version": arm.version,
        "package": arm.package.id,
        "task": signature.task,
        "classes": list(signature.classes),
        "columns": [{"name": column.name, "type": column.type} for column in signature.inputs.columns],
    }
