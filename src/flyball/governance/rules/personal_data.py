"""Which personal data models may learn from: kinds that people have said of columns, along the lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.governance.rules.base import Broken, Deploying, Registering, Rule, RuleKind, known

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class PersonalData(Rule):
    """Lets only the kinds named in `allowed` pass; with `inputs_only`, only columns that are inputs of the model count."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `allowed`, kinds such as `mail`; `inputs_only`."""
        return known(params, "personal_data", allowed=[], inputs_only=False)

    def registering(self, params: Mapping[str, Any], about: Registering, facts: PolicyFacts) -> Broken | None:
        """It learned from other personal data."""
        inputs = about.package.signature.inputs.names
        return self._wrong(params, about.snapshots, inputs, facts)

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """It learned from what was said to be personal since."""
        return self._wrong(params, about.version.snapshots, about.version.package.signature.inputs.names, facts)

    def _wrong(
        self, params: Mapping[str, Any], snapshots: tuple[str, ...], inputs: tuple[str, ...], facts: PolicyFacts
    ) -> Broken | None:
        for each in facts.personal_columns(snapshots):
            if each.kind in params["allowed"] or (params["inputs_only"] and each.column not in inputs):
                continue
            return Broken(
                why=f"The column '{each.column}' of '{each.dataset}', which it learned from, holds personal data ({each.kind}).",
                mend="Leave the column out of the training set, or let the policy allow it.",
            )
        return None


plugin: RuleKind = PersonalData()
