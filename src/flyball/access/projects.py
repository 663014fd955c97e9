"""Projects: workspaces of their own inside a workspace, so that no query can reach what belongs to another one.

The workspace that the settings name is the project `default`. It also keeps what is known of all others, and of who may enter
them. A project has its own database (a file, or a schema), its own objects and its own folder.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from flyball.access import _projects_store as table
from flyball.access import _store
from flyball.access.project_settings import settings_of
from flyball.access.stores import Store, Stores
from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict, FlyballError, InvalidInput, NotFound, PermissionDenied, did_you_mean
from flyball.principals import ROLES, Role, acting, need_admin
from flyball.refs import new_id
from flyball.settings import HOME, Settings, check_project
from flyball.storage.database import Database
from flyball.storage.upgrades import revision
from flyball.verbs import change, read

State = Literal["active", "archived", "deleted", "removing"]

_GRACE_DAYS = 7.0

# Asked with each request.
_STANDING_OF = {
    "sqlite": "SELECT id, state, store, most_bytes, stored_bytes FROM projects WHERE name = ?",
    "postgresql": "SELECT id, state, store, most_bytes, stored_bytes FROM projects WHERE name = %s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, as who asks may know it.

    Attributes:
        name: In addresses and commands; it stays as it is.
        id: What tells it from a later one of the same name.
        title: A name for people.
        state: `archived` means that it can be read and not changed; `deleted`, that it will be removed after `gone_after`.
        role: What who asks may do in it.
        store: The store that it is kept in; empty for the workspace's own.
        residency: Where its data must stay, such as `eu`; a store says the same of itself.
        most_bytes: How much it may keep in files; None for no limit.
        stored_bytes: How much it kept when that was last counted.
        trouble: Why it cannot be opened; empty while all is well.
        model_url: Address of its model server on this machine; empty while it has none.
    """

    name: str
    id: str
    title: str
    description: str = ""
    state: State = "active"
    role: Role = "none"
    store: str = ""
    residency: str = ""
    most_bytes: int | None = None
    stored_bytes: int | None = None
    created: datetime | None = None
    created_by: str = ""
    gone_after: datetime | None = None
    trouble: str = ""
    model_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that a search over projects found."""

    project: str
    ref: str
    kind: str
    title: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a project stands.

    Attributes:
        stamp: Another one when it must be opened anew.
    """

    stamp: str
    most_bytes: int | None
    stored_bytes: int


Look = Callable[[str, str, int], list[Found]]
"""What looks for words in one project."""


