from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.features.online.base import OnlineStore, open_online


@pytest.fixture(params=["sqlite", "lmdb", "redis", "postgres"])
def online_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty online store of each kind."""
    if request.param in ("sqlite", "lmdb"):
        return f"{request.param}:///{tmp_path / 'online'}"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def online(online_url: str) -> Iterator[OnlineStore]:
    store = open_online(online_url)
    yield store
    store.close()
