"""A process that has loaded libraries and waits: each job is a fork of it, and begins where a fresh process ends importing.

Started by `_warm.py` as `python -P -m flyball.executors._zygote SOCKET`. It loads the named modules, sees to it that it has one
thread (a fork takes over no other, and the locks they held would stay shut for ever), says so, and then forks for each request
a keeper (`_keeper.py`), which forks the job. It runs no code of a project itself, so jobs see nothing of each other. When the
socket closes, its parent is dead and it ends; the keepers have their own pipes.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball.executors._keeper import Child, Keeper, die_with_parent

_LONGEST_MESSAGE = 1 << 20
_SIGNALS = (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT)


def main() -> int:
    """Serves forks until the socket closes or nobody has asked for long; 3 if it cannot be forked from."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us, who then closes the socket
    order = json.loads(sys.stdin.buffer.read())
    for name in order["modules"]:
        with contextlib.suppress(Exception):  # one that is gone is loaded by the job, which says what is wrong
            importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        control.send(json.dumps({"refused": f"{threads} threads after loading the libraries"}).encode())
        return 3
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for; their pipes tell when they end
    gc.collect()
    gc.freeze()  # what is loaded is never looked through again, so its memory stays shared with the forks
    control.send(b'{"ready": true}')
    while select.select([control], [], [], order["idle_seconds"])[0]:
        data, descriptors, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, 2)
        if not data:
            break
        pid = os.fork()
        if pid == 0:
            control.close()
            _keep(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    return 0


def _keep(request: dict[str, Any], heard: int, done: int) -> None:
    """Is the keeper of one job; `done` closes when it ends, however it ends."""
    try:
        os.setsid()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        start = _forking(request, (heard, done))
        Keeper(Path(request["folder"]), request["timeout"], request["grace"], heard, start).run()
    finally:
        os._exit(0)


class _Forked:
    """A job as a fork of its keeper."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _forking(request: dict[str, Any], descriptors: tuple[int, ...]) -> Callable[[Path], Child]:
    def start(folder: Path) -> Child:
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _be_job(request, folder, keeper, descriptors)
            finally:
                os._exit(code)
        return _Forked(pid)

    return start


def _be_job(request: dict[str, Any], folder: Path, keeper: int, descriptors: tuple[int, ...]) -> int:
    os.setsid()
    die_with_parent()
    if os.getppid() != keeper:  # it died before we could ask the kernel
        return 1
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for standard in (1, 2):
        os.dup2(log, standard)
    for descriptor in (log, *descriptors):
        os.close(descriptor)
    _settle_in(request["environment"], request["cwd"])
    return _run(request["module"], request["arguments"])


def _settle_in(environment: dict[str, str], cwd: str) -> None:
    """Gives this process its own environment, folder and chance."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    if cwd:
        os.chdir(cwd)
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
        _restore_threads(environment)


def _restore_threads(environment: dict[str, str]) -> None:
    # The libraries were loaded with one thread for linear algebra, for more could not be forked.
    wanted = environment.get("OPENBLAS_NUM_THREADS") or environment.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
    if wanted.isdecimal() and int(wanted) > 1:
        with contextlib.suppress(ImportError):
            importlib.import_module("threadpoolctl").threadpool_limits(limits=int(wanted), user_api="blas")


def _run(module: str, arguments: list[str]) -> int:
    """Runs a module as `python -m` does; gives its exit code."""
    sys.modules.pop(module, None)
    sys.argv = [module, *arguments]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if code == 1 and not isinstance(error.code, int):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001 - the outer rim of a process: it says what went wrong, as the interpreter does
        traceback.print_exc()
        code = 1
    _end()
    return code


def _end() -> None:
    """What the interpreter does at its end, apart from giving back memory that the kernel takes anyway."""
    shutdown: Callable[[], None] = getattr(threading, "_shutdown")  # noqa: B009  # private, but the interpreter's own way
    with contextlib.suppress(Exception):
        shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


if __name__ == "__main__":
    sys.exit(main())
