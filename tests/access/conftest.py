from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.access.accounts import Accounts
from flyball.access.authority import Authority
from flyball.access.groups import Groups
from flyball.access.logins import Logins
from flyball.access.members import Members
from flyball.access.tokens import Tokens
from flyball.clock import SystemClock
from flyball.principals import Principal
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

PASSWORD = "correct horse battery"
ADMIN = Principal(name="root", role="owner", admin=True)


class House:
    """All services of the room on one database, as a server has them."""

    def __init__(self, database: Database, events: EventLog) -> None:
        clock = SystemClock()
        self.database = database
        self.events = events
        self.authority = Authority(database, clock)
        forget = self.authority.forget
        self.accounts = Accounts(database, events, clock, forget=forget)
        self.groups = Groups(database, events, clock, forget=forget)
        self.members = Members(database, events, clock, forget=forget)
        self.tokens = Tokens(database, events, clock, forget=forget)
        self.logins = Logins(database, events, clock, session=timedelta(hours=1), forget=forget)

    def kinds(self) -> list[str]:
        """What was told, oldest first."""
        return [event.kind for event in self.events.list(kinds=["access."])]


@pytest.fixture
def house(database: Database, events: EventLog) -> House:
    return House(database, events)


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, where a test does not ask for PostgreSQL as well."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_tables_url"
    url: str = request.getfixturevalue(name)
    return url
