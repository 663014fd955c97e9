from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.packaging.bases import own_python
from flyball.packaging.compiling import compile_files
from flyball.packaging.distributions import closure
from flyball.packaging.layers import Entry, Packer
from flyball.packaging.oci import Descriptor, Layout, digest_of
from flyball.packaging.oci_registry import Reference


def names(packer: Packer, entries: list[Entry]) -> dict[str, tarfile.TarInfo]:
    data = gzip.decompress(packer.path(packer.pack("model", entries)).read_bytes())
    return {member.name: member for member in tarfile.open(fileobj=io.BytesIO(data))}


def test_the_same_files_give_the_same_bytes_whatever_their_order_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one")
    entries = [Entry(path="b/c", content=b"two"), Entry(path="a", content=file)]
    first = Packer(tmp_path / "1").pack("model", entries)
    os.utime(file, (1, 1))
    assert Packer(tmp_path / "2").pack("model", entries[::-1]) == first


def test_a_layer_holds_the_folders_above_its_files(tmp_path: Path) -> None:
    found = names(Packer(tmp_path), [Entry(path="a/b/c", content=b"x", mode=0o600, owner=7)])
    assert [name for name, member in found.items() if member.isdir()] == ["a", "a/b"]
    assert (found["a/b/c"].mode, found["a/b/c"].uid, found["a/b/c"].mtime) == (0o600, 7, 0)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b"])
def test_nothing_gets_outside_of_an_image(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput):
        Packer(tmp_path).pack("model", [Entry(path=path, content=b"x")])


def test_a_packed_layer_is_found_by_its_key_until_it_is_cleared(tmp_path: Path) -> None:
    packer = Packer(tmp_path)
    layer = packer.pack("base", [Entry(path="a", content=b"x")], "key")
    assert packer.known("key") == layer
    packer.clear(older_than=-1)
    assert packer.known("key") is None


def test_compiled_files_are_the_same_from_each_process(tmp_path: Path) -> None:
    files = [(place, path) for place, path in own_python() if "/json/" in place or "/asyncio/" in place]
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append({place: path.read_bytes() for place, path in compile_files(files, tmp_path / name)})
    assert made[0] == made[1]
    assert len(made[0]) > 30


def test_this_pythons_library_is_without_what_is_installed_for_it() -> None:
    places = [place for place, _ in own_python()]
    assert any(place.endswith("/json/decoder.py") for place in places)
    assert not [place for place in places if "site-packages" in place or "/test/" in place or place.endswith(".pyc")]


def test_the_closure_holds_what_is_required_and_no_extras() -> None:
    found = {each.name for each in closure(["starlette", "uvicorn"])}
    assert {"starlette", "anyio", "uvicorn", "click", "h11"} <= found
    assert not {"pytest", "jinja2"} & found


def test_blobs_that_were_damaged_are_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    kept = layout.put(b"one", "text/plain")
    layout.path(kept.digest).write_bytes(b"two")
    with pytest.raises(Corrupt):
        layout.get(kept)


def test_a_tag_names_one_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, second = layout.put(b"{}", "m"), layout.put(b"[]", "m")
    layout.tag(first, "1", [])
    layout.tag(second, "1", [])
    layout.tag(first, "2", [])
    assert layout.image("1").digest == second.digest
    assert layout.image("2").digest == first.digest
    with pytest.raises(NotFound):
        layout.image("3")


def test_a_digest_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(Corrupt):
        Layout(tmp_path).get(Descriptor(media_type="x", digest="sha256:../../etc/passwd", size=1))
    assert digest_of(b"").startswith("sha256:e3b0c442")


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("localhost:5000/a/b:3", "localhost:5000", "a/b", "3"),
        ("python:3.12-slim", "docker.io", "library/python", "3.12-slim"),
        ("registry.example/late-flights", "registry.example", "late-flights", ""),
    ],
)
def test_references_are_read(text: str, host: str, repository: str, tag: str) -> None:
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)


@pytest.mark.parametrize(
    "text", ["", "UPPER/x", "localhost:5000/../x", "h.io/a b", "h.io/a:", "h.io/a?x=1", "h.io/a@sha256:12"]
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises((InvalidInput, Corrupt)):
        Reference.parse(text)
