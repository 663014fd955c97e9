"""How long things are kept; `flyball retention run` removes what is older."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.clock import parse_duration
from flyball.errors import InvalidInput
from flyball.governance.rules.base import Rule, RuleKind, known

KEPT = ("predictions", "runs_in_trash", "snapshots")


class Retention(Rule):
    """Keeps what is named in `of` for as long as `keep` says: predictions, runs_in_trash, snapshots."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params: `of`, `keep` as a duration, `names`, patterns of deployments or datasets."""
        found = known(params, "retention", of="", keep="", names=["*"])
        if found["of"] not in KEPT:
            raise InvalidInput(
                f"A policy 'retention' keeps {found['of']!r}.", hint=f"Give `of` as one of {', '.join(KEPT)}."
            )
        parse_duration(found["keep"])
        return found


plugin: RuleKind = Retention()
