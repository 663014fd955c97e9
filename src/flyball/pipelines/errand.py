"""What an errand is: work that somebody asks a workspace to do, and that one of its workers then does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flyball.serialization import JsonValue

ErrandKind = Literal["run", "backfill", "profile", "clean"]
ErrandState = Literal["pending", "running", "paused", "finished", "failed", "cancelled"]
ENDED: tuple[ErrandState, ...] = ("finished", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One piece of work that was asked for.

    Attributes:
        id: Of a `run`, it is also the id of the pipeline's run.
        kind: `run` and `backfill` run a pipeline; `profile` and `clean` look through a snapshot.
        about: Name of the pipeline, or of the dataset.
        state: `paused` means that it was stopped and goes on from its last finished step when it is resumed.
        wish: What was last asked of it: to go on, to pause or to stop. Whoever does the work follows.
        code: Digest of the code snapshot that is run.
        source_root: Folder that the sources of datasets are relative to; empty for that of whoever does the work.
        params: Values of the pipeline's parameters.
        only: Steps that run alone, on what is kept.
        again_from: Steps that run again, and all behind them.
        use_cache: Whether what other runs' steps gave is taken.
        snapshot: Id of the snapshot that is looked through.
        start: Of a back-fill: where the first window begins. `end`: where the last one ends. `every`: the length of one.
        again: Whether windows that an earlier run has finished are run again.
        by: Who asked for it.
        attempt: How often it was begun; a worker that died does not end it.
        job: The executor's name for the present attempt.
        done: Of how many parts it has done, in words; empty where it has but one.
        result: What came of it, where that is not a run.
        error: Why it failed.
    """

    id: str
    kind: ErrandKind
    about: str
    state: ErrandState
    wish: Literal["go", "pause", "cancel"] = "go"
    code: str = ""
    source_root: str = ""
    params: dict[str, JsonValue] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    again_from: tuple[str, ...] = ()
    use_cache: bool = True
    snapshot: str = ""
    start: datetime | None = None
    end: datetime | None = None
    every: str = ""
    again: bool = False
    by: str = ""
    attempt: int = 0
    job: str = ""
    done: str = ""
    result: dict[str, JsonValue] = field(default_factory=dict)
    error: str = ""
    created: datetime
    ended: datetime | None = None
