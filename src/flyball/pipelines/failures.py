"""Errors of user code as errors of a run: named by the step, with the user's part of the traceback."""

from __future__ import annotations

import traceback
from pathlib import Path

import flyball
from flyball.errors import Cancelled, FlyballError, WorkFailed

_OURS = str(Path(flyball.__file__).parent)


def user_traceback(error: BaseException) -> str:
    """The traceback without the frames of this package: what the user wrote, and what that called."""
    shown = traceback.TracebackException.from_exception(error)
    pending: list[traceback.TracebackException | None] = [shown]
    while pending:
        one = pending.pop()
        if one is not None:
            kept = [frame for frame in one.stack if not frame.filename.startswith((_OURS, "<frozen"))]
            one.stack = traceback.StackSummary.from_list(kept)
            pending += [one.__cause__, one.__context__]
    return "".join(shown.format())


def step_failure(step: str, error: BaseException) -> WorkFailed:
    """The failure of a step."""
    if isinstance(error, FlyballError):
        said, hint, cause = error.message, error.hint, error.code
    else:
        said, hint, cause = f"{type(error).__name__}: {error}", "", type(error).__name__
    kind = Cancelled if isinstance(error, Cancelled) else WorkFailed
    # What failed in another process has brought its traceback along.
    shown = (isinstance(error, FlyballError) and error.facts.get("traceback")) or user_traceback(error)
    failed = kind(f"Step '{step}' failed: {said}", hint=hint, step=step, cause=cause, traceback=shown)
    failed.__cause__ = error
    return failed


def pipeline_failure(pipeline: str, run: str, error: BaseException) -> BaseException:
    """The failure of a run; what is no `Exception`, such as Ctrl-C, stays as it is."""
    if isinstance(error, FlyballError) or not isinstance(error, Exception):
        if isinstance(error, WorkFailed):
            error.facts["run"] = run
        return error
    failed = WorkFailed(
        f"Pipeline '{pipeline}' failed: {type(error).__name__}: {error}", run=run, traceback=user_traceback(error)
    )
    failed.__cause__ = error
    return failed


def described(error: BaseException) -> str:
    """An error as it is kept with a run: what happened, what mends it, where."""
    if not isinstance(error, FlyballError):
        return f"{type(error).__name__}: {error}".rstrip(": ")
    return "\n\n".join(filter(None, (str(error), str(error.facts.get("traceback", "")).rstrip())))
