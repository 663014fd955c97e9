"""Where data may come from: datasets carry the tag `residency` in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.governance.rules.base import Broken, Deploying, Registering, Rule, RuleKind, known, some

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts


class Residency(Rule):
    """Lets only versions pass that learned from datasets whose tag is among `allowed`."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `allowed`, values of the tag; `tag`, its name; `untagged`, whether data without it may pass."""
        found = known(params, "residency", allowed=[], tag="residency", untagged=False)
        some(found, "residency", "allowed")
        return found

    def registering(self, params: Mapping[str, Any], about: Registering, facts: PolicyFacts) -> Broken | None:
        """It learned from data that is not allowed."""
        return self._wrong(params, about.snapshots, facts)

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """It learned from data that is no longer allowed."""
        return self._wrong(params, about.version.snapshots, facts)

    def _wrong(self, params: Mapping[str, Any], snapshots: tuple[str, ...], facts: PolicyFacts) -> Broken | None:
        for dataset in facts.datasets_of(snapshots):
            value = facts.tags_of(dataset).get(params["tag"], "")
            if value in params["allowed"] or (not value and params["untagged"]):
                continue
            allowed = ", ".join(params["allowed"])
            said = f"is tagged {params['tag']}={value}" if value else f"has no tag {params['tag']}"
            return Broken(
                why=f"The dataset '{dataset}' that it learned from {said}; allowed is {allowed}.",
                mend=f"flyball catalog tag datasets:/{dataset} {params['tag']}={params['allowed'][0]}, if it is so",
            )
        return None


plugin: RuleKind = Residency()
