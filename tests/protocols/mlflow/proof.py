"""Runs the scripts under the real clients, and keeps a record of which endpoints the clients were answered at.

The record, `conformance.tsv`, is part of the documentation. A run of the tests must reach all that it claims; more is added by
`python -m tools.write_conformance`.
"""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.servers.mlflow_clients import MlflowClient

HERE = Path(__file__).parent
SCRIPTS = HERE / "scripts"
RECORD = HERE / "conformance.tsv"
WRITE_TO = "FLYBALL_CONFORMANCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address of MLflow's protocol; `{...}` in its path stands for a parameter."""

    method: str
    path: str
    name: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What addresses it answers."""
        path = re.sub(r"\\\{(\w+)\\\}", lambda found: ".+" if "path" in found[1] else "[^/]+", re.escape(self.path))
        return re.compile(path.replace("/api/", "/(?:ajax-)?api/"))


@cache
def known_endpoints() -> tuple[Endpoint, ...]:
    """Every endpoint of the protocol."""
    with (HERE / "endpoints.tsv").open(encoding="utf-8") as file:
        return tuple(Endpoint(**row) for row in csv.DictReader(file, delimiter="\t"))


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint that an address belongs to; one without parameters first."""
    fits = [one for one in known_endpoints() if one.method == method and one.pattern.fullmatch(path)]
    return min(fits, key=lambda one: one.path.count("{"), default=None)


@cache
def recorded() -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """By script and client, the endpoints (method and path) it is answered at."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    if RECORD.exists():
        with RECORD.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                found.setdefault((row["script"], row["client"]), set()).add((row["method"], row["path"]))
    return {key: frozenset(value) for key, value in found.items()}


def prove(client: MlflowClient, script: str, *arguments: str) -> dict[str, Any]:
    """Runs a script under a real client; fails with each of its checks that failed, and if the record claims too much."""
    told: dict[str, Any] = client.run(SCRIPTS / f"{script}.py", *arguments)
    answered = {
        (found.method, found.path)
        for method, path, status in told["calls"]
        if status < 400 and (found := endpoint_of(method, path))
    }
    name = client.name
    if folder := os.environ.get(WRITE_TO):
        (Path(folder) / f"{script}-{name}.json").write_text(json.dumps(sorted(answered)), encoding="utf-8")
    failed = [f"{check}: {said}" for check, said in told["checks"].items() if said != "ok"]
    if failed:
        counted = f"{len(failed)} of {len(told['checks'])} checks of {script}.py failed under {name}:"
        pytest.fail("\n  ".join([counted, *failed]), pytrace=False)
    if not folder:
        missing = recorded().get((script, name), frozenset()) - answered
        assert not missing, f"The record claims what was not called: {missing}. Run: python -m tools.write_conformance"
    return told
