"""A worker writes to the run that its token is bound to, and to that run's own parts; not to those of others."""

from __future__ import annotations

from flyball.errors import NotFound, PermissionDenied
from flyball.principals import acting
from flyball.workspace import Workspace

_DEEPEST = 20
_ABOUT_RUNS = frozenset({"tracking", "trash", "run_inputs"})


def check_bound(workspace: Workspace, room: str, arguments: dict[str, object]) -> None:
    """Refuses a worker what does not belong to its run.

    Args:
        room: Whose verb is asked.
        arguments: What it is given.

    Raises:
        PermissionDenied: it belongs to another run.
    """
    principal = acting()
    if not principal.run or room not in _ABOUT_RUNS:
        return
    if room == "trash":
        raise PermissionDenied("A worker does not clear up.")
    for name in ("run", "parent", "id"):
        run = arguments.get(name)
        if isinstance(run, str) and run:
            check_run(workspace, run, may_be_new=name == "id")


def check_run(workspace: Workspace, run: str, *, may_be_new: bool = False) -> None:
    """The same for one run.

    Args:
        may_be_new: Whether one that is not there yet will do: it is about to be made.
    """
    principal, found = acting(), run
    for _ in range(_DEEPEST):
        if not principal.run or found == principal.run:
            return
        try:
            above = workspace.tracking.get_run(found).parent
        except NotFound:
            if may_be_new and found == run:
                return
            break
        if not above:
            break
        found = above
    raise PermissionDenied(
        f"A worker of run {principal.run} may not write to run {run[:60]}.", hint="A token of yours may."
    )
