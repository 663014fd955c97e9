"""A server's application over a workspace with one of most things, so that what is drawn often names something that is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flyball.testing import workspace
from tests.fuzz.planted import plant
from tests.server.conftest import client_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A client of the application, without a network between, and texts that name what is there."""

    http: TestClient
    names: list[str]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Planted]:
    """The application over a workspace with one of most things."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / ".flyball").mkdir()
    shutil.copyfile(sqlite_template, folder / ".flyball" / "flyball.db")
    with workspace(folder) as made:
        names = plant(made)
        yield Planted(http=client_of(made), names=names)


@pytest.fixture
def rounds() -> int:
    """How often a long test goes round."""
    return int(os.environ.get("FLYBALL_SOAK_ROUNDS", "1"))
