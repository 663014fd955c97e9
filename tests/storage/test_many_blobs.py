"""Many small blobs are kept together as they would be one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.client import RemoteWorkspace
from flyball.errors import InvalidInput
from flyball.serialization import digest
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

DATA = [b"file %d" % number for number in range(50)] + [b"", b"file 3"]


def test_many_are_kept_and_equal_ones_once(tmp_path: Path) -> None:
    blobs = Blobs(LocalObjects(tmp_path))
    blobs.put(b"file 7")
    names = blobs.put_many(DATA)
    assert names == [digest(one) for one in DATA]
    assert [blobs.get(name) for name in names] == DATA
    assert len(list(blobs.store.list("blobs/"))) == 51
    assert not list((tmp_path / ".fresh").iterdir())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_many_go_to_a_server_in_one_request(remote: RemoteWorkspace, tmp_path: Path) -> None:
    names = remote.blobs.put_many(DATA)
    assert [remote.blobs.get(name) for name in names] == DATA
    assert remote.blobs.path(names[0]).read_bytes() == DATA[0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("body", [b"", b"no", b"\x81\xa1a\x01", b"\x91\x01", b"\xdd\xff\xff\xff\xff"])
def test_what_is_no_list_of_bytes_is_refused(remote: RemoteWorkspace, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        remote.http.request("PUT", "/blobs", body=body)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_large_blob_comes_and_goes_in_pieces(remote: RemoteWorkspace, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(bytes(range(256)) * 40_000)
    name = remote.blobs.put_file(source)
    assert remote.blobs.path(name).read_bytes() == source.read_bytes()
