from __future__ import annotations

from pathlib import Path

import pytest

from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStore
from flyball.storage.s3_objects import S3Objects


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty object store, once in a folder and once in a bucket, beneath a prefix."""
    if request.param == "folder":
        return LocalObjects(tmp_path / "kept")
    bucket = request.getfixturevalue("s3_store")
    return S3Objects(f"{bucket.location}/a/prefix", endpoint=bucket.endpoint, region=bucket.region)
