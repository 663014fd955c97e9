"""The process of trials of AutoML: learns candidates, judges them, and says on its output what came of it.

Started as `python -m flyball.trial_worker TASK` for one, or with `--serve` for one after the other, whose digests come line by
line; it ends when the line is cut.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
from collections.abc import Iterator

from flyball.client import open_workspace
from flyball.model_search.trial import MARK, TrialTask, run_trial
from flyball.model_search.trials import READY
from flyball.serialization import from_json, to_json
from flyball.settings import load_settings


def main() -> int:
    """Does the trial whose digest is named on the command line, or those that are asked for; 0 if they came to an end."""
    # What libraries print must not come between the lines that are read.
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with open_workspace(load_settings()) as workspace:
        if sys.argv[1] == "--serve":
            _load()
            said.write(READY + "\n")
            said.flush()
        for digest in _asked() if sys.argv[1] == "--serve" else sys.argv[1:2]:
            task = from_json(workspace.blobs.get(digest), TrialTask)
            said.write(MARK + to_json(run_trial(task, workspace.blobs)).decode() + "\n")
            said.flush()
    return 0


def _load() -> None:
    """Loads what every trial needs, before its time counts."""
    for module in (
        "pandas",
        "pyarrow",
        "sklearn.compose",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.pipeline",
    ):
        importlib.import_module(module)


def _asked() -> Iterator[str]:
    """The digests as they come. A thread of its own notices when whoever asks is gone, also in the midst of a trial."""
    lines: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line.strip())
        os._exit(0)

    threading.Thread(target=listen, name="asked", daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    sys.exit(main())
