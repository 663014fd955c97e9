"""Runs the benchmarks: `python -m benchmarks [NAME ...]`. Exits with 1 if a goal is missed."""

from __future__ import annotations

import importlib
import sys

from benchmarks.pairs import Pair, report

ENTRIES = (
    "start",
    "tracking",
    "client",
    "ingest",
    "audit",
    "search",
    "pipelines",
    "automl",
    "orchestrators",
    "loop",
    "data",
    "features",
    "quality",
    "labels",
    "catalog",
    "serving",
    "fleet",
    "monitoring",
    "scenarios",
    "access",
    "projects",
)


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all of them, and prints the table."""
    unknown = [name for name in names if name not in ENTRIES]
    if unknown:
        sys.stderr.write(f"There is no benchmark '{unknown[0]}'. There is: {', '.join(ENTRIES)}.\n")
        return 2
    pairs: list[Pair] = []
    for name in names or ENTRIES:
        sys.stderr.write(f"{name} ...\n")
        pairs += importlib.import_module(f"benchmarks.{name}").run()
    sys.stdout.write(report(pairs) + "\n")
    return 0 if all(pair.is_met for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
