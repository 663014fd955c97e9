"""What a project file declares at its top level, collected while the file is loaded.

A declaration, such as `fb.loop(...)`, is often a bare call whose value nobody keeps. Rooms above hand theirs to `declare`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[object] | None] = ContextVar("flyball_declarations", default=None)


def declare(item: object) -> None:
    """Adds a declaration to those of the file that is being loaded; nothing happens outside of that."""
    found = _collected.get()
    if found is not None:
        found.append(item)


@contextmanager
def collecting() -> Iterator[list[object]]:
    """The declarations made inside the block, in order."""
    found: list[object] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
