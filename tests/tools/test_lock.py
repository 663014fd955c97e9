"""The lock files hold what the package asks for, on every platform, and no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ["demo", "dev"]
CLIENTS = ["mlflow3", "mlflow2", "ray"]


def locked(extra: str) -> dict[str, list[Requirement]]:
    """The requirements of a lock file by name; several where versions differ by Python or platform."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in " #":
            requirement = Requirement(line.removesuffix("\\"))
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def asked_for(extra: str) -> list[Requirement]:
    """What the package and an extra of it ask for, extras within extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    asked, names = [Requirement(text) for text in project["dependencies"]], [extra]
    for name in names:
        for requirement in map(Requirement, extras[name]):
            if requirement.name == "flyball":
                names.extend(requirement.extras)
            else:
                asked.append(requirement)
    return asked


@pytest.mark.parametrize("extra", LOCKS)
def test_the_lock_satisfies_the_package(extra: str) -> None:
    versions = {name: [next(iter(pin.specifier)).version for pin in pins] for name, pins in locked(extra).items()}
    stale = [
        str(asked)
        for asked in asked_for(extra)
        if not all(asked.specifier.contains(v) for v in versions.get(canonicalize_name(asked.name), ["0.dev0"]))
    ]
    assert not stale, "make lock"


def test_the_demo_has_the_versions_that_were_tested() -> None:
    tested = locked("dev")
    assert all(tested[name] == pins for name, pins in locked("demo").items())


@pytest.mark.parametrize("extra", [*LOCKS, *CLIENTS])
def test_each_requirement_has_a_hash(extra: str) -> None:
    text = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")
    assert len(re.findall(r"^\S+==.*\\\n    --hash=sha256:", text, re.MULTILINE)) == sum(
        map(len, locked(extra).values())
    )


@pytest.mark.parametrize("extra", [*LOCKS, *CLIENTS])
def test_the_lock_names_no_place(extra: str) -> None:
    text = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^--|[ =]/\w", text, re.MULTILINE)


def test_no_deep_learning_framework_comes_along() -> None:
    assert not {"torch", "tensorflow", "jax"} & set(locked("dev"))
