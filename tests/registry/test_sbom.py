"""A bill of materials fits its schema and names all that was recorded."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from flyball.clock import FixedClock
from flyball.errors import MissingExtra, NotFound
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage
from flyball.registry.sbom import Sboms
from flyball.registry.versions import Registry
from flyball.serialization import to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs

PACKAGES = {"numpy": "2.1.0", "scikit-learn": "1.9.0", "odd-one": "1!2.0+local.1"}


@pytest.fixture
def sboms(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Sboms:
    return Sboms(database, blobs, events, clock)


@pytest.fixture
def churn(registry: Registry, package: ModelPackage, blobs: Blobs) -> Registry:
    environment = Environment(python="3.12.1", platform="linux-x86_64", packages=PACKAGES)
    files = {**package.files, "sub/words of mine.txt": blobs.put(b"words")}
    registry.register(
        "churn",
        replace(package, environment=environment, files=files),
        run="r1",
        snapshots=("orders/3f2a", "weather/9"),
        description="the first",
    )
    return registry


def problems(document: dict[str, Any]) -> str:
    """What the schema of CycloneDX 1.6 has against a document."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(to_json(document).decode())
    return "" if found is None else str(found)


def test_it_fits_the_schema(churn: Registry, sboms: Sboms) -> None:
    document = sboms.make("churn/1")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert problems(document) == ""
    assert problems({**document, "components": [{"name": "no type"}]}) != ""


def test_it_names_the_model_and_all_that_it_stands_on(churn: Registry, sboms: Sboms) -> None:
    document = sboms.make("churn/1")
    model = document["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "churn", "1")
    by_type: dict[str, dict[str, str | None]] = {}
    for part in document["components"]:
        by_type.setdefault(part["type"], {})[part["name"]] = part.get("version")
    assert by_type["library"] == PACKAGES
    assert by_type["platform"] == {"python": "3.12.1"}
    assert by_type["data"] == {"orders": "3f2a", "weather": "9"}
    assert set(by_type["file"]) == {"constant.py", "sub/words of mine.txt"}
    [needs] = [entry for entry in document["dependencies"] if entry["ref"] == "models:/churn/1"]
    assert len(needs["dependsOn"]) == len(document["components"])


def test_files_are_named_by_their_digest(churn: Registry, sboms: Sboms) -> None:
    digests = {part["name"]: part["hashes"] for part in sboms.make("churn/1")["components"] if part["type"] == "file"}
    files = churn.get_version("churn/1").package.files
    assert digests == {name: [{"alg": "BLAKE3", "content": digest}] for name, digest in files.items()}


def test_the_same_version_gives_the_same_document(churn: Registry, sboms: Sboms) -> None:
    assert sboms.make("churn/1") == sboms.make("churn/1")


def test_a_version_that_stands_on_nothing_fits_the_schema(
    registry: Registry, package: ModelPackage, sboms: Sboms
) -> None:
    registry.register("bare", replace(package, environment=Environment(python="", platform=""), files={}))
    assert problems(sboms.make("bare/1")) == ""


def test_what_is_not_there_has_none(churn: Registry, sboms: Sboms) -> None:
    with pytest.raises(NotFound):
        sboms.make("churn/9")


def test_without_the_library_its_name_is_told(churn: Registry, sboms: Sboms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(MissingExtra) as missing:
        sboms.make("churn/1")
    assert missing.value.hint == "pip install 'flyball[signing]'"
