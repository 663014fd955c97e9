"""The seam of the policies: what is about to happen in, a reason against it out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from flyball.errors import InvalidInput
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    from flyball.governance.policy_facts import PolicyFacts
    from flyball.models.package import ModelPackage
    from flyball.registry.versions import ModelVersion

RISKS = ("minimal", "limited", "high", "unacceptable")
"""Classes of risk that a model may be tagged with, as `risk`; those of the EU's AI Act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """A declared policy.

    Attributes:
        kind: Name of the plug-in.
        risk: It holds for models of these classes of risk (the tag `risk` of the model); for all if empty.
        models: It holds for models whose names fit one of these patterns, such as `credit-*`; for all if empty.
    """

    name: str
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    risk: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def holds_for(self, model: str, risk: str) -> bool:
        """Whether a model of that name and risk falls under it."""
        named = not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)
        return named and (not self.risk or risk in self.risk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Why something may not happen.

    Attributes:
        why: What was found, in one sentence.
        mend: What to do.
    """

    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registering:
    """A version that is about to be registered."""

    model: str
    package: ModelPackage
    snapshots: tuple[str, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploying:
    """A version that is about to be served."""

    deployment: str
    version: ModelVersion

    @property
    def ref(self) -> str:
        """The version's reference."""
        return f"models:/{self.version.model}/{self.version.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """A loop that is about to be applied.

    Attributes:
        gates: Kinds of the gates that it declares.
    """

    name: str
    gates: tuple[str, ...] = ()


class Rule(ABC):
    """A kind of policy; one that has nothing to say about a moment leaves its method out."""

    @abstractmethod
    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params, complete and usable.

        Raises:
            InvalidInput: they are not.
        """

    def registering(self, params: Mapping[str, Any], about: Registering, facts: PolicyFacts) -> Broken | None:
        """What speaks against registering a version."""
        return None

    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None:
        """What speaks against serving a version."""
        return None

    def applying(self, params: Mapping[str, Any], about: Applying, facts: PolicyFacts) -> Broken | None:
        """What speaks against a loop as it is declared."""
        return None


class RuleKind(Protocol):
    """A kind of policy, found by its name."""

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]: ...
    def registering(self, params: Mapping[str, Any], about: Registering, facts: PolicyFacts) -> Broken | None: ...
    def deploying(self, params: Mapping[str, Any], about: Deploying, facts: PolicyFacts) -> Broken | None: ...
    def applying(self, params: Mapping[str, Any], about: Applying, facts: PolicyFacts) -> Broken | None: ...


RULES: PluginGroup[RuleKind] = PluginGroup("rules", "flyball.governance.rules")
"""All kinds of policies."""


def known(params: Mapping[str, Any], kind: str, **defaults: Any) -> dict[str, Any]:
    """The params with their defaults.

    Raises:
        InvalidInput: one is not known, or of another type than its default.
    """
    unknown = sorted(set(params) - set(defaults))
    if unknown:
        raise InvalidInput(f"A policy '{kind}' has no '{unknown[0]}'.", hint=f"It has {', '.join(defaults)}.")
    found = {**defaults, **params}
    for name, default in defaults.items():
        if isinstance(default, list):
            found[name] = texts(found[name], kind, name)
        elif type(found[name]) is not type(default):
            raise InvalidInput(
                f"'{name}' of a policy '{kind}' is {found[name]!r}.", hint=f"Give {type(default).__name__}."
            )
    return found


def texts(value: object, kind: str, name: str) -> list[str]:
    """A list of texts.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise InvalidInput(f"'{name}' of a policy '{kind}' is {value!r}.", hint="Give a list of texts.")
    return list(value)


def some(params: Mapping[str, Any], kind: str, name: str) -> None:
    """Makes sure that a list is not empty.

    Raises:
        InvalidInput: it is.
    """
    if not params[name]:
        raise InvalidInput(f"A policy '{kind}' without '{name}' rules nothing.", hint=f"Give `{name}`.")
