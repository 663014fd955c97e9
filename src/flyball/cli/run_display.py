"""What a person sees of a run: its steps as a live table on a terminal, a line at the end of each step elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from flyball.pipelines.result import StepEvent

_MARKS = {"waiting": "·", "running": "▸", "finished": "✓", "cached": "=", "failed": "✗", "skipped": "-"}
_COLOURS = {"running": "cyan", "finished": "green", "cached": "bright_black", "failed": "red", "skipped": "yellow"}
_LONGEST = 70


@dataclass(slots=True)
class _Shown:
    state: str = "waiting"
    after: tuple[str, ...] = ()
    seconds: float = 0.0
    since: float = 0.0
    note: str = ""


class Lines:
    """A line at the end of each step, on standard error."""

    def __call__(self, event: StepEvent) -> None:
        """Takes in what happened."""
        if event.state in ("waiting", "running"):
            return
        seconds = "from the cache" if event.state == "cached" else f"{event.seconds:.2f} s"
        why = f"  ({event.reason})" if event.reason else ""
        sys.stderr.write(f"  {_MARKS[event.state]} {event.name}  {seconds}{why}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class LiveSteps:
    """The steps as a table that changes in place: state, what they wait for, time, why they run, the last line they printed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._steps: dict[str, _Shown] = {}
        self._lock = threading.Lock()
        self._live = Live(
            console=Console(file=sys.__stderr__), refresh_per_second=8, get_renderable=self._table, transient=False
        )

    def __call__(self, event: StepEvent) -> None:
        """Takes in what happened."""
        with self._lock:
            shown = self._steps.setdefault(event.name, _Shown())
            if event.state == "running" and shown.state != "running":
                shown.since = time.monotonic()
            shown.state, shown.after = event.state, event.after or shown.after
            shown.seconds = event.seconds or shown.seconds
            shown.note = event.line or event.reason or shown.note

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1), show_header=False, pad_edge=False)
        with self._lock:
            for name, shown in self._steps.items():
                colour = _COLOURS.get(shown.state, "")
                seconds = time.monotonic() - shown.since if shown.state == "running" else shown.seconds
                told = "cached" if shown.state == "cached" else f"{seconds:.1f} s" if seconds else ""
                after = f"← {', '.join(shown.after)}" if shown.after else ""
                note = shown.note if len(shown.note) <= _LONGEST else f"{shown.note[: _LONGEST - 1]}…"
                table.add_row(
                    Text(_MARKS[shown.state], style=colour), Text(name, style=colour), Text(after, style="bright_black"),
                    Text(told, justify="right"), Text(note, style="bright_black"),
                )  # fmt: skip
        return table


def display() -> Lines | LiveSteps:
    """What suits where standard error goes."""
    return LiveSteps() if sys.stderr.isatty() else Lines()
