"""What is told of a pipeline's runs: why their steps ran, with what had changed. As reads for any client."""

from __future__ import annotations

from flyball.clock import Clock
from flyball.pipelines.reasons import StepReason, log_of, steps_of, why_steps
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking
from flyball.verbs import read

_MOST_LOG = 200_000


class Reasons:
    """Says why steps ran or did not, and what they printed."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self.tracking = Tracking(database, blobs, events, clock)
        self.blobs = blobs

    @read
    def why(self, run: str, step: str = "") -> list[StepReason]:
        """Why each step of a run ran, in the order in which they began, with what has changed in the code.

        Args:
            step: This step alone.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the run has no such step.
        """
        return list(why_steps(self, run, step))

    @read
    def log(self, run: str, step: str, tail: int = 20_000) -> str:
        """The end of what a step of a run has printed, also while it runs; empty if nothing.

        Args:
            tail: How many characters, up to 200,000.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the run has no such step.
        """
        texts = [log_of(self, each.id) for each in steps_of(self, run, step)]
        return "\n".join(text for text in texts if text)[-max(1, min(tail, _MOST_LOG)) :]
