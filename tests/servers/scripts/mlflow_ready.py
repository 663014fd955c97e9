"""A client of MLflow that has its libraries loaded, and runs each script in a fork of itself: to load them takes longest.

Runs under the client's own interpreter. A line of JSON on its input names a script; when that has ended, a line with its exit
code follows on the output.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Serves until the input ends."""
    for name in ("mlflow.pyfunc", "mlflow.sklearn", "pandas", "sklearn.linear_model"):  # what nearly all scripts use
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


def _run(given: dict[str, Any]) -> None:
    """Runs a script as if Python had been started with it, and ends the process."""
    signal.alarm(int(given["timeout"]))
    os.chdir(given["folder"])
    os.environ.clear()
    os.environ.update(given["environment"])
    for number, name in enumerate(("/dev/null", given["out"], given["err"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
    sys.argv = list(given["command"])
    sys.path[:0] = [str(Path(sys.argv[0]).parent), *os.environ["PYTHONPATH"].split(os.pathsep)]
    code: object = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001  # told as Python tells it, for a script must not go on as the one that waits for it
        sys.excepthook(*sys.exc_info())
        code = 1
    try:
        atexit._run_exitfuncs()  # what a script says last
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else int(bool(code)))


main()
