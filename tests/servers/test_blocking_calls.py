"""Our code may not block the event loop where a test watches it."""

from __future__ import annotations

from pathlib import Path

import pytest
from blockbuster import BlockBuster, BlockingError

from flyball.storage.local_objects import LocalObjects


@pytest.mark.anyio
async def test_a_file_written_on_the_event_loop_is_found(no_blocking_calls: BlockBuster, tmp_path: Path) -> None:
    with pytest.raises(BlockingError):
        LocalObjects(tmp_path).put("a", b"1")


@pytest.mark.anyio
async def test_without_the_fixture_nobody_watches(tmp_path: Path) -> None:
    assert LocalObjects(tmp_path).put("a", b"1")
