"""Compiles Python files so that the same sources always give the same bytes.

What the interpreter writes depends on what it has seen before, so a fresh one compiles all files of a layer, in order.
Compiled files name the source's place in the image and are never checked against it: nothing there can change.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from flyball.errors import WorkFailed
from flyball.serialization import to_json

_PROGRAM = """
import json, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    try:
        py_compile.compile(
            source, target, shown, doraise=True, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    except (py_compile.PyCompileError, ValueError):
        pass  # templates and samples of other versions, which nobody imports either
"""


def compile_files(files: Iterable[tuple[str, Path]], folder: Path) -> Iterator[tuple[str, Path]]:
    """The compiled form of each Python file, by its place in the image.

    Args:
        files: Sources by their place in the image.
        folder: An empty one, for what is compiled.

    Raises:
        WorkFailed: the interpreter did not come to its end.
    """
    tag = sys.implementation.cache_tag
    wanted = []
    for number, (place, path) in enumerate(sorted(files)):
        if place.endswith(".py"):
            parent, _, name = place.rpartition("/")
            compiled = f"{parent}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
            wanted.append((str(path), folder / f"{number}.pyc", compiled, f"/{place}"))
    given = to_json([[source, str(target), shown] for source, target, _, shown in wanted])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", "-W", "ignore", "-c", _PROGRAM],
        input=given, capture_output=True, check=False, env={"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    if done.returncode:
        raise WorkFailed(f"Compiling failed: {done.stderr.decode(errors='replace')[-500:]}")
    for _, target, compiled, _ in wanted:
        if target.exists():
            yield compiled, target
