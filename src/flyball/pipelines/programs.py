"""Programs that steps run: started without a shell, read as they print, and ended with all that they have started."""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from flyball.errors import WorkFailed

_LAST_LINES = 15
_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 5.0


def folder_until_exit() -> Path:
    """A folder that is there while this process is: a path to an output is all that a caller gets."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_program(words: Sequence[str], name: str, code: Path, *, is_result: bool = False) -> str:
    """Runs a program until it ends; what it prints goes to the step's log as it comes.

    Args:
        name: Name of the step, for errors.
        code: Folder of the project's code, from where Python finds its modules.
        is_result: Whether what it prints on its standard output is wanted.

    Returns:
        What it printed on its standard output, where that is wanted.

    Raises:
        WorkFailed: it cannot be started, or did not end with 0; the message holds what it last said.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH", "")]))
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_result else subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkFailed(
            f"Step '{name}' cannot run '{words[0]}': {error.strerror or error}.",
            hint=f"Is {words[0]} installed on the machine that runs the pipeline, and on its PATH?",
        ) from error
    last: deque[str] = deque(maxlen=_LAST_LINES)
    result: list[bytes] = []
    try:
        _follow(process, last, result if is_result else None)
        process.wait()
    finally:
        _end(process)
    if process.returncode:
        how = f"exit code {process.returncode}" if process.returncode > 0 else signal.Signals(-process.returncode).name
        said = "".join(last).rstrip()
        raise WorkFailed(f"The command ended with {how}.{f' It last said: {said}' if said else ''}")
    return b"".join(result).decode(errors="replace").rstrip("\n")


def _follow(process: subprocess.Popen[bytes], last: deque[str], result: list[bytes] | None) -> None:
    """Reads what a program prints as it comes. Never waits long: a step may be told to leave its work at any time."""
    with selectors.DefaultSelector() as selector:
        for stream in filter(None, (process.stdout, process.stderr)):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_LOOK_SECONDS):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                if result is not None and key.fileobj is process.stdout:
                    result.append(data)
                text = data.decode(errors="replace")
                last.extend(text.splitlines(keepends=True))
                sys.stdout.write(text)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that still runs, with all that it has started."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, wanted)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
    for stream in filter(None, (process.stdout, process.stderr)):
        stream.close()
