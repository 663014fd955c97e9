"""Runs the real MLflow clients against our server and writes down where they were answered.

`python -m tools.write_conformance` runs the tests that drive the clients, and writes `tests/protocols/mlflow/conformance.tsv`
and, from it, `docs/mlflow-conformance.md`. With `--page` it writes the page alone.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from flyball.server.protocols.mlflow import wire
from tests.protocols.mlflow import proof

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "mlflow-conformance.md"
VERSIONS = {"mlflow3": "3.18.0", "mlflow2": "2.22.5", "ray": "3.17.2 under Ray"}
_HEAD = """# MLflow's protocol: what is answered

The real, unmodified clients of MLflow are driven against Flyball's server by the test suite: {versions}.
This page is written by `python -m tools.write_conformance` from what they were answered, and a test holds it to that. Each
script of `tests/protocols/mlflow/scripts` was first run against MLflow's own server, so that what it expects is what that does.

Of the {all} endpoints of MLflow 3.18's protocol, {by_client} were answered to a real client in these tests, {more} more are
answered, and {refused} are not: a call gets MLflow's own form of error, `ENDPOINT_NOT_FOUND`. They belong to
the gateway for language models, to review queues, and to other services of generative AI that MLflow's server runs itself.

| endpoint | answered to the clients | by the scripts |
|---|---|---|
"""


def main(arguments: list[str]) -> int:
    """Runs the tests and writes both files; 1 if a test failed."""
    failed = 0
    if "--page" not in arguments:
        with tempfile.TemporaryDirectory(prefix="flyball-conformance-") as folder:
            tests = [f"tests/protocols/mlflow/test_client_{name}.py" for name in ("scripts", "worlds")]
            tests += ["-k", "not postgres or two_servers", "-q", "-p", "no:cacheprovider"]
            failed = subprocess.run(
                [sys.executable, "-m", "pytest", *tests, *arguments],
                env={**os.environ, proof.WRITE_TO: folder},
                cwd=ROOT,
                check=False,
            ).returncode
            write_record(Path(folder))
    proof.recorded.cache_clear()
    PAGE.write_text(page(), encoding="utf-8")
    return failed


def write_record(folder: Path) -> None:
    """Writes the record from what the tests have left in a folder; scripts that did not run keep their lines."""
    found = {key: set(value) for key, value in proof.recorded().items()}
    for path in folder.glob("*.json"):
        script, _, client = path.stem.rpartition("-")
        calls = json.loads(path.read_text(encoding="utf-8"))
        found[script, client] = {(method, address) for method, address in calls}
    with proof.RECORD.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["script", "client", "method", "path"])
        for (script, client), calls in sorted(found.items()):
            writer.writerows((script, client, method, path) for method, path in sorted(calls))


def page() -> str:
    """The page, from the record and from what the server answers."""
    wire.load_endpoints()
    rows, counts = [], Counter[str]()
    for endpoint in proof.known_endpoints():
        key = (endpoint.method, endpoint.path)
        by = {
            name: [s for (s, c), calls in sorted(proof.recorded().items()) if c == name and key in calls]
            for name in VERSIONS
        }
        scripts = list(dict.fromkeys(script for name in VERSIONS for script in by[name]))
        clients = ", ".join(VERSIONS[name] for name in VERSIONS if by[name])
        answer = clients or ("answered" if is_answered(endpoint) else "refused")
        counts["clients" if clients else answer] += 1
        path = endpoint.path.removeprefix("/api/")
        rows.append(f"| `{endpoint.method} {path}` | {answer} | {', '.join(scripts) or '-'} |")
    *others, last = VERSIONS.values()
    head = _HEAD.format(
        versions=f"{', '.join(others)} and {last}",
        all=len(rows),
        by_client=counts["clients"],
        more=counts["answered"],
        refused=counts["refused"],
    )
    return head + "\n".join(rows) + "\n"


def is_answered(endpoint: proof.Endpoint) -> bool:
    """Whether our server has an answer at an address."""
    path = re.sub(r"\{\w+\}", "x1", endpoint.path)
    return any(
        method == endpoint.method and (pattern == path or ("(" in pattern and re.fullmatch(pattern, path)))
        for method, pattern in wire.endpoints()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
