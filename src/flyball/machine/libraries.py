"""Which libraries the trainings of a loop load, so that the next one can be started from a process that has loaded them."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

FIRST_GUESS = ("flyball.server.worker", "flyball.pipelines.engine", "flyball.steps", "pyarrow.parquet", "duckdb")
"""What every training loads, whatever its pipeline is."""


def libraries_file(cache: Path, loop: str) -> Path:
    """Where the list of a loop stands."""
    return cache / "libraries" / f"{loop}.json"


def loaded_libraries() -> tuple[str, ...]:
    """The modules of installed libraries that this process has loaded, in the order of their loading.

    Code of a project is never among them.
    """
    folders = [Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")]
    homes = tuple({f"{folder}{os.sep}" for each in folders for folder in (each, each.resolve())})
    own = f"{Path(__file__).parents[1]}{os.sep}"
    found = []
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None) or ""
        # What is loaded under another name, or made on the fly, cannot be loaded by that name again.
        if spec is not None and spec.name == name != "__main__" and origin.startswith((*homes, own)):
            found.append(name)
    return tuple(found)


def remember_libraries(file: Path) -> None:
    """Adds what this process has loaded to the list in a file, for the next job of the kind."""
    known = recall_libraries(file)
    added = [name for name in loaded_libraries() if name not in set(known)]
    if not added:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps([*known, *added]), encoding="utf-8")
    fresh.replace(file)


def recall_libraries(file: Path) -> tuple[str, ...]:
    """What jobs of the kind have loaded so far; empty if none has said so."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()
