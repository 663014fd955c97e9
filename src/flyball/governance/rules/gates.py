"""Which gates a version must have passed before it is served, and every loop must declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.governance.rules.base import Applying, Broken, Deploying, Rule, RuleKind, known, some
from flyball.registry.gates.base import GATES

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class Gates(Rule):
    """Asks for the gates named in `required`."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `required`, names of gates."""
        found = known(params, "gates", required=[])
        some(found, "gates", "required")
        for name in found["required"]:
            if name not in GATES.names():
                raise InvalidInput(f"There is no gate '{name}'.", hint=did_you_mean(name, GATES.names()))
        return found

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """A gate was not asked, or held the version back."""
        verdict = about.version.verdict
        passed = {d.gate.partition("(")[0] for d in verdict.decisions if d.passed} if verdict else set()
        missing = [name for name in params["required"] if name not in passed]
        if not missing:
            return None
        return Broken(
            why=f"It has not passed the gate{'s' if len(missing) > 1 else ''} {', '.join(missing)}.",
            mend="Declare them among the gates of its loop, which asks them of each new version.",
        )

    def applying(self, params: Mapping[str, Any], about: Applying, facts: PolicyFacts) -> Broken | None:
        """The loop does not declare a gate."""
        missing = [name for name in params["required"] if name not in about.gates]
        if not missing:
            return None
        return Broken(
            why=f"The loop declares no gate {' and no gate '.join(missing)}.",
            mend=f"Add fb.gate.{missing[0]}(...) to its gates.",
        )


plugin: RuleKind = Gates()
