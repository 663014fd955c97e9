"""Few projects are open at once, and none is closed under its user."""

from __future__ import annotations

import threading
import time

import pytest

from flyball.access.open_projects import OpenProjects
from flyball.errors import NotFound


class Thing:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_one_is_opened_once_for_all_who_use_it() -> None:
    opened = OpenProjects(Thing)
    with opened.use("a") as first, opened.use("a") as second:
        assert first is second
    assert not first.closed.is_set()
    found = opened.take_open("a")
    assert found is not None
    assert found.value is first
    assert opened.take_open("b") is None


def test_the_longest_unused_of_too_many_is_closed_and_one_in_use_is_not() -> None:
    opened = OpenProjects(Thing, most=2)
    with opened.use("a") as used:
        things = []
        for name in ("b", "c", "d"):
            with opened.use(name) as thing:
                things.append(thing)
        opened.close_idle()
        assert opened.names() == ["a", "d"]
        assert [thing.closed.is_set() for thing in (used, *things)] == [False, True, True, False]


def test_one_that_nobody_used_for_long_is_closed() -> None:
    opened = OpenProjects(Thing, idle=0.01)
    with opened.use("a") as thing:
        pass
    time.sleep(0.02)
    opened.close_idle()
    assert thing.closed.is_set()


def test_another_stamp_opens_anew_and_the_former_is_closed_by_its_last_user() -> None:
    opened = OpenProjects(Thing)
    held = opened.take("a", "1")
    assert opened.take_open("a", "2") is None
    with opened.use("a", "2") as second:
        assert second is not held.value
        assert not held.value.closed.is_set()
        held.release()
        assert held.value.closed.wait(5)
        assert not second.closed.is_set()


def test_what_cannot_be_opened_is_tried_again_by_the_next() -> None:
    tries = []

    def opener(name: str) -> Thing:
        tries.append(name)
        if len(tries) == 1:
            raise NotFound("not yet")
        return Thing(name)

    opened = OpenProjects(opener)
    with pytest.raises(NotFound), opened.use("a"):
        pass
    assert opened.names() == []
    with opened.use("a") as thing:
        assert thing.name == "a"


def test_many_threads_get_the_same_and_nothing_is_closed_under_them() -> None:
    made: list[Thing] = []

    def opener(name: str) -> Thing:
        time.sleep(0.002)
        made.append(Thing(name))
        return made[-1]

    opened = OpenProjects(opener, most=1)
    faults: list[str] = []

    def work(start: int) -> None:
        for turn in range(40):
            with opened.use("abc"[(start + turn) % 3]) as thing:
                if thing.closed.is_set():
                    faults.append(thing.name)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    opened.close()
    assert all(thing.closed.wait(5) for thing in made)
