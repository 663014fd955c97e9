"""Who may bring a version to which deployments."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.governance.rules.base import Broken, Deploying, Rule, RuleKind, known
from flyball.principals import ROLES, acting

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class Deployers(Rule):
    """Lets only those named in `who`, or of a `role`, deploy where the name fits `deployments`; loops may with `loops`."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `deployments`, patterns of names; `who`; `role`; `loops`."""
        found = known(params, "deployers", deployments=["*"], who=[], role="", loops=True)
        if found["role"] and found["role"] not in ROLES:
            raise InvalidInput(f"There is no role '{found['role']}'.", hint=f"Use one of {', '.join(ROLES[1:])}.")
        if not found["who"] and not found["role"]:
            raise InvalidInput("A policy 'deployers' without 'who' and 'role' rules nothing.", hint="Give one of them.")
        return found

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """Somebody else wants to."""
        if not any(fnmatchcase(about.deployment, pattern) for pattern in params["deployments"]):
            return None
        who = acting()
        if who.kind in ("system", "worker") and params["loops"]:
            return None
        if who.name in params["who"] or (params["role"] and who.kind != "system" and who.may(params["role"])):
            return None
        allowed = " or ".join([*params["who"], *([f"a {params['role']}"] if params["role"] else [])])
        return Broken(
            why=f"{who.name} may not deploy to '{about.deployment}'; that may {allowed}.",
            mend="Ask one of them, or let the loop do it.",
        )


plugin: RuleKind = Deployers()
