"""Processes with libraries loaded, from which jobs are forked: a start costs milliseconds where importing costs seconds.

A job names what it will load (`Job.preload`) and is started as a fork of a process that has loaded it; where that is not to be
had (not Linux, a library that starts threads when it is loaded, a process that was killed), it is started as ever. Jobs
share nothing but what the libraries were right after they were loaded: environment, folder, random seeds and output are
each job's own, and a project's code is loaded in the fork alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flyball.executors.base import Job

logger = logging.getLogger(__name__)

_READY_SECONDS = 60.0
_MOST = 2
# For as long as libraries are loaded: threads that they would start at once, and that no fork takes over.
_WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
# What libraries read of the environment while they are loaded: other values need another process.
_READ_AT_LOADING = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "VECLIB_", "NUMEXPR_", "BLIS_", "MALLOC_")


@dataclass(slots=True)
class ForkedKeeper:
    """The keeper of a job, asked for at a process that forks it.

    Attributes:
        done: Closes on the other side when it ends, however it ends; also when it never came to be.
    """

    done: int

    def wait(self) -> None:
        """Waits until it has ended."""
        while os.read(self.done, 64):
            pass
        os.close(self.done)


class WarmStarts:
    """Forks jobs from processes that have loaded their libraries.

    Args:
        idle_seconds: After so long without a job such a process ends and gives its memory back.
    """

    def __init__(self, *, idle_seconds: float = 1800.0) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._kept: list[_Zygote] = []
        self._refused: set[tuple[object, ...]] = set()

    def prepare(self, job: Job) -> None:
        """Begins to load what such a job names; never waits."""
        if can_fork(job):
            with contextlib.suppress(OSError):
                self._find(job)

    def start(self, job: Job, *, folder: Path, grace: float, heard: int) -> ForkedKeeper | None:
        """The keeper of the job, forked; None if it must be started as a fresh process.

        Args:
            folder: Where the job's state and output are kept.
            grace: Seconds that it has to stop by itself.
            heard: Descriptor whose closing tells the keeper that this process is dead.
        """
        if not can_fork(job):
            return None
        zygote = self._find(job)
        if zygote is None:
            return None
        request = {
            "folder": str(folder), "timeout": job.timeout_seconds or 0.0, "grace": grace, "cwd": job.cwd,
            "environment": {**os.environ, **job.environment}, "module": job.command[2], "arguments": job.command[3:],
        }  # fmt: skip
        made = zygote.fork(json.dumps(request).encode(), heard)
        if made is None:
            with self._lock:
                if zygote.refusal:  # it would be the same at the next try, and cost as much
                    self._refused.add((zygote.key, zygote.modules))
                self._kept = [kept for kept in self._kept if kept is not zygote]
            zygote.close()
        return made

    def close(self) -> None:
        """Ends the waiting processes; jobs that run go on."""
        with self._lock:
            kept, self._kept = self._kept, []
        for zygote in kept:
            zygote.close()

    def _find(self, job: Job) -> _Zygote | None:
        environment = {**os.environ, **job.environment}
        key = _loading_key(environment)
        wanted = frozenset(job.preload)
        with self._lock:
            if (key, wanted) in self._refused:
                return None
            for zygote in self._kept:
                if zygote.key == key and wanted <= zygote.modules:
                    self._kept.remove(zygote)
                    self._kept.append(zygote)
                    return zygote
            stale = [kept for kept in self._kept if kept.key == key and kept.modules <= wanted]
            made = _Zygote(job.preload, environment, key, self._idle_seconds)
            self._kept = [kept for kept in self._kept if kept not in stale] + [made]
            over, self._kept = self._kept[:-_MOST], self._kept[-_MOST:]
        for zygote in (*stale, *over):
            zygote.close()
        return made


def can_fork(job: Job) -> bool:
    """Whether the job can be started as a fork: a module of this Python, on Linux, that says what it loads."""
    is_module = len(job.command) >= 3 and job.command[0] == sys.executable and job.command[1] == "-m"
    return bool(job.preload) and is_module and sys.platform == "linux"


def _loading_key(environment: Mapping[str, str]) -> tuple[object, ...]:
    read = tuple(sorted((name, value) for name, value in environment.items() if name.startswith(_READ_AT_LOADING)))
    # A library that is installed or removed changes the folder it stands in.
    homes = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    return (*read, *((str(home), home.stat().st_mtime_ns) for home in sorted(homes) if home.is_dir()))


class _Zygote:
    """One process that has loaded libraries, seen from its parent."""

    def __init__(
        self, modules: tuple[str, ...], environment: Mapping[str, str], key: tuple[object, ...], idle: float
    ) -> None:
        self.modules = frozenset(modules)
        self.key = key
        self.refusal = ""
        self._lock = threading.Lock()
        self._ready = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # By a file, which takes a list of any length: some libraries are thousands of modules.
        with theirs, tempfile.TemporaryFile() as order:
            order.write(json.dumps({"modules": list(modules), "idle_seconds": idle}).encode())
            order.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flyball.executors._zygote", str(theirs.fileno())],
                env={**_WITHOUT_THREADS, **environment},
                cwd="/",
                stdin=order,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def fork(self, request: bytes, heard: int) -> ForkedKeeper | None:
        """The keeper forked for a request, once the libraries are loaded; None if that cannot be."""
        with self._lock:
            try:
                return self._fork(request, heard)
            except (OSError, ValueError) as error:
                logger.info("a job is started as a fresh process: %s", error)
                return None

    def close(self) -> None:
        """Ends it, unless it has ended by itself."""
        self._control.close()
        if self._process.poll() is None and not self._ready:
            self._process.kill()  # while it loads libraries it does not look at its socket
        threading.Thread(target=self._process.wait, name="reap", daemon=True).start()

    def _fork(self, request: bytes, heard: int) -> ForkedKeeper:
        if not self._ready:
            self._await()
            self._ready = True
        done, theirs = os.pipe()
        try:
            socket.send_fds(self._control, [request], [heard, theirs])
        except OSError:
            os.close(done)
            raise
        finally:
            os.close(theirs)
        return ForkedKeeper(done=done)

    def _await(self) -> None:
        if not select.select([self._control], [], [], _READY_SECONDS)[0]:
            raise TimeoutError("the libraries were not loaded in time")
        answer = json.loads(self._control.recv(4096) or b"{}")
        if "ready" not in answer:
            self.refusal = str(answer.get("refused", ""))
            raise ValueError(self.refusal or "the process ended")
