"""Where a version came from, as an in-toto statement with SLSA's provenance."""

from __future__ import annotations

from typing import Any

from flyball.clock import format_time
from flyball.errors import NotFound
from flyball.governance.evidence.dsse import PROVENANCE, STATEMENT, subject
from flyball.governance.evidence.facts import EvidenceFacts
from flyball.refs import Ref
from flyball.version import __version__

BUILD_TYPE = "urn:flyball:pipeline-run:v1"


def provenance_of(facts: EvidenceFacts) -> dict[str, Any]:
    """The statement: the files of the version, and the pipeline's run, code, data and environment they came from."""
    version, blobs = facts.version, facts.here.blobs
    files = [
        subject(f"{facts.short}/{name}", blobs.get(digest), blake3=digest)
        for name, digest in sorted(version.package.files.items())
        if blobs.has(digest)
    ]
    return {
        "_type": STATEMENT,
        "subject": files,
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "model": version.model,
                    "version": version.version,
                    "params": dict(version.params),
                },
                "internalParameters": {"flavor": version.package.flavor, "package": version.package.id},
                "resolvedDependencies": _dependencies(facts),
            },
            "runDetails": _run(facts),
        },
    }


def _dependencies(facts: EvidenceFacts) -> list[dict[str, Any]]:
    version, environment = facts.version, facts.version.package.environment
    found = [
        {"uri": str(ref), "digest": {"blake3": ref.version}} for ref in _snapshots(facts) if len(ref.version) == 64
    ]
    if len(version.code) == 64:
        found.append({"uri": f"code:/{version.code}", "digest": {"blake3": version.code}})
    return [*found, *({"uri": f"pkg:pypi/{name}@{number}"} for name, number in sorted(environment.packages.items()))]


def _snapshots(facts: EvidenceFacts) -> list[Ref]:
    return [Ref.parse(text, kind="snapshots") for text in facts.version.snapshots]


def _run(facts: EvidenceFacts) -> dict[str, Any]:
    details: dict[str, Any] = {"builder": {"id": "urn:flyball:builder", "version": {"flyball": __version__}}}
    if facts.version.run:
        metadata = {"invocationId": f"runs:/{facts.version.run}"}
        try:
            run = facts.here.tracking.get_run(facts.version.run)
        except NotFound:
            run = None
        if run is not None:
            metadata["startedOn"] = format_time(run.started)
            metadata |= {"finishedOn": format_time(run.ended)} if run.ended else {}
        details["metadata"] = metadata
    return details
