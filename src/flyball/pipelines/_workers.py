"""Threads that take work as it becomes ready, and can be told to leave it."""

from __future__ import annotations

import ctypes
import itertools
import queue
import sys
import threading
from collections.abc import Callable


class Stopped(BaseException):
    """Raised in a thread whose work is no longer wanted. No `Exception`, so that user code does not swallow it."""


_LAST = sys.maxsize


class Workers:
    """A few daemon threads: one that hangs in a library's code must not keep the process alive.

    Args:
        count: How many work at once.
    """

    def __init__(self, count: int) -> None:
        self._tasks: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._count = itertools.count()
        self._wanted = count
        self._lock = threading.Lock()
        self._threads: set[int] = set()

    def submit(self, task: Callable[[], None], priority: int = 0) -> None:
        """Takes a task; it starts when a thread is free, and before those of lower priority."""
        self._tasks.put((-priority, next(self._count), task))
        with self._lock:
            if len(self._threads) < self._wanted:
                self._start()

    def give_up(self, claim: Callable[[], int]) -> None:
        """Makes a thread leave what it does, and puts another one in its place.

        Args:
            claim: Gives the thread, 0 for none. It is asked under the lock that a thread needs to go on to its next task,
                so the exception never meets a task other than the one that is given up.
        """
        with self._lock:
            thread = claim()
            if thread not in self._threads:
                return
            self._threads.discard(thread)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))
            if self._wanted:
                self._start()

    def close(self) -> None:
        """Lets the threads end when their work is done."""
        with self._lock:
            self._wanted = 0
            for _ in self._threads:
                self._tasks.put((_LAST, next(self._count), None))

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="flyball-step", daemon=True)
        thread.start()
        assert thread.ident is not None
        self._threads.add(thread.ident)

    def _work(self) -> None:
        try:
            while (task := self._tasks.get()[2]) is not None:
                task()
                with self._lock:
                    if threading.get_ident() not in self._threads:
                        return
        except Stopped:
            return
