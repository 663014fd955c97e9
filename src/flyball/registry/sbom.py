"""Software bill of materials: what a version is made of and stands on, in CycloneDX 1.6.

It is made from what was recorded when the version was: the distributions that were imported, the Python and machine, the
files by their BLAKE3, the data. The same version always gives the same document.
"""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

from flyball.clock import Clock
from flyball.errors import MissingExtra
from flyball.refs import Ref
from flyball.registry.versions import ModelVersion, Registry
from flyball.serialization import JsonValue, from_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import read
from flyball.version import __version__

_NAMESPACE = uuid.UUID("5b0f6e2c-6f0b-5d1e-9a75-3f1a6f2f3c11")


class Sboms:
    """Makes bills of materials."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._registry = Registry(database, blobs, events, clock)

    @read
    def make(self, ref: str) -> dict[str, JsonValue]:
        """The bill of materials of a version, as CycloneDX 1.6.

        Raises:
            NotFound: there is no such version.
            MissingExtra: the library is not installed where this is asked.
        """
        return make_sbom(self._registry.get_version(ref))


def make_sbom(version: ModelVersion) -> dict[str, JsonValue]:
    """The bill of materials of a version, as CycloneDX 1.6.

    Raises:
        MissingExtra: the library is not installed.
    """
    made = _library()
    root = _model(made, version)
    parts = [*_runtime(made, version), *_distributions(made, version), *_files(made, version), *_data(made, version)]
    bom = made.Bom(components=parts, serial_number=uuid.uuid5(_NAMESPACE, f"{version.package.id}{root.bom_ref.value}"))
    bom.metadata.timestamp = version.created
    bom.metadata.component = root
    bom.metadata.tools.components.add(
        made.Component(name="flyball", version=__version__, type=made.ComponentType.APPLICATION)
    )
    bom.register_dependency(root, parts)
    found: dict[str, JsonValue] = from_json(made.Json(bom).output_as_string(), dict[str, Any])
    return found


def _model(made: Any, version: ModelVersion) -> Any:
    package = version.package
    named = {
        "package": package.id, "flavor": package.flavor, "task": package.signature.task, "stage": version.stage,
        "run": version.run, "code": version.code,
    }  # fmt: skip
    return made.Component(
        name=version.model,
        version=str(version.version),
        type=made.ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=str(Ref(kind="models", name=version.model, version=str(version.version))),
        description=version.description or None,
        properties=[made.Property(name=f"flyball:{name}", value=value) for name, value in named.items() if value],
    )


def _runtime(made: Any, version: ModelVersion) -> list[Any]:
    environment = version.package.environment
    python = made.Component(
        name="python",
        version=environment.python,
        type=made.ComponentType.PLATFORM,
        bom_ref=f"python@{environment.python}",
        properties=[made.Property(name="flyball:platform", value=environment.platform)],
    )
    return [python] if environment.python else []


def _distributions(made: Any, version: ModelVersion) -> list[Any]:
    found = []
    for name, number in sorted(version.package.environment.packages.items()):
        purl = made.PackageURL(type="pypi", name=name, version=number)
        found.append(made.Component(name=name, version=number, bom_ref=purl.to_string(), purl=purl))
    return found


def _files(made: Any, version: ModelVersion) -> list[Any]:
    return [
        made.Component(
            name=name,
            type=made.ComponentType.FILE,
            bom_ref=f"file:{name}",
            hashes=[made.HashType(alg=made.HashAlgorithm.BLAKE3, content=digest)],
        )
        for name, digest in sorted(version.package.files.items())
    ]


def _data(made: Any, version: ModelVersion) -> list[Any]:
    found = []
    for text in sorted(set(version.snapshots)):
        ref = Ref.parse(text, kind="snapshots")
        found.append(
            made.Component(
                name=ref.name, version=ref.version or None, type=made.ComponentType.DATA, bom_ref=f"data:{text}"
            )
        )
    return found


def _library() -> Any:
    try:
        from cyclonedx.model import HashAlgorithm, HashType, Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
        from packageurl import PackageURL
    except ImportError as error:
        raise MissingExtra("A bill of materials needs its library.", hint="pip install 'flyball[signing]'") from error
    return SimpleNamespace(
        Bom=Bom, Component=Component, ComponentType=ComponentType, HashAlgorithm=HashAlgorithm, HashType=HashType,
        Json=JsonV1Dot6, PackageURL=PackageURL, Property=Property,
    )  # fmt: skip
