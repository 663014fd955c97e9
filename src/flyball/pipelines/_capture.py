"""What a step prints, kept apart from what others print at the same time."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_MOST = 10_000_000
_TAIL = 16_000

_page: ContextVar[Page | None] = ContextVar("flyball_page", default=None)


class Page:
    """What one step has printed, up to ten million characters."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._lock = threading.Lock()
        self._hidden: list[str] = []
        self._listener: Callable[[str], None] | None = None
        self._told = 0

    def hide(self, value: str) -> None:
        """Shows `***` instead of a value from here on."""
        if value:
            self._hidden.append(value)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Has the listener told the last line of each text that is added."""
        self._listener = listener

    def write(self, text: str) -> None:
        """Adds a text."""
        for value in self._hidden:
            text = text.replace(value, "***")
        with self._lock:
            left = _MOST - self._text.tell()
            self._text.write(text[: max(0, left)])
        if self._listener is not None and text.strip():
            self._listener(text.strip().rpartition("\n")[2].strip())

    def new_tail(self) -> str:
        """The end of what it holds, if something was added since this was last asked; else nothing."""
        with self._lock:
            length = self._text.tell()
            if length == self._told:
                return ""
            self._told = length
            # The whole would be written again and again; the whole is kept when the step has ended.
            return self._text.getvalue()[-_TAIL:]

    def text(self) -> str:
        """All of it so far."""
        with self._lock:
            return self._text.getvalue()


class _Tee:
    """Stands for a standard stream: writes to the page of the step that prints, and passes the rest through."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.users = 1

    def write(self, text: str) -> int:
        page = _page.get()
        if page is None:
            self.stream.write(text)
        else:
            page.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def capturing() -> Iterator[None]:
    """Inside the block, what a step prints goes to its page."""
    for name in ("stdout", "stderr"):
        present = getattr(sys, name)
        if isinstance(present, _Tee):
            present.users += 1
        else:
            setattr(sys, name, _Tee(present))
    try:
        yield
    finally:
        for name in ("stdout", "stderr"):
            present = getattr(sys, name)
            if isinstance(present, _Tee):
                present.users -= 1
                if not present.users:
                    setattr(sys, name, present.stream)


def print_to(page: Page) -> None:
    """From here on, in this context, what is printed goes to the page."""
    _page.set(page)
