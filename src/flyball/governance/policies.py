"""Policies in force: kept, planned, and asked before versions are registered or served and loops are applied."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from flyball.errors import InvalidInput, PermissionDenied
from flyball.governance import _store
from flyball.governance.policy_facts import PolicyFacts
from flyball.governance.rule import spec
from flyball.governance.rules.base import RULES, Applying, Broken, Deploying, PolicySpec, Registering, RuleKind
from flyball.principals import acting
from flyball.serialization import convert, to_plain
from flyball.verbs import change, read

if TYPE_CHECKING:
    from flyball.workspace import Workspace

_MOST = 1_000
Moment = Literal["registration", "deployment", "application"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFinding:
    """What a policy says against something.

    Attributes:
        policy: Its name.
        why: What was found.
        mend: What to do.
    """

    policy: str
    kind: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What applying policies would do to one of them."""

    name: str
    kind: str
    change: Literal["new", "changed", "unchanged", "removed"]


class Policies:
    """Keeps the policies of the project, and asks them."""

    def __init__(self, here: Workspace) -> None:
        self._here = here

    @read
    def list(self) -> builtins.list[PolicySpec]:
        """The policies in force, by name."""
        rows = self._here.database.rows(sa.select(_store.policies.c.policy).order_by(_store.policies.c.name))
        return [convert(row.policy, PolicySpec, strict=False) for row in rows]

    @read
    def plan(self, policies: builtins.list[PolicySpec]) -> builtins.list[PolicyChange]:
        """What applying these would change: which are new, changed or removed.

        Raises:
            InvalidInput: one of them cannot be used.
        """
        wanted, present = {each.name: each for each in _named(policies)}, {each.name: each for each in self.list()}
        changes = [
            PolicyChange(
                name=name, kind=each.kind,
                change="new" if name not in present else "unchanged" if present[name] == each else "changed",
            )
            for name, each in wanted.items()
        ]  # fmt: skip
        gone = [each for name, each in present.items() if name not in wanted]
        return [*changes, *(PolicyChange(name=each.name, kind=each.kind, change="removed") for each in gone)]

    @change(role="owner")
    def apply(self, policies: builtins.list[PolicySpec]) -> builtins.list[PolicyChange]:
        """Brings these into force, and ends all others of the project.

        Raises:
            InvalidInput: one of them cannot be used, or there are too many.
        """
        changes, table = self.plan(policies), _store.policies
        wanted = {each.name: each for each in _named(policies)}
        with self._here.database.transaction() as connection:
            for each in changes:
                if each.change == "removed":
                    connection.execute(sa.delete(table).where(table.c.name == each.name))
                    self._tell(connection, "removed", each.name, of=each.kind)
                elif each.change != "unchanged":
                    policy = to_plain(wanted[each.name])
                    row = {"policy": policy, "by": acting().name, "at": self._here.time.now()}
                    insert = self._here.database.insert(table).values(name=each.name, **row)
                    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
                    self._tell(connection, "applied", each.name, of=each.kind, params=policy["params"])
        return changes

    @read
    def check_version(self, ref: str, deployment: str = "") -> builtins.list[PolicyFinding]:
        """What the policies say against serving a version; nothing if all let it.

        Args:
            ref: Such as `models:/churn/3`.
            deployment: Where it would be served; a deployment of the model's name by default.

        Raises:
            NotFound: there is no such version.
        """
        version = self._here.registry.get_version(ref)
        return self._deploying(Deploying(deployment=deployment or version.model, version=version))

    @read
    def check_loop(
        self, loop: str, gates: builtins.list[str], policies: builtins.list[PolicySpec] | None = None
    ) -> builtins.list[PolicyFinding]:
        """What policies say against a loop as it is declared.

        Args:
            loop: Its name, which is its model's too.
            gates: Kinds of the gates that it declares.
            policies: Those to ask; the ones in force by default.
        """
        about = Applying(name=loop, gates=tuple(gates))
        asked = self.list() if policies is None else _named(policies)
        return self._ask(loop, lambda rule, params, facts: rule.applying(params, about, facts), asked)

    def guard(self, change: str, given: dict[str, Any]) -> None:
        """Asks the policies before a change; the database calls this.

        Raises:
            PermissionDenied: a policy speaks against it; the message says which, the hint the mend.
        """
        if change == "registry.registering":
            about = Registering(**given)
            model, found = about.model, self._ask(about.model, lambda rule, p, facts: rule.registering(p, about, facts))
            what = f"A version of '{model}' is not registered"
        elif change == "deployment.deploying":
            model, number = given["model"], given["version"]
            what = f"Version {number} of '{model}' is not served as '{given['deployment']}'"
            if not self._has_any():
                return
            version = self._here.registry.get_version(f"models:/{model}/{number}")
            found = self._deploying(Deploying(deployment=given["deployment"], version=version))
        elif change == "loops.applying":
            found, what = self.check_loop(**given), f"The loop '{given['loop']}' is not applied"
        else:
            return
        if found:
            raise refused(what, found)

    def _has_any(self) -> bool:
        return self._here.database.row(sa.select(_store.policies.c.name).limit(1)) is not None

    def _deploying(self, about: Deploying) -> builtins.list[PolicyFinding]:
        return self._ask(about.version.model, lambda rule, params, facts: rule.deploying(params, about, facts))

    def _ask(
        self,
        model: str,
        question: Callable[[RuleKind, dict[str, Any], PolicyFacts], Broken | None],
        policies: builtins.list[PolicySpec] | None = None,
    ) -> builtins.list[PolicyFinding]:
        asked = self.list() if policies is None else policies
        if not asked:
            return []
        facts, found = PolicyFacts(self._here), []
        risk = facts.risk_of(model)
        for policy in asked:
            if policy.holds_for(model, risk):
                broken = question(RULES.get(policy.kind), policy.params, facts)
                if broken is not None:
                    found.append(PolicyFinding(policy=policy.name, kind=policy.kind, why=broken.why, mend=broken.mend))
        return found

    def _tell(self, connection: sa.Connection, what: str, name: str, **facts: Any) -> None:
        self._here.events.append(connection, f"policies.{what}", f"policies:/{name}", **facts)


def refused(what: str, found: builtins.list[PolicyFinding]) -> PermissionDenied:
    """The error that names every policy that speaks against something."""
    said = " ".join(f"Policy '{each.policy}': {each.why}" for each in found)
    mends = " ".join(f"{each.mend}{'' if each.mend.endswith('.') else '.'}" for each in found)
    return PermissionDenied(f"{what}. {said}", hint=mends, policies=[each.policy for each in found])


def _named(policies: builtins.list[PolicySpec]) -> builtins.list[PolicySpec]:
    """The policies, checked, each with a name of its own."""
    if len(policies) > _MOST:
        raise InvalidInput(f"{len(policies):,} policies are too many.", hint=f"Give up to {_MOST:,}.")
    found: dict[str, PolicySpec] = {}
    for each in policies:
        checked = spec(each.kind, each.name, each.risk, each.models, **each.params)
        name, number = checked.name or checked.kind.replace("_", "-"), 1
        while not checked.name and name in found:
            number += 1
            name = f"{checked.kind.replace('_', '-')}-{number}"
        if name in found:
            raise InvalidInput(f"Two policies are called '{name}'.", hint="Give each a name of its own.")
        found[name] = replace(checked, name=name)
    return list(found.values())
