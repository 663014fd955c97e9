"""Whose signature a model needs whose reading runs code, such as a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.governance.rules.base import Broken, Deploying, Rule, RuleKind, known, some
from flyball.models.package import runs_code
from flyball.registry.keys import key_id

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class Signed(Rule):
    """Lets a version whose reading runs code be served only if one of the trusted `keys` has signed it; with `all`, any version."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `keys`, public keys as PEM; `all`, whether models that are data alone need a signature too."""
        found = known(params, "signed", keys=[], all=False)
        some(found, "signed", "keys")
        for key in found["keys"]:
            if not isinstance(key, str) or "PUBLIC KEY" not in key:
                raise InvalidInput(
                    "A policy 'signed' names public keys as PEM.", hint="Give what stands in the .pub file."
                )
            key_id(key)
        return found

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """Nobody who is trusted has signed it, or it is not what was signed."""
        if not params["all"] and not runs_code(about.version.package):
            return None
        why = facts.why_not_vouched_for(about.version, params["keys"])
        if not why:
            return None
        ref = f"{about.version.model}/{about.version.version}"
        return Broken(
            why=why, mend=f"flyball models sign {ref} with a trusted key, or keep it as ONNX or in a native format."
        )


plugin: RuleKind = Signed()
