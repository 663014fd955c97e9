"""What every test can ask for.

Real servers, each on loopback and gone at the end: `postgres_url`, `page` (and `browser`), `s3_store`. A test that asks
for one carries its marker by itself: `-m "not browser"` leaves the slow ones out.

What rooms are made with: `database` (once on SQLite, once on PostgreSQL, with every table), `clock`, `store`, `blobs`,
`events`; and a whole `workspace`, at `url` or as a `remote` one. The real MLflow clients that talk to it: `mlflow3`,
`mlflow2`, and `mlflow` for each of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

pytest_plugins = (
    "tests.servers.absent",
    "tests.servers.chromium",
    "tests.servers.databases",
    "tests.servers.flyball_server",
    "tests.servers.mlflow_clients",
    "tests.servers.postgres",
    "tests.servers.redis",
    "tests.servers.s3",
)

# Programs that tests run beside another interpreter: they import what is not here.
collect_ignore_glob = ["*/scripts/*.py"]

MARKERS = {"postgres_server": "postgres", "browser": "browser", "s3_endpoint": "s3"}

# Time limits for an example say more about the neighbours on a shared machine than about the code.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test by the servers it asks for."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS:
                item.add_marker(MARKERS[fixture])


@pytest.fixture
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A call of ours that blocks the event loop (a file, a socket, a sleep) raises `BlockingError`."""
    with blockbuster_ctx("flyball") as blockbuster:
        yield blockbuster


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests marked `anyio`."""
    return "asyncio"
