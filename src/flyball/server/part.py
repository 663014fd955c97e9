"""What every part of `flyball up` that is a process of its own begins with."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from types import FrameType

from flyball.settings import Settings, load_settings


def begin_part(prog: str, description: str | None) -> tuple[Settings, threading.Event]:
    """The settings in the environment, and what is set when the part is to stop: by a signal, or because its parent is gone."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    if arguments.with_parent:
        threading.Thread(target=_follow_parent, args=(stop,), name="parent", daemon=True).start()
    return settings, stop


def _follow_parent(stop: threading.Event) -> None:
    # The parent holds the other end; when it dies, however it dies, the end closes.
    while os.read(0, 1):
        pass
    stop.set()
