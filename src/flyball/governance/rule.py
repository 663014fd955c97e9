"""Policies as code: `fb.rule.approvals(2, risk=["high"])` at the top level of a project file.

`flyball apply` brings them into force. Each is kept under its name; without one, under its kind and a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flyball.declarations import declare
from flyball.errors import InvalidInput, did_you_mean
from flyball.governance.rules.base import RISKS, RULES, PolicySpec
from flyball.refs import check_name

FILE = "policies.yaml"
"""A project's policies in a file of their own: a list of `kind`, `name`, `risk`, `models` and the params of the kind."""


def approvals(
    count: int = 1,
    *,
    role: str = "",
    by: Sequence[str] = (),
    name: str = "",
    risk: Sequence[str] = (),
    models: Sequence[str] = (),
) -> PolicySpec:
    """So many people have to approve a version before it is served; never who asked for it or registered it.

    Args:
        role: Only people who have this role in the project count.
        by: Only these people count.
        name: Name of the policy.
        risk: For models of these classes of risk: `minimal`, `limited`, `high`, `unacceptable`, the model's tag `risk`.
        models: For models whose names fit one of these patterns.
    """
    return _declared("approvals", name, risk, models, count=count, role=role, by=list(by))


def gates(
    required: Sequence[str], *, name: str = "", risk: Sequence[str] = (), models: Sequence[str] = ()
) -> PolicySpec:
    """A version has to pass these gates before it is served, and every loop has to declare them."""
    return _declared("gates", name, risk, models, required=list(required))


def formats(
    allowed: Sequence[str] = (),
    *,
    no_code: bool = False,
    name: str = "",
    risk: Sequence[str] = (),
    models: Sequence[str] = (),
) -> PolicySpec:
    """Models are kept in these flavors only; with `no_code`, in none that runs code as it is read."""
    return _declared("formats", name, risk, models, allowed=list(allowed), no_code=no_code)


def signed(
    keys: Sequence[str], *, all: bool = False, name: str = "", risk: Sequence[str] = (), models: Sequence[str] = ()
) -> PolicySpec:
    """Models whose reading runs code are served only if one of these keys, public ones as PEM, has signed them; with `all`, any."""
    return _declared("signed", name, risk, models, keys=list(keys), all=all)


def residency(
    allowed: Sequence[str], *, tag: str = "residency", untagged: bool = False, name: str = "", risk: Sequence[str] = (),
    models: Sequence[str] = (),
) -> PolicySpec:  # fmt: skip
    """Models learn only from datasets that carry one of these values of the tag in the catalog."""
    return _declared("residency", name, risk, models, allowed=list(allowed), tag=tag, untagged=untagged)


def personal_data(
    allowed: Sequence[str] = (),
    *,
    inputs_only: bool = False,
    name: str = "",
    risk: Sequence[str] = (),
    models: Sequence[str] = (),
) -> PolicySpec:
    """Models learn from no personal data but of these kinds, such as `mail`; along the whole lineage."""
    return _declared("personal_data", name, risk, models, allowed=list(allowed), inputs_only=inputs_only)


def deployers(
    who: Sequence[str] = (), *, role: str = "", deployments: Sequence[str] = ("*",), loops: bool = True, name: str = "",
    risk: Sequence[str] = (), models: Sequence[str] = (),
) -> PolicySpec:  # fmt: skip
    """Only these people, or people of that role, bring versions to deployments whose names fit, such as `prod-*`.

    Args:
        loops: Whether loops may too, by their gates and rollouts.
    """
    given = {"who": list(who), "role": role, "deployments": list(deployments), "loops": loops}
    return _declared("deployers", name, risk, models, **given)


def retention(of: str, keep: str, *, names: Sequence[str] = ("*",), name: str = "") -> PolicySpec:
    """Things are kept for so long: `predictions`, `runs_in_trash` or `snapshots`.

    Args:
        names: Patterns of deployments, or of datasets.
    """
    return _declared("retention", name, (), (), of=of, keep=keep, names=list(names))


def read_policies(path: Path) -> list[PolicySpec]:
    """The policies that a YAML file holds.

    Raises:
        InvalidInput: it cannot be read, or one of them cannot be used; the message says which.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, list) or not all(isinstance(each, dict) and "kind" in each for each in found):
        raise InvalidInput(
            f"{path} holds no list of policies.", hint="Write each as `- kind: approvals` and its params."
        )
    made = []
    for number, each in enumerate(found, 1):
        params = {name: value for name, value in each.items() if name not in ("kind", "name", "risk", "models")}
        try:
            given = [each.get("name", ""), each.get("risk") or (), each.get("models") or ()]
            made.append(spec(str(each["kind"]), *given, **params))
        except InvalidInput as error:
            raise InvalidInput(f"Policy {number} of {path}: {error.message}", hint=error.hint) from error
    return made


def spec(kind: str, name: str, risk: Sequence[str], models: Sequence[str], **params: Any) -> PolicySpec:
    """A checked policy.

    Raises:
        InvalidInput: the kind is not known, or a param cannot be used.
    """
    if kind not in RULES.names():
        raise InvalidInput(f"There is no kind of policy '{kind}'.", hint=did_you_mean(kind, RULES.names()))
    unknown = [each for each in risk if each not in RISKS]
    if unknown or isinstance(risk, str):
        raise InvalidInput(f"'{unknown[0] if unknown else risk}' is no class of risk.", hint=f"Use {', '.join(RISKS)}.")
    if isinstance(models, str):
        raise InvalidInput(f"'models' of a policy is '{models}'.", hint="Give a list of patterns.")
    named = check_name(name, "policy") if name else ""
    checked = RULES.get(kind).check(params)
    return PolicySpec(name=named, kind=kind, params=checked, risk=tuple(risk), models=tuple(models))


def _declared(kind: str, name: str, risk: Sequence[str], models: Sequence[str], **params: Any) -> PolicySpec:
    made = spec(kind, name, risk, models, **params)
    declare(made)
    return made
