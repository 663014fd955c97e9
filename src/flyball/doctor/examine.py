"""All that is looked at, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping

from flyball.doctor.finding import Finding, ok, problem, warning
from flyball.doctor.machine import look_at_machine
from flyball.doctor.storage import look_at_storage
from flyball.errors import FlyballError, did_you_mean
from flyball.settings import SETTABLE, Settings, load_settings

# Variables that are no settings: of the command line and of tests.
_OTHERS = ("FLYBALL_BACKUPS", "FLYBALL_SOAK_ROUNDS", "FLYBALL_SOAK_SEED")
_OLD_BACKUP = 7 * 86_400.0


def examine(
    flags: Mapping[str, object],
    *,
    fix: bool = False,
    deep: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[Finding]:
    """Looks at settings, machine, databases, stores and backups.

    Args:
        flags: Settings given on the command line.
        fix: Whether what is safe to mend is mended.
        deep: Whether every byte of every blob is read.
    """
    try:
        settings = load_settings(flags)
    except FlyballError as error:
        yield problem("settings", error.message, error.hint)
        return
    yield from _settings(settings)
    if settings.url:
        yield from _server(settings)
        return
    yield from look_at_machine(settings, fix=fix)
    yield from look_at_storage(settings, fix=fix, deep=deep, progress=progress)
    yield from _backups(settings)


def _settings(settings: Settings) -> Iterator[Finding]:
    known = [f"FLYBALL_{name.upper()}" for name in SETTABLE]
    odd = [name for name in os.environ if name.startswith("FLYBALL_") and name not in (*known, *_OTHERS)]
    for name in sorted(odd):
        yield warning("settings", f"The variable {name} is no setting.", did_you_mean(name, known))
    if not odd:
        yield ok("settings", f"They can be read; the workspace is {settings.url or settings.workspace}.")


def _server(settings: Settings) -> Iterator[Finding]:
    """A workspace on a server: whether it answers, and agrees with us on the time."""
    from email.utils import parsedate_to_datetime

    import urllib3

    try:
        answer = urllib3.request(
            "GET", f"{settings.url.rstrip('/')}/health", timeout=10.0, retries=False, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        yield problem(
            "server",
            f"No server answers at {settings.url} ({type(error).__name__}).",
            "flyball up, or set FLYBALL_URL.",
        )
        return
    if answer.status != 200:
        yield problem(
            "server",
            f"The server at {settings.url} is not ready: {answer.data[:200].decode('utf-8', 'replace')}",
            "See its log.",
        )
        return
    yield ok("server", f"The server at {settings.url} is ready.")
    told = answer.headers.get("date")
    skew = abs(parsedate_to_datetime(told).timestamp() - time.time()) if told else 0.0
    if skew > 5:
        yield warning(
            "clock", f"This machine's clock and the server's differ by {skew:.0f} seconds.", "Let both follow NTP."
        )


def _backups(settings: Settings) -> Iterator[Finding]:
    from flyball.storage.backup.making import list_backups
    from flyball.storage.objects import open_objects

    place = os.environ.get("FLYBALL_BACKUPS", "")
    mend = "flyball backup create --to PLACE, each night; set FLYBALL_BACKUPS."
    if not place:
        yield warning("backups", "It is not said where backups are kept.", mend)
        return
    try:
        known = list_backups(open_objects(place, s3_endpoint=settings.s3_endpoint, s3_region=settings.s3_region))
    except (FlyballError, OSError) as error:
        yield problem("backups", f"The backups in {place} cannot be read: {error}", mend)
        return
    if not known:
        yield warning("backups", f"There is no backup in {place} yet.", mend)
        return
    age = time.time() - known[0].created.timestamp()
    said = f"{len(known)} backups in {place}; the newest is {age / 3600:.0f} hours old."
    yield warning("backups", said, mend) if age > _OLD_BACKUP else ok("backups", said)
