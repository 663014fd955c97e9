"""In which flavors models may be kept; whether reading one may run code that came with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.governance.rules.base import Broken, Deploying, Registering, Rule, RuleKind, known
from flyball.models.flavors.base import FLAVORS
from flyball.models.package import runs_code

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts
    from flyball.models.package import ModelPackage


class Formats(Rule):
    """Lets only the flavors named in `allowed` pass; with `no_code`, none that runs code as it is read."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `allowed`, names of flavors; `no_code`."""
        found = known(params, "formats", allowed=[], no_code=False)
        for name in found["allowed"]:
            if name not in FLAVORS.names():
                raise InvalidInput(f"There is no flavor '{name}'.", hint=did_you_mean(name, FLAVORS.names()))
        if not found["allowed"] and not found["no_code"]:
            raise InvalidInput(
                "A policy 'formats' without 'allowed' and 'no_code' rules nothing.", hint="Give one of them."
            )
        return found

    def registering(self, params: Mapping[str, Any], about: Registering, facts: PolicyFacts) -> Broken | None:
        """It is kept in another flavor."""
        return self._wrong(params, about.package)

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """It was registered before the policy was in force."""
        return self._wrong(params, about.version.package)

    def _wrong(self, params: Mapping[str, Any], package: ModelPackage) -> Broken | None:
        if params["allowed"] and package.flavor not in params["allowed"]:
            allowed = ", ".join(params["allowed"])
            return Broken(why=f"It is kept in the flavor '{package.flavor}'.", mend=f"Keep it in one of {allowed}.")
        if params["no_code"] and runs_code(package):
            return Broken(why="Reading it runs code that came with it.", mend="Keep it as ONNX or in a native format.")
        return None


plugin: RuleKind = Formats()
