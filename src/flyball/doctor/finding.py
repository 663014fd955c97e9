"""What was looked at, and how it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What, such as `disk`.
        project: The project that it belongs to; empty for the machine's and the workspace's own.
        said: What was found.
        mend: What to do about it; empty where all is well.
        is_fixed: Whether it was mended just now.
    """

    check: str
    state: State
    said: str
    mend: str = ""
    project: str = ""
    is_fixed: bool = False


Fix = Callable[[], None]


def ok(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check=check, state="ok", said=said)


def warning(check: str, said: str, mend: str) -> Finding:
    """It works, and may not for long."""
    return Finding(check=check, state="warning", said=said, mend=mend)


def problem(check: str, said: str, mend: str) -> Finding:
    """Something does not work, or can be lost."""
    return Finding(check=check, state="problem", said=said, mend=mend)
