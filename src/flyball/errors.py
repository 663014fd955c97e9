"""Every error Flyball raises on purpose, in one tree.

    FlyballError
    ├── InvalidInput        what was given cannot be used             exit 2   HTTP 400
    │   └── MissingExtra    an optional library is not installed      exit 2   HTTP 501
    ├── NotFound            there is nothing of that name             exit 4   HTTP 404
    ├── Conflict            the state does not allow it now           exit 1   HTTP 409
    │   └── AlreadyExists   that name is taken                        exit 1   HTTP 409
    ├── PermissionDenied    the asker may not                         exit 1   HTTP 403
    │   └── LoginNeeded     nobody knows who asks                     exit 1   HTTP 401
    ├── GateRefused         a gate held the version back              exit 3   HTTP 409
    ├── ChecksFailed        data did not pass its checks              exit 1   HTTP 422
    ├── WorkFailed          a step, run or command failed             exit 1   HTTP 500
    │   ├── Cancelled       someone asked it to stop                  exit 1   HTTP 409
    │   └── TimedOut        it took longer than allowed               exit 1   HTTP 504
    ├── LeaseLost           another holder took the lease over        exit 1   HTTP 409
    ├── Overloaded          try again later                           exit 1   HTTP 429
    ├── Corrupt             stored bytes are not what was stored      exit 1   HTTP 500
    ├── StorageFailed       a disk fails or takes nothing             exit 1   HTTP 503
    │   └── NoSpace         it is full, or nearly                     exit 1   HTTP 507
    └── ServerUnreachable   no server answered at the address         exit 5   HTTP 503

Each carries a stable `code` for programs, a message that says what was found, a `hint` that says the mend,
and its facts as a mapping. Which HTTP status and exit code belong to a code is chosen in the faces.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class FlyballError(Exception):
    """An error with a stable code, a hint and facts.

    Args:
        message: What was found, in one sentence.
        hint: How to mend it; empty where nothing can be said.
        facts: Further named values a program may want (JSON-able).
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments do not pickle by themselves, and step errors cross processes.
        return (_rebuild, (type(self), self.message, self.hint, self.facts))


class InvalidInput(FlyballError):
    """What was given cannot be used."""

    code = "invalid_input"


class MissingExtra(InvalidInput):
    """An optional library is needed and not installed."""

    code = "missing_extra"


class NotFound(FlyballError):
    """There is nothing of that name."""

    code = "not_found"


class Conflict(FlyballError):
    """The present state does not allow it."""

    code = "conflict"


class AlreadyExists(Conflict):
    """That name is taken."""

    code = "already_exists"


class PermissionDenied(FlyballError):
    """The asker may not do this."""

    code = "permission_denied"


class LoginNeeded(PermissionDenied):
    """Nobody knows who asks, and the door is not open to everybody."""

    code = "login_needed"


class GateRefused(FlyballError):
    """A gate held a model version back."""

    code = "gate_refused"


class ChecksFailed(FlyballError):
    """Data did not pass the checks that were declared for it."""

    code = "checks_failed"


class WorkFailed(FlyballError):
    """A step, a run or a command failed."""

    code = "work_failed"


class Cancelled(WorkFailed):
    """Someone asked the work to stop."""

    code = "cancelled"


class TimedOut(WorkFailed):
    """The work took longer than it was allowed to."""

    code = "timed_out"


class LeaseLost(FlyballError):
    """Another holder has taken the lease over."""

    code = "lease_lost"


class Overloaded(FlyballError):
    """Too much is asked at once; try again later."""

    code = "overloaded"


class Corrupt(FlyballError):
    """Stored bytes are not the bytes that were stored."""

    code = "corrupt"


class StorageFailed(FlyballError):
    """A disk or store fails, or takes nothing; nothing was written."""

    code = "storage_failed"


class NoSpace(StorageFailed):
    """A disk is full, or nearly; nothing was written."""

    code = "no_space"


class ServerUnreachable(FlyballError):
    """No server answered at the configured address."""

    code = "server_unreachable"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Gives the hint that names the nearest known names, or lists what there is.

    >>> did_you_mean("champ", ["champion", "challenger"])
    "Did you mean 'champion'?"
    >>> did_you_mean("zzz", ["champion"])
    "There is: 'champion'."
    >>> did_you_mean("zzz", [])
    'There is none yet.'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return "Did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not names:
        return "There is none yet."
    shown = ", ".join(repr(n) for n in names[:10])
    return f"There is: {shown}{', ...' if len(names) > 10 else '.'}"


def by_code(code: str) -> type[FlyballError]:
    """Gives the error class of a code; `FlyballError` for a code this version does not know.

    >>> by_code("not_found").__name__
    'NotFound'
    """
    pending: list[type[FlyballError]] = [FlyballError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind
        pending.extend(kind.__subclasses__())
    return FlyballError


def _rebuild(kind: type[FlyballError], message: str, hint: str, facts: dict[str, object]) -> FlyballError:
    return kind(message, hint=hint, **facts)
