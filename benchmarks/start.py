"""Start-up: the import and the command line, against an interpreter that does nothing."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.pairs import Pair, compare, python


def run() -> Iterator[Pair]:
    """The import, the help and the version."""
    nothing = python("-c", "pass")
    bare = "`python -c pass`"
    yield compare("`import flyball`", python("-c", "import flyball"), nothing, against=bare, goal=8)
    yield compare("`flyball --help`", python("-m", "flyball.cli", "--help"), nothing, against=bare, goal=5)
    yield compare("`flyball run --help`", python("-m", "flyball.cli", "run", "--help"), nothing, against=bare)
