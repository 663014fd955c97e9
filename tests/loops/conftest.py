from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loops.clicks import Life, life


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Life]:
    """A loop that is applied and has done nothing yet."""
    with life(tmp_path) as made:
        made.apply()
        yield made


@pytest.fixture
def served(fresh: Life) -> Life:
    """A loop whose first version answers."""
    fresh.settle()
    return fresh


@pytest.fixture
def decayed(served: Life) -> Life:
    """A loop that has just seen a day on which its champion was wrong."""
    served.live(24, turned=True)
    return served