class Projects:
    """Keeps projects.

    Args:
        settings: The settings of the workspace.
        make: Makes the database of the project of that name.
        forget: Told the name of a project that is to be opened anew.
        changed: Told that somebody may enter other projects than before.
        look: What looks for words in one project.
        remove: Removes what lies in the places of a project.
    """

    def __init__(
        self, database: Database, clock: Clock, *, settings: Settings, make: Callable[[str], None],
        forget: Callable[[str], None], changed: Callable[[], None], look: Look, remove: Callable[[Settings], None],
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._settings = settings
        self._make = make
        self._forget = forget
        self._changed = changed
        self._look = look
        self._remove = remove
        self.stores = Stores(database, clock)

    @change(role="none")
    def create(
        self,
        name: str,
        title: str = "",
        description: str = "",
        owner: str = "",
        store: str = "",
        residency: str = "",
        most_bytes: int | None = None,
    ) -> Project:
        """Makes a project; for who looks after the instance.

        Args:
            name: 1 to 50 small letters, digits, dots, dashes and underscores.
            title: A name for people; the name by default.
            owner: The account that owns it; by default who makes it.
            store: The store to keep it in; the workspace's own by default.
            residency: Where its data must stay; by default what the store says.
            most_bytes: How much it may keep in files.

        Raises:
            AlreadyExists: there is one of that name.
            InvalidInput: the name cannot be used, or the store stands elsewhere.
        """
        need_admin("to make a project")
        check_project(name)
        if name == HOME:
            raise AlreadyExists(f"'{HOME}' is the workspace itself.", hint="Choose another name.")
        held = self.stores.get(store, with_secrets=True) if store else None
        self._check_free(name, settings_of(self._settings, name, held))
        row = {
            "name": name, "id": new_id(), "title": _title(title or name), "description": description, "state": "active",
            "store": store or None, "residency": _residency(residency, held), "most_bytes": _quota(most_bytes),
            "created": self._clock.now(), "created_by": acting().name,
        }  # fmt: skip
        principal = acting()
        owner = owner or (principal.name if principal.kind in ("user", "service") and principal.proven else "")
        with self._database.transaction() as connection:
            made = self._database.insert(table.projects).values(**row).on_conflict_do_nothing()
            if not connection.execute(made).rowcount:
                raise AlreadyExists(f"There is a project '{name}' already.", hint="Choose another name.")
            if owner:
                self._make_owner(connection, name, owner)
        self._changed()
        try:
            self._make(name)
        except (FlyballError, sa.exc.SQLAlchemyError) as error:
            with self._database.transaction() as connection:
                self._remove_rows(connection, name)
            if isinstance(error, FlyballError):
                raise
            said = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise Conflict(
                f"The project's database cannot be made: {said}.",
                hint="On PostgreSQL its user needs the right to make schemas: GRANT CREATE ON DATABASE ... TO ...",
            ) from error
        return self.get(name)

    @read(role="none")
    def list(self, state: str = "") -> list[Project]:
        """The projects that one may enter, `default` first; for who looks after the instance the names of all others as well.

        Args:
            state: Only those that are `active`, `archived` or `deleted`; by default all but the deleted ones.
        """
        with self._database.reading() as connection:
            roles = self._roles(connection)
            rows = connection.execute(table.select()).all()
        found = [self._home(roles), *(_project(row, roles.get(row.name, "none")) for row in rows)]
        seen = [one for one in found if one.role != "none" or acting().admin]
        wanted = (state,) if state else ("active", "archived")
        return [one for one in seen if one.state in wanted]

    @read(role="none")
    def get(self, name: str) -> Project:
        """One project.

        Raises:
            NotFound: there is none of that name, or one may not enter it.
        """
        with self._database.reading() as connection:
            roles = self._roles(connection)
            row = None if name == HOME else connection.execute(table.select(name)).first()
        found = self._home(roles) if name == HOME else None if row is None else _project(row, roles.get(name, "none"))
        if found is None or found.state == "removing" or (found.role == "none" and not acting().admin):
            raise missing(name, [one.name for one in self.list()])
        return found

    @change(role="none")
    def update(
        self,
        name: str,
        title: str | None = None,
        description: str | None = None,
        residency: str | None = None,
        most_bytes: int | None = None,
    ) -> Project:
        """Changes what is said of a project; for its owners. Where its data must stay and how much it keeps, admins say.

        Args:
            most_bytes: How much it may keep in files; 0 for no limit.
        """
        found = self._owned(name, "to change what is said of a project")
        values: dict[str, Any] = {}
        if title is not None:
            values["title"] = _title(title)
        if description is not None:
            values["description"] = description
        if residency is not None or most_bytes is not None:
            need_admin("to say where a project's data must stay, and how much it keeps")
        if residency is not None:
            values["residency"] = _residency(residency, self.stores.get(found.store) if found.store else None)
        if most_bytes is not None:
            values["most_bytes"] = _quota(most_bytes)
        return self._update(name, **values) if values else found

    @change(role="none")
    def archive(self, name: str) -> Project:
        """Lets a project be read and no longer changed; its loops and models rest. For its owners."""
        self._in_state(self._owned(name, "to archive a project"), "active")
        self._look(name, "", 1)  # which puts in order what searches stand on, while it can still be written
        return self._update(name, state="archived")

    @change(role="none")
    def unarchive(self, name: str) -> Project:
        """Lets an archived project be changed again; for its owners."""
        self._in_state(self._owned(name, "to bring a project back"), "archived")
        return self._update(name, state="active")

    @change(role="none")
    def delete(self, name: str, confirm: str, grace_days: float = _GRACE_DAYS) -> Project:
        """Closes a project, and removes all that it holds after some days; for its owners.

        Args:
            confirm: The project's name once more.
            grace_days: For how long it can be brought back.
        """
        found = self._owned(name, "to delete a project")
        self._in_state(found, "active", "archived")
        if confirm != name:
            raise InvalidInput(f"'{confirm[:60]}' is not the project's name.", hint=f"Confirm with '{name}'.")
        if not 0 <= grace_days <= 365:
            raise InvalidInput(f"{grace_days:g} days cannot be waited.", hint="Give 0 to 365.")
        after = self._clock.now() + timedelta(days=grace_days)
        return self._update(name, state="deleted", state_before=found.state, gone_after=after)

    @change(role="none")
    def restore(self, name: str) -> Project:
        """Brings a deleted project back, while it is not removed yet; for its owners."""
        self._in_state(self._owned(name, "to bring a project back"), "deleted")
        before = sa.func.coalesce(table.projects.c.state_before, "active")
        return self._update(name, state=before, state_before=None, gone_after=None)

    @change(role="none")
    def purge(self) -> builtins.list[str]:
        """Removes all that deleted projects held whose days are over; gives their names. For who looks after the instance."""
        need_admin("to remove deleted projects for good")
        over = sa.and_(table.projects.c.state == "deleted", table.projects.c.gone_after <= self._clock.now())
        doomed = sa.or_(over, table.projects.c.state == "removing")  # one that was killed at it goes on
        names = [row.name for row in self._database.rows(table.select().where(doomed))]
        for name in names:
            self._database.execute(
                sa.update(table.projects).where(table.projects.c.name == name).values(state="removing")
            )
            self._forget(name)
            self._remove(self._places(name))
            with self._database.transaction() as connection:
                self._remove_rows(connection, name)
            self._changed()
        return names

    @read(role="none")
    def search(self, words: str, limit: int = 20) -> builtins.list[Found]:
        """Looks for words in the names of all things of all projects that one may enter.

        Args:
            limit: How many to give of each project.
        """
        found: list[Found] = []
        for project in self.list("active") + self.list("archived"):
            if project.role != "none" and not project.trouble and len(found) < 1000:
                found += self._look(project.name, words, max(1, min(limit, 100)))
        return found

    @read(role="none")
    def list_stores(self) -> builtins.list[Store]:
        """The stores that projects may be kept in; for who looks after the instance."""
        need_admin("to see the stores of projects")
        return self.stores.list()

    @change(role="none")
    def add_store(
        self, name: str, database: str = "", objects: str = "", s3_endpoint: str = "", s3_region: str = "",
        residency: str = "",
    ) -> Store:  # fmt: skip
        """Names a place that projects may be kept in; for who looks after the instance.

        Args:
            database: SQLAlchemy's address; empty for the workspace's own. Each project gets a schema or a file of its own in it.
            objects: A folder, or `s3://bucket/prefix`; empty for the workspace's own.
            residency: Where it stands, such as `eu`.
        """
        need_admin("to name a store for projects")
        given = Store(
            name=name, database=database, objects=objects, s3_endpoint=s3_endpoint, s3_region=s3_region,
            residency=residency,
        )  # fmt: skip
        return self.stores.add(given)

    @change(role="none")
    def remove_store(self, name: str) -> None:
        """Forgets a store that no project is kept in; for who looks after the instance."""
        need_admin("to remove a store")
        self.stores.remove(name)

    def state_of(self, name: str) -> str:
        """Id, state and store of a project in one text, which is another one when it must be opened anew; empty for none."""
        found = self.standing_of(name)
        return found.stamp if found else ""

    def standing_of(self, name: str) -> Standing | None:
        """What a server asks of a project with each request; None if there is none, or none that is open."""
        row = self._database.driver_row(_STANDING_OF[self._database.dialect.name], (name,))
        if row is None or row[1] in ("deleted", "removing"):
            return None
        return Standing(stamp=f"{row[0]}/{row[1]}/{row[2] or ''}", most_bytes=row[3], stored_bytes=row[4] or 0)

    def settings_of(self, name: str) -> tuple[Settings, str]:
        """The settings of a project's own places, and why nothing may be written there; empty where it may.

        Raises:
            NotFound: there is no such project.
        """
        row = self._database.row(table.select(name))
        if row is None or row.state in ("deleted", "removing"):
            raise missing(name, [one.name for one in self.list()])
        frozen = f"The project '{name}' is archived: it can be read and not changed." if row.state == "archived" else ""
        return self._places(name), frozen

    def active(self) -> builtins.list[str]:
        """The names of all projects that may be changed, whoever asks."""
        rows = self._database.rows(table.select().where(table.projects.c.state == "active"))
        return [row.name for row in rows]

    def upgrade(self) -> dict[str, str]:
        """Opens every project once, which brings its tables to this release's; gives what went wrong, by project."""
        found: dict[str, str] = {}
        rows = self._database.rows(table.select().where(table.projects.c.state.in_(("active", "archived"))))
        for row in rows:
            try:
                self._make(row.name)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are to work
                found[row.name] = str(error)
            if found.get(row.name, "") != row.trouble:
                self.note(row.name, trouble=found.get(row.name, ""))
        return found

    def is_known(self, name: str) -> bool:
        """Whether there is a project of that name, in whatever state."""
        return self._database.row(table.select(name)) is not None

    def trouble_of(self, name: str) -> str:
        """Why a project could not be opened when that was last tried; empty where all is well."""
        row = self._database.row(sa.select(table.projects.c.trouble).where(table.projects.c.name == name))
        return str(row.trouble) if row else ""

    def model_url(self, name: str) -> str:
        """Address of the project's model server; empty while it has none."""
        row = self._database.row(sa.select(table.projects.c.model_url).where(table.projects.c.name == name))
        return str(row.model_url) if row else ""

    def close(self, name: str) -> None:
        """Closes what is open of a project in this process, as soon as nobody uses it."""
        self._forget(name)

    def note(self, name: str, **values: Any) -> None:
        """Notes what the machine found out about a project: `trouble`, `model_url`, `stored_bytes`."""
        self._database.execute(sa.update(table.projects).where(table.projects.c.name == name).values(**values))

    def _check_free(self, name: str, own: Settings) -> None:
        """Makes sure that no project is there, and nothing in its place that another one has left behind."""
        place = sa.make_url(own.database)
        if place.get_backend_name() == "sqlite":
            is_used = Path(str(place.database)).exists()
        else:
            database = Database(own.database, connections=1)
            try:
                is_used = bool(revision(database))
            finally:
                database.close()
        if self.is_known(name):
            raise AlreadyExists(f"There is a project '{name}' already.", hint="Choose another name.")
        if is_used:
            where = place.render_as_string(hide_password=True)
            raise Conflict(f"There are tables at {where} already.", hint="Choose another name, or remove them.")

    def _places(self, name: str) -> Settings:
        row = self._database.row(table.select(name))
        assert row is not None
        store = self.stores.get(row.store, with_secrets=True) if row.store else None
        return settings_of(self._settings, name, store)

    def _home(self, roles: dict[str, Role]) -> Project:
        return Project(name=HOME, id=HOME, title="The workspace itself", role=roles.get(HOME, "none"))

    def _roles(self, connection: sa.Connection) -> dict[str, Role]:
        principal = acting()
        names = [HOME, *connection.execute(sa.select(table.projects.c.name)).scalars()]
        if principal.kind == "system" or not principal.proven:  # the platform itself, and who owns this machine
            return dict.fromkeys(names, "owner")
        found: dict[str, Role] = dict.fromkeys(names, "viewer" if principal.auditor else "none")
        for project, role in _store.roles_of(connection, principal.name):
            if ROLES.index(_role(role)) > ROLES.index(found.get(project, "none")):
                found[project] = _role(role)
        if ROLES.index(principal.role) > ROLES.index(found.get(principal.project, "none")):
            found[principal.project] = principal.role
        query = sa.select(_store.tokens.c.project).where(_store.tokens.c.id == principal.token)
        only = connection.execute(query).scalar() if principal.token else ""
        return {project: role for project, role in found.items() if not only or project == only}

    def _owned(self, name: str, what: str) -> Project:
        found = self.get(name)
        if name == HOME:
            raise Conflict(f"'{HOME}' is the workspace itself, and stays as it is.")
        if not acting().admin and found.role != "owner":
            raise PermissionDenied(
                f"{acting().name} may not do this: {what} takes the role 'owner', and theirs is '{found.role}'.",
                hint="Ask an owner of the project.",
            )
        return found

    def _in_state(self, project: Project, *states: State) -> None:
        if project.state not in states:
            raise Conflict(f"The project '{project.name}' is {project.state}.", state=project.state)

    def _update(self, name: str, **values: Any) -> Project:
        self.note(name, **values)
        self._forget(name)
        return self.get(name)

    def _make_owner(self, connection: sa.Connection, project: str, account: str) -> None:
        if _store.account_row(connection, account) is None:
            raise NotFound(f"There is no account '{account[:128]}'.", hint="An admin adds accounts.")
        now = self._clock.now()
        row = {"project": project, "kind": "account", "name": account, "role": "owner", "since": now}
        connection.execute(sa.insert(_store.members).values(**row, by=acting().name))
        _store.count_change(self._database, connection)

    def _remove_rows(self, connection: sa.Connection, name: str) -> None:
        connection.execute(sa.delete(_store.members).where(_store.members.c.project == name))
        _store.revoke(connection, _store.tokens.c.project == name, self._clock.now())
        _store.count_change(self._database, connection)
        connection.execute(sa.delete(table.projects).where(table.projects.c.name == name))


def missing(name: str, known: builtins.list[str]) -> NotFound:
    """The error for a project that is not there, or that one may not enter: nobody can tell one from the other."""
    return NotFound(f"There is no project '{name[:60]}'.", hint=did_you_mean(name, known))


def _project(row: sa.Row[Any], role: Role) -> Project:
    known = {key: value for key, value in row._mapping.items() if key != "state_before"}
    return Project(**{**known, "store": row.store or "", "role": role})


def _role(text: str) -> Role:
    return next((role for role in ROLES if role == text), "none")


def _title(title: str) -> str:
    if not 0 < len(title.strip()) <= 200 or not title.isprintable():
        raise InvalidInput(f"{title[:60]!r} cannot be a title.", hint="Use 1 to 200 characters.")
    return title.strip()


def _residency(residency: str, store: Store | None) -> str:
    if len(residency) > 100:
        raise InvalidInput("A tag of residency has at most 100 characters.")
    stands = store.residency if store else ""
    if residency and store and stands != residency:
        raise InvalidInput(
            f"The store '{store.name}' stands in '{stands or 'no place that is known'}', not in '{residency}'.",
            hint="Choose a store that stands there.",
        )
    return residency or stands


def _quota(most_bytes: int | None) -> int | None:
    if most_bytes is not None and most_bytes < 0:
        raise InvalidInput(f"{most_bytes} bytes are no limit.", hint="Give a number of bytes, or 0 for no limit.")
    return most_bytes or None
