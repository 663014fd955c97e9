"""A version or a snapshot is taken over from another project: the same bytes, its origin known, once however often it is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.client import RemoteWorkspace
from flyball.data.dataset import Dataset
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.governance.copying import ORIGIN, copy_snapshot, copy_version
from flyball.models.package import load_model, save_model
from flyball.registry.versions import ModelVersion
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.registry.constant import always_seven

ROWS = pa.table({"age": [1.0, 2.0]})


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No statement here knows the kind of database."""
    return sqlite_url


@pytest.fixture
def dev(workspace: Workspace) -> Iterator[Workspace]:
    workspace.projects.create("dev")
    with workspace.opened.use("dev", workspace.projects.state_of("dev")) as made:
        yield made


@pytest.fixture
def prod(workspace: Workspace) -> Iterator[Workspace]:
    workspace.projects.create("prod")
    with workspace.opened.use("prod", workspace.projects.state_of("prod")) as made:
        yield made


def register(project: Workspace, **given: object) -> ModelVersion:
    package = save_model(always_seven, project.blobs, example=ROWS)
    return project.registry.register("seven", package, **given)  # type: ignore[arg-type]  # what a test says


def test_a_version_comes_with_its_bytes_and_says_where_from(dev: Workspace, prod: Workspace) -> None:
    register(dev)
    dev.registry.set_alias("seven", "champion", 1)
    copied = copy_version(dev, prod, "seven@champion")
    assert (copied.origin, copied.ref, copied.is_new) == ("projects:/dev/models/seven/1", "models:/seven/1", True)
    version = prod.registry.get_version("seven/1")
    assert version.package == dev.registry.get_version("seven/1").package
    assert (version.stage, version.tags[ORIGIN], version.aliases) == ("candidate", copied.origin, ())
    assert load_model(version.package, prod.blobs).predict(ROWS).num_rows == 2
    edge = prod.lineage.upstream("models:/seven/1")[0]
    assert (edge.source, edge.relation) == ("external:/projects%2Fdev/models%2Fseven%2F1", "copied_to")


def test_to_copy_again_changes_nothing(dev: Workspace, prod: Workspace) -> None:
    register(dev)
    first, again = (copy_version(dev, prod, "seven") for _ in range(2))
    assert (again.ref, again.is_new, again.sent) == (first.ref, False, 0)
    assert len(prod.registry.list_versions("seven")) == 1
    assert copy_version(dev, prod, "seven", model="eight").ref == "models:/eight/1"


def test_a_snapshot_keeps_its_id_and_is_read_there(dev: Workspace, prod: Workspace, tmp_path: Path) -> None:
    dev.data.declare(Dataset(name="orders", source="orders.csv", key="age", watch="10m"))
    taken = take_snapshot(dev.data, dev.blobs, "orders", ROWS, root=tmp_path)
    copied = copy_snapshot(dev, prod, "orders")
    assert copied.ref == f"snapshots:/orders/{taken.id}"
    assert load_snapshot(prod.blobs, prod.data.find_snapshot("orders")).equals(ROWS)
    there = prod.data.get("orders")
    assert (there.key, there.source, there.watch) == ("age", "", "")
    assert not copy_snapshot(dev, prod, "orders").is_new


def test_many_small_files_and_second_versions_come_along(dev: Workspace, prod: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"note {number}\n" * 50)
    large = folder / "large.bin"
    large.write_bytes(bytes(range(256)) * 4000)
    take_snapshot(dev.data, dev.blobs, "notes", str(folder), root=tmp_path)
    large.write_bytes(b"new" + bytes(range(256)) * 4000)
    second = take_snapshot(dev.data, dev.blobs, "notes", str(folder), root=tmp_path)
    copy_snapshot(dev, prod, "notes")
    assert prod.data.find_snapshot("notes").id == second.id


def test_the_data_of_a_version_comes_along_if_asked_for(dev: Workspace, prod: Workspace, tmp_path: Path) -> None:
    taken = take_snapshot(dev.data, dev.blobs, "orders", ROWS, root=tmp_path)
    register(dev, snapshots=(f"snapshots:/orders/{taken.id}",))
    assert prod.registry.get_version(copy_version(dev, prod, "seven").ref).snapshots == ()
    whole = copy_version(dev, prod, "seven", model="whole", with_data=True)
    assert prod.registry.get_version(whole.ref).snapshots == (f"snapshots:/orders/{taken.id}",)
    assert prod.data.find_snapshot("orders").id == taken.id


def test_bytes_that_were_changed_are_not_taken_over(dev: Workspace, prod: Workspace) -> None:
    version = register(dev)
    digest = next(iter(version.package.files.values()))
    path = dev.blobs.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"something else")
    with pytest.raises((Corrupt, InvalidInput)):
        copy_version(dev, prod, "seven")
    assert not prod.blobs.has(digest)
    with pytest.raises(NotFound):
        prod.registry.get_version("seven")


def test_within_one_project_nothing_is_copied(dev: Workspace) -> None:
    register(dev)
    with pytest.raises(InvalidInput, match="'dev' already"):
        copy_version(dev, dev, "seven")


def test_over_http_from_project_to_project(url: str, dev: Workspace, prod: Workspace, workspace: Workspace) -> None:
    register(dev)
    far = load_settings({"url": url, "workspace": str(workspace.root / "far")}, environment={})
    with (
        RemoteWorkspace(replace(far, project="dev")) as source,
        RemoteWorkspace(replace(far, project="prod")) as target,
    ):
        assert copy_version(source, target, "seven").ref == "models:/seven/1"
    assert prod.registry.get_version("seven").tags[ORIGIN] == "projects:/dev/models/seven/1"
