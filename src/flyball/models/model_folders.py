"""Model folders of MLflow as packages. Nothing here loads a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flyball.errors import InvalidInput
from flyball.models.mlmodel import MLMODEL, environment_of, parse, signature_of
from flyball.models.package import ModelPackage, package_id
from flyball.storage.object_store import check_key
from flyball.storage.objects import Blobs

FLAVOR = "mlflow"


def package_of(files: Mapping[str, tuple[str, int]], blobs: Blobs) -> ModelPackage:
    """The package that a model folder is, whose files are kept already.

    Args:
        files: Digest and size of each file, by its path in the folder.

    Raises:
        InvalidInput: there is no `MLmodel`, or one that cannot be read.
    """
    if MLMODEL not in files:
        raise InvalidInput("The folder has no MLmodel.", hint="Name the folder that mlflow's log_model wrote.")
    for name in files:
        check_key(name)
    said = parse(blobs.get(files[MLMODEL][0]))
    requirements = (
        blobs.get(files["requirements.txt"][0]).decode("utf-8", "replace") if "requirements.txt" in files else ""
    )
    package = ModelPackage(
        id="",
        flavor=FLAVOR,
        files={name: digest for name, (digest, _) in sorted(files.items())},
        size=sum(size for _, size in files.values()),
        signature=signature_of(said),
        environment=environment_of(said, requirements),
        flavor_settings={"flavors": " ".join(sorted(said.flavors)), "trusted_only": "true"},
    )
    return replace(package, id=package_id(package))
