"""Who a token stands for: looked up once, remembered for as long as nothing has changed.

What is remembered is forgotten at once in the process where somebody loses a right, and within half a second in every other:
one number in the database grows with each such change, and is looked at that often.
"""

from __future__ import annotations

import hmac
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from flyball.access import _store
from flyball.clock import Clock
from flyball.principals import ROLES, Principal, PrincipalKind, Role
from flyball.serialization import digest
from flyball.storage.database import Database
from flyball.storage.event_log import events

_LOOK_EVERY: Final = 0.5  # seconds
_MOST: Final = 10_000
_USED_STEP: Final = timedelta(hours=1)
_PREFIX: Final = "fly_"


@dataclass(slots=True, kw_only=True)
class Known:
    """Whom a token stands for, as it was looked up.

    Attributes:
        token: Its id.
        roles: Role of the account in each project.
        cap: The most that the token may do.
        project: The only project it is good for; empty for all.
        expires: When it ends, in seconds since 1970; infinite if it does not.
    """

    token: str
    account: str
    kind: PrincipalKind
    admin: bool
    auditor: bool
    roles: dict[str, Role]
    cap: Role
    project: str
    run: str
    session: bool
    expires: float
    principals: dict[str, Principal] = field(default_factory=dict)

    def within(self, project: str) -> Principal:
        """Who that is within a project; with the role `none` where they have nothing to look for."""
        found = self.principals.get(project)
        if found is None:
            found = self.principals[project] = self._principal(project)
        return found

    def _principal(self, project: str) -> Principal:
        role: Role = self.roles.get(project, "none")
        if self.auditor and role == "none":
            role = "viewer"
        if self.project and self.project != project:
            role = "none"
        limited = self.cap != "owner" or bool(self.project) or bool(self.run)
        return Principal(
            name=self.account, kind=self.kind, role=min(role, self.cap, key=ROLES.index), project=project,
            admin=self.admin and not limited, auditor=self.auditor, run=self.run, token=self.token, limited=limited,
        )  # fmt: skip


class Authority:
    """Says whom tokens stand for.

    Args:
        clock: The real one: a token's time runs whatever time the workspace lives in.
        home: Name of the project that runs of workers belong to where their token names none.
    """

    def __init__(self, database: Database, clock: Clock, *, home: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._home = home
        self._known: dict[str, Known] = {}
        self._number = -1
        self._looked = 0.0
        self._lock = threading.Lock()
        self.generation = 0
        """Grows whenever what was remembered is forgotten: who keeps a `Known` compares it."""

    def remembered(self, token: str) -> Known | None:
        """Whom it stands for, from memory alone; None where the database has to be asked."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            return None
        found = self._known.get(digest(token.encode()))
        return found if found is not None and found.expires > time.time() else None

    def is_current(self, known: Known, generation: int) -> bool:
        """Whether what was found then is still good, from memory alone."""
        fresh = time.monotonic() - self._looked <= _LOOK_EVERY
        return fresh and generation == self.generation and known.expires > time.time() and not known.run

    def find(self, token: str) -> Known | None:
        """Whom it stands for; None if it is no good token. Asks the database."""
        self.look()
        key = digest(token.encode())
        found = self._known.get(key)
        if found is not None and not found.run:
            return found if found.expires > time.time() else None
        generation = self.generation
        found = self._read(token, key)
        if found is not None:
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known.clear()
                if generation == self.generation:  # else it may have been revoked while it was read
                    self._known[key] = found
        return found

    def is_good(self, known: Known, principal: Principal) -> bool:
        """Whether who was let in before would be let in again, with the same role. Asks the database."""
        table = _store.tokens
        with self._database.reading() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == known.token)).first() if known.token else None
            if known.token and (row is None or row.revoked is not None):
                return False
            account = (
                None if row is None else self._of_worker(connection, row) if row.run else self._of(connection, row)
            )
        found = self.account(known.account) if row is None else account
        return found is not None and found.within(principal.project).role == principal.role

    def forget(self) -> None:
        """Forgets everybody: somebody may do less than before."""
        with self._lock:
            self._known.clear()
            self.generation += 1

    def account(self, name: str) -> Known | None:
        """An account as it is without any token, for a session that is about to begin; None if the door is closed to it."""
        with self._database.reading() as connection:
            row = _store.account_row(connection, name)
            if row is None or row.disabled:
                return None
            return self._of_account(connection, row)

    def look(self) -> None:
        """Forgets everybody if somebody may do less by now; looks at most twice a second."""
        now = time.monotonic()
        if now - self._looked <= _LOOK_EVERY:
            return
        number = _store.change_number(self._database)
        if number != self._number:
            self._number = number
            self.forget()
        self._looked = now
        with self._lock:  # workers are asked for anew: their run may have ended
            for key in [key for key, known in self._known.items() if known.run]:
                del self._known[key]

    def _read(self, token: str, key: str) -> Known | None:
        parts = token.split("_", 2)
        if not token.startswith(_PREFIX) or len(parts) != 3 or len(token) > 200:
            return None
        table, now = _store.tokens, self._clock.now()
        with self._database.reading() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == parts[1])).first()
            if row is None or not hmac.compare_digest(row.digest, key):
                return None
            if row.revoked is not None or (row.expires is not None and row.expires <= now):
                return None
            found = self._of_worker(connection, row) if row.run else self._of(connection, row)
        if found is not None and (row.used is None or now - row.used > _USED_STEP):
            self._note_use(row, now)
        return found

    def _of(self, connection: sa.Connection, row: sa.Row[Any]) -> Known | None:
        account = _store.account_row(connection, row.account)
        if account is None or account.disabled:
            return None
        found = self._of_account(connection, account)
        found.token, found.project, found.session = row.id, row.project, row.kind == "session"
        found.cap = "viewer" if row.scope == "read" else row.role
        found.expires = row.expires.timestamp() if row.expires else float("inf")
        return found

    def _of_account(self, connection: sa.Connection, account: sa.Row[Any]) -> Known:
        roles: dict[str, Role] = {}
        for project, role in _store.roles_of(connection, account.name):
            roles[project] = max(roles.get(project, "none"), role, key=ROLES.index)  # type: ignore[arg-type]  # a column of roles
        return Known(
            token="", account=account.name, kind=account.kind, admin=account.admin, auditor=account.auditor, roles=roles,
            cap="owner", project="", run="", session=False, expires=float("inf"),
        )  # fmt: skip

    def _of_worker(self, connection: sa.Connection, row: sa.Row[Any]) -> Known | None:
        """A worker, as long as its run goes on."""
        subject = f"runs:/{row.run}"
        last = sa.select(events.c.kind).where(
            events.c.subject == subject, events.c.kind.in_(("tracking.run_started", "tracking.run_ended"))
        )
        if connection.execute(last.order_by(events.c.id.desc()).limit(1)).scalar() == "tracking.run_ended":
            return None
        return Known(
            token=row.id, account=row.account, kind="worker", admin=False, auditor=False,
            roles={row.project or self._home: row.role}, cap=row.role, project=row.project, run=row.run, session=False,
            expires=row.expires.timestamp() if row.expires else float("inf"),
        )  # fmt: skip

    def _note_use(self, row: sa.Row[Any], now: datetime) -> None:
        with self._database.transaction() as connection:
            used = sa.update(_store.tokens).where(_store.tokens.c.id == row.id)
            connection.execute(used.values(used=now))
            if not row.run:
                seen = sa.update(_store.accounts).where(_store.accounts.c.name == row.account)
                connection.execute(seen.values(seen=now))
