"""Versions of data in a workspace on a server: the same calls, by HTTP."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from flyball.client import RemoteWorkspace
from flyball.data.checkout import check_out
from flyball.data.diff import diff_snapshots
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.verify import verify_snapshots
from flyball.errors import Conflict

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no SQL of its own is at stake


def test_versions_are_taken_compared_and_had_back_over_http(remote: RemoteWorkspace, tmp_path: Path) -> None:
    rows = pa.table({"id": range(150_000), "x": [n * 7919 % 100_003 / 7 for n in range(150_000)]})
    first = take_snapshot(remote.data, remote.blobs, "x", rows, root=tmp_path, cache=remote.cache)
    later = pa.concat_tables([rows, pa.table({"id": [150_000], "x": [1.0]})])
    second = take_snapshot(remote.data, remote.blobs, "x", later, root=tmp_path, cache=remote.cache)
    assert second.layout
    assert load_snapshot(remote.blobs, remote.data.find_snapshot("x")).equals(later.combine_chunks())
    found = diff_snapshots(remote.blobs, first, second, key="id").rows
    assert found is not None
    assert (found.added, found.same) == (1, 150_000)
    remote.data_versions.create_tag("x", "v1", first.id)
    assert remote.data_versions.roll_back("x", "v1").id == first.id
    with pytest.raises(Conflict, match="x@v1"):
        remote.data_versions.delete_snapshot("x", first.id)
    assert [move.cause for move in remote.data_versions.history("x")] == ["rolled_back", "taken", "taken"]
    assert verify_snapshots(remote.blobs, remote.data.list_snapshots("x")) == []


def test_a_folder_goes_to_a_server_and_back(remote: RemoteWorkspace, tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    for number in range(50):
        (place / f"{number}.txt").write_text(f"text {number}")
    taken = take_snapshot(remote.data, remote.blobs, "texts", place, root=tmp_path, cache=remote.cache)
    check_out(remote.blobs, taken, tmp_path / "out")
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_text() for path in place.iterdir()
    }
