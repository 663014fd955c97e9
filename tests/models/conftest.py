from __future__ import annotations

from pathlib import Path

import pytest

from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(LocalObjects(tmp_path / "objects", durable=False))
