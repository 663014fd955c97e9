"""Who acts: the person, service or part of the platform in whose name something is read or changed.

The door of the server (or the command line on a workspace of one's own) sets it once, with `acting_as`; whoever has to write
it down asks `acting`. It travels with the thread and the task, never as an argument through the rooms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

from flyball.errors import PermissionDenied

Role = Literal["none", "viewer", "contributor", "maintainer", "owner"]
"""What one may do in a project; each may do all that the one before may. `none` is for what everybody may know."""

ROLES: tuple[Role, ...] = ("none", "viewer", "contributor", "maintainer", "owner")

PrincipalKind = Literal["user", "service", "worker", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Someone who acts.

    Attributes:
        name: Unique name of the account, such as `ada`; what stands in the audit log.
        kind: A person (`user`), a program with an account of its own (`service`), a `worker` bound to one run, or a part
            of the platform itself (`system`).
        role: What they may do in the project at hand.
        admin: Whether they look after the instance: its accounts, projects and stores.
        auditor: Whether they may read the audit log and all evidence, and change nothing.
        run: For a worker, the id of the run that it is bound to.
        token: Id of the token they came with; empty where there was none.
        project: The project at hand.
        limited: Whether their token lets them do less than their account may; such a one gives out no further tokens.
        proven: Whether a login or token proved who they are. Where nobody had to (a workspace of one's own), a name that is
            given along counts instead.
    """

    name: str
    kind: PrincipalKind = "user"
    role: Role = "none"
    admin: bool = False
    auditor: bool = False
    run: str = ""
    token: str = ""
    project: str = "default"
    limited: bool = False
    proven: bool = True

    def may(self, role: Role) -> bool:
        """Whether they may do what takes this role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def need(self, role: Role, what: str) -> None:
        """Refuses what takes a higher role.

        Args:
            what: What they want to do, as in "to deploy", for the message.

        Raises:
            PermissionDenied: their role is too low.
        """
        if not self.may(role):
            raise PermissionDenied(
                f"{self.name} may not do this: {what} takes the role '{role}', and theirs is '{self.role}'.",
                hint="Ask an owner of the project for the role.",
            )


SYSTEM = Principal(name="flyball", kind="system", role="owner", admin=True, proven=False)
"""The platform itself, where no person acts: the controller, and all that runs before anyone came in."""

_acting: ContextVar[Principal] = ContextVar("flyball_acting", default=SYSTEM)


def acting() -> Principal:
    """Who acts here and now."""
    return _acting.get()


def who(given: str = "") -> str:
    """The name that stands beside what is done: that of who acts, where that is proven, else the one that was given.

    >>> who("ada")
    'ada'
    >>> with acting_as(Principal(name="grace")):
    ...     who("ada")
    'grace'
    """
    principal = acting()
    return principal.name if principal.proven else given


def machine_user() -> str:
    """The name of this machine's account that the process runs under; empty where it has none, as in some containers."""
    import getpass

    try:
        return getpass.getuser()[:200]
    except (OSError, KeyError, ImportError):
        return ""


def owner_here() -> Principal:
    """Whoever works on a workspace of this machine by its files: nothing there is closed to them."""
    return replace(SYSTEM, name=machine_user() or SYSTEM.name, kind="user")


def need_admin(what: str) -> Principal:
    """Gives who acts, if they look after the instance.

    Args:
        what: What they want to do, for the message.

    Raises:
        PermissionDenied: they do not.
    """
    principal = acting()
    if not principal.admin:
        raise PermissionDenied(
            f"{principal.name} may not do this: {what} is for those who look after the instance.",
            hint="Ask an admin of this server.",
        )
    return principal


@contextmanager
def acting_as(principal: Principal) -> Iterator[Principal]:
    """Lets someone act within a block."""
    before = _acting.set(principal)
    try:
        yield principal
    finally:
        _acting.reset(before)
