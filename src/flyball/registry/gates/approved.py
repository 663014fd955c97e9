"""Approved: people have said yes to the candidate.

The candidate's latest request for approval must have been approved. `count` people must have said so, of those named in
`by` if any are, and with `four_eyes` none of them may be the one who asked. Until then the version is held back; when the
approval comes, it is judged anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from flyball.errors import InvalidInput
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass


class Approved:
    """Lets a version pass that was approved."""

    def decide(self, case: Case, *, count: int = 1, by: Sequence[str] = (), four_eyes: bool = False) -> Decision:
        """Counts who has approved the candidate."""
        if count < 1:
            raise InvalidInput(f"count is {count}.", hint="Ask for one approval or more.")
        if isinstance(by, str):
            raise InvalidInput(f"by is the text '{by[:60]}'.", hint="Give a list of names.")
        if case.approvals is None:
            raise InvalidInput("It is not known here who has approved the version.")
        if not case.approvals:
            return Hold(reason="nobody has asked for its approval yet")
        latest = case.approvals[0]
        facts = {"state": latest.state, "approved_by": list(latest.approved_by), "requested_by": latest.requested_by}
        if latest.state == "rejected":
            said = latest.words[-1]
            return Hold(reason=f"{said.by} rejected it: {said.reason}", facts=facts)
        if latest.state == "withdrawn":
            return Hold(reason=f"{latest.requested_by} withdrew the request for its approval", facts=facts)
        counted = [
            name for name in latest.approved_by
            if (not by or name in by) and not (four_eyes and name == latest.requested_by)
        ]  # fmt: skip
        if latest.state == "approved" and len(counted) >= count:
            return Pass(detail=f"approved by {', '.join(counted)}", facts=facts)
        of_whom = f" of {', '.join(by)}" if by else " other than the one who asked" if four_eyes else ""
        missing = max(1, count - len(counted))
        return Hold(reason=f"{missing} more{of_whom} must approve it, {len(counted)} did", facts=facts)


plugin: Gate = Approved()
