"""The databases and stores of all projects: whether they are whole, hold what they refer to, and keep what they acknowledge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from flyball.access.places import every_project
from flyball.doctor.finding import Finding, ok, problem, warning
from flyball.errors import FlyballError
from flyball.serialization import from_json
from flyball.settings import Settings
from flyball.storage.backup.rows import problems
from flyball.storage.database import Database, leases
from flyball.storage.event_log import events
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs, digest_file, open_objects
from flyball.storage.probing import probe
from flyball.storage.upgrades import HEAD, revision

# Columns that name blobs, one each.
_NAMED = (
    ("run_artifacts", "digest"), ("stored_files", "digest"), ("feature_pushes", "digest"), ("data_profiles", "profile"),
    ("data_refs", "snapshot"),
)  # fmt: skip
_MOST_SKEW = 2.0
_LARGE_LOG = 1 << 30
_SHOWN = 3
# What PostgreSQL must not be set to where nothing may be lost.
_UNSAFE = {"fsync": ("off",), "full_page_writes": ("off",), "synchronous_commit": ("off",)}

Progress = Callable[[int, int], None]


def look_at_storage(
    home: Settings, *, fix: bool = False, deep: bool = False, progress: Progress = lambda *_: None
) -> Iterator[Finding]:
    """Looks at the database and the store of each project.

    Args:
        deep: Whether every byte of every blob is read.
    """
    path = _file_of(home.database)
    if path is not None and not path.is_file():
        return
    try:
        database = Database(home.database, connections=1)
    except FlyballError as error:
        yield problem("database", error.message, error.hint)
        return
    try:
        yield from _each(home, database, fix, deep, progress)
    except FlyballError as error:
        yield problem("database", error.message, error.hint or "See FLYBALL_DATABASE.")
    finally:
        database.close()


def _each(home: Settings, database: Database, fix: bool, deep: bool, progress: Progress) -> Iterator[Finding]:
    for settings in every_project(home, database):
        own = database if settings is home else Database(settings.database, connections=1)
        try:
            for finding in _project(settings, own, fix, deep, progress):
                yield replace(finding, project=settings.project)
        except FlyballError as error:
            yield replace(problem("project", error.message, error.hint), project=settings.project)
        finally:
            if own is not database:
                own.close()


def _project(settings: Settings, database: Database, fix: bool, deep: bool, progress: Progress) -> Iterator[Finding]:
    yield _revision(database)
    yield from _clock(database)
    path = _file_of(settings.database)
    if path is not None:
        yield from _sqlite(path, database, fix)
    else:
        yield from _postgres(database)
    yield from _leases(database)
    try:
        store = open_objects(settings.objects, s3_endpoint=settings.s3_endpoint, s3_region=settings.s3_region)
        lies = probe(store)
    except (FlyballError, OSError) as error:
        yield problem(
            "store",
            f"The objects cannot be reached: {str(error).partition(chr(10))[0][:200]}",
            "See the setting `objects`.",
        )
        return
    for lie in lies:
        yield problem("store", f"The object store cannot be trusted: {lie}.", "Use another service, or a folder.")
    if not lies:
        yield ok("store", "The object store keeps what it says.")
        yield from _blobs(database, store, deep, progress)


def _revision(database: Database) -> Finding:
    found = revision(database)
    if found == HEAD:
        return ok("revision", f"The tables are those of this release ({HEAD}).")
    if found > HEAD:
        return problem(
            "revision",
            f"The tables are of a later release ({found}; this one knows {HEAD}).",
            "Install a newer Flyball.",
        )
    return warning(
        "revision",
        f"The tables stand at {found or 'nothing'}, this release works on {HEAD}.",
        "Back up, then flyball db upgrade.",
    )


def _clock(database: Database) -> Iterator[Finding]:
    before = time.time()
    there = database.row(sa.select(database.dialect.now))
    skew = abs(float(there[0]) - (before + time.time()) / 2) if there is not None else 0.0
    if skew > _MOST_SKEW:
        yield problem(
            "clock", f"This machine's clock and the database's differ by {skew:.1f} seconds.", "Let both follow NTP."
        )
    else:
        yield ok("clock", f"This machine's clock and the database's agree to {skew:.3f} seconds.")
    with suppress(sa.exc.DatabaseError, FlyballError):
        last = database.row(sa.select(sa.func.max(events.c.at)))
        ahead = 0.0 if last is None or last[0] is None else last[0].timestamp() - time.time()
        if ahead > timedelta(minutes=5).total_seconds() and not _is_virtual(database):
            yield warning(
                "clock", f"The newest event is {ahead / 60:.0f} minutes in the future.", "Set the clock right."
            )


def _is_virtual(database: Database) -> bool:
    return database.row(sa.text("SELECT id FROM virtual_time")) is not None


def _sqlite(path: Path, database: Database, fix: bool) -> Iterator[Finding]:
    wrong = problems(path)
    for what in wrong[:_SHOWN]:
        yield problem(
            "database", f"{path.name}: {what}.", "Restore a backup: flyball backup restore; keep the damaged file."
        )
    if not wrong:
        yield ok("database", f"{path.name} is whole, and all its rows refer to what is there.")
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG and fix:
        database.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        yield Finding(check="database", state="ok", said="The write-ahead log was folded into the file.", is_fixed=True)
    elif size > _LARGE_LOG:
        yield warning(
            "database",
            f"The write-ahead log has {size >> 20:,} MiB: somebody has been reading for very long.",
            "flyball doctor --fix",
        )


def _postgres(database: Database) -> Iterator[Finding]:
    unsafe = []
    for name, bad in _UNSAFE.items():
        row = database.row(sa.text(f"SHOW {name}"))
        if row is not None and row[0] in bad:
            unsafe.append(f"{name} = {row[0]}")
    if unsafe:
        yield problem(
            "database",
            f"The database server may lose what it acknowledged: {', '.join(unsafe)}.",
            "Set them on, in postgresql.conf.",
        )
    else:
        yield ok("database", "The database server keeps what it acknowledges.")
    archive = database.row(sa.text("SHOW archive_mode"))
    if archive is not None and archive[0] == "off":
        yield warning(
            "point in time", "The server archives no log: it can be brought back to a backup, and to no moment between two.",
            "See 'Point in time' in docs/reliability.md.",
        )  # fmt: skip


def _leases(database: Database) -> Iterator[Finding]:
    now = database.dialect.now
    rows = database.rows(
        sa.select(leases.c.name, leases.c.holder, (leases.c.expires - now).label("left")).where(leases.c.holder != "")
    )
    stale = [row for row in rows if row.left < -60 and not row.name.startswith("step:")]
    for row in stale[:_SHOWN]:
        yield warning(
            "leases", f"'{row.holder}' held the lease '{row.name}' until {-row.left / 60:.0f} minutes ago and kept it.",
            "It was killed, or cannot reach the database. The next one takes over by itself: is one running?",
        )  # fmt: skip
    if not stale:
        yield ok("leases", f"{len(rows)} leases are held, none by somebody who is gone.")


def _blobs(database: Database, store: ObjectStore, deep: bool, progress: Progress) -> Iterator[Finding]:
    there = {item.key.rpartition("/")[2]: item for item in store.list("blobs/")}
    named = _referred(database)
    missing = sorted(set(named) - set(there))
    for name in missing[:_SHOWN]:
        yield problem(
            "blobs", f"The bytes {name[:12]}... are gone, which {named[name]} refers to.", "Restore them from a backup."
        )
    if len(missing) > _SHOWN:
        yield problem(
            "blobs", f"{len(missing) - _SHOWN} more bytes are gone that rows refer to.", "Restore them from a backup."
        )
    damaged = []
    if deep:
        blobs, total, done = Blobs(store), sum(item.size for item in there.values()), 0
        for name, item in there.items():
            try:
                is_right = digest_file(blobs.path(name)) == name
            except (FlyballError, OSError):
                is_right = False
            if not is_right:
                damaged.append(name)
            done += item.size
            progress(done, total)
    for name in damaged[:_SHOWN]:
        yield problem(
            "blobs",
            f"The bytes {name[:12]}... are damaged ({named.get(name, 'nothing')} refers to them).",
            "Restore them from a backup.",
        )
    if not missing and not damaged:
        how = "and undamaged" if deep else "(--deep reads them too)"
        yield ok("blobs", f"{len(named):,} blobs that rows refer to are there, of {len(there):,} {how}.")


def _referred(database: Database) -> dict[str, str]:
    """Digests that rows refer to, and which table does."""
    known = set(sa.inspect(database.engine).get_table_names())
    found: dict[str, str] = {}
    for table, column in _NAMED:
        if table in known:
            value: sa.ColumnClause[str] = sa.column(column)
            rows = database.rows(
                sa.select(value).select_from(sa.table(table)).where(sa.func.length(value) == 64).distinct()
            )
            found.update({row[0]: table for row in rows})
    if "model_versions" in known:
        package: sa.ColumnClause[str] = sa.column("package")
        for (text,) in database.rows(
            sa.select(package).select_from(sa.table("model_versions")).where(package.is_not(None))
        ):
            files = from_json(text, dict).get("files") or {}
            found.update({str(name): "model_versions" for name in files.values() if len(str(name)) == 64})
    return found


def _file_of(url: str) -> Path | None:
    made = sa.make_url(url)
    return Path(str(made.database)) if made.get_backend_name() == "sqlite" else None
