"""How many people have to approve a version before it is served; never who asked for it or made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.governance.rules.base import Broken, Deploying, Rule, RuleKind, known
from flyball.principals import ROLES

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class Approvals(Rule):
    """Asks for `count` approvals, by people of a `role` or among those named in `by`."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `count`, `role`, `by`."""
        found = known(params, "approvals", count=1, role="", by=[])
        if not 1 <= found["count"] <= 20:
            raise InvalidInput(f"A policy asks for {found['count']} approvals.", hint="Give 1 to 20.")
        if found["role"] and found["role"] not in ROLES:
            raise InvalidInput(f"There is no role '{found['role']}'.", hint=f"Use one of {', '.join(ROLES[1:])}.")
        return found

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """Too few have said yes."""
        count, by, role = params["count"], params["by"], params["role"]
        yes = set()
        for approval in facts.approvals(about.ref):
            if approval.state in ("approved", "requested"):
                said = {word.by for word in approval.words if word.word == "approve"}
                yes |= said - {approval.requested_by}
        yes -= {about.version.user, facts.registered_by(about.ref)}
        yes = {name for name in yes if (not by or name in by) and (not role or facts.has_role(name, role))}
        if len(yes) >= count:
            return None
        whose = f" by {' or '.join(by)}" if by else f" by a {role}" if role else ""
        return Broken(
            why=f"{len(yes)} of {count} approvals{whose} are there; those of who asked for it or registered it do not count.",
            mend=f"flyball models request {about.version.model}/{about.version.version} --needed {count}; then others approve it.",
        )


plugin: RuleKind = Approvals()
