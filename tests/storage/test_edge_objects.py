from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import NotFound
from flyball.storage.edge_objects import EdgeObjects
from flyball.storage.local_objects import LocalObjects


class ThinLine:
    """A store that can be out of reach."""

    def __init__(self, store: LocalObjects) -> None:
        self.store = store
        self.is_up = True

    def __getattr__(self, name: str) -> Any:
        if not self.is_up:
            raise OSError("the line is down")
        return getattr(self.store, name)


@pytest.fixture
def far(tmp_path: Path) -> ThinLine:
    return ThinLine(LocalObjects(tmp_path / "far", durable=False))


@pytest.fixture
def edge(far: ThinLine, tmp_path: Path) -> Iterator[EdgeObjects]:
    made = EdgeObjects(far, tmp_path / "near", limit=1000, pause=0.02)
    yield made
    far.is_up = True
    made.close()


def wait(what: Any) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_read_is_there_when_the_line_is_down(edge: EdgeObjects, far: ThinLine) -> None:
    far.store.put("deployments/shop/manifest.json", b"1")
    assert edge.get("deployments/shop/manifest.json") == b"1"
    far.is_up = False
    assert edge.get("deployments/shop/manifest.json") == b"1"
    assert edge.stat("deployments/shop/manifest.json") is not None
    assert [item.key for item in edge.list("deployments/")] == ["deployments/shop/manifest.json"]


def test_what_is_new_is_read_as_long_as_the_line_is_up(edge: EdgeObjects, far: ThinLine) -> None:
    for data in (b"1", b"2"):
        far.store.put("a", data)
        assert edge.get("a") == data


def test_what_was_never_read_is_not_there_when_the_line_is_down(edge: EdgeObjects, far: ThinLine) -> None:
    far.is_up = False
    with pytest.raises(NotFound):
        edge.get("a")
    assert edge.stat("a") is None


def test_what_is_written_waits_and_goes_when_the_line_is_back(edge: EdgeObjects, far: ThinLine) -> None:
    far.is_up = False
    for number in range(3):
        edge.put(f"predictions/{number}", b"x")
    assert edge.waiting == 3
    far.is_up = True
    wait(lambda: len(list(far.store.list("predictions/"))) == 3)
    wait(lambda: edge.waiting == 0)


def test_what_waits_outlives_the_process(edge: EdgeObjects, far: ThinLine, tmp_path: Path) -> None:
    far.is_up = False
    edge.put("predictions/1", b"x")
    again = EdgeObjects(far, tmp_path / "near", pause=0.02)
    assert again.waiting == 1
    far.is_up = True
    wait(lambda: far.store.stat("predictions/1") is not None)
    again.close()


def test_what_waits_is_bounded_and_the_oldest_goes_first(edge: EdgeObjects, far: ThinLine) -> None:
    far.is_up = False
    for number in range(5):
        edge.put(f"predictions/{number}", b"x" * 400)
        time.sleep(0.01)
    assert (edge.waiting, edge.dropped) == (2, 3)
    far.is_up = True
    wait(lambda: edge.waiting == 0)
    assert [item.key for item in far.store.list("predictions/")] == ["predictions/3", "predictions/4"]


def test_of_an_object_that_is_written_again_the_last_one_goes(edge: EdgeObjects, far: ThinLine) -> None:
    far.is_up = False
    edge.put("report", b"1")
    edge.put("report", b"2")
    far.is_up = True
    wait(lambda: edge.waiting == 0)
    assert far.store.get("report") == b"2"
