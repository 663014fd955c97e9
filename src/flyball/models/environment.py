"""Where a model was made: Python, machine, and the distributions it stands on."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Python, machine, and versions of distributions.

    Attributes:
        python: Version of Python.
        platform: Operating system and processor.
        packages: Version of each distribution, by its normalised name.
    """

    python: str
    platform: str
    packages: dict[str, str] = field(default_factory=dict)


def capture(distributions: Iterable[str] = (), *, imported: bool = True) -> Environment:
    """The environment of this process.

    Args:
        distributions: Distributions to record whether or not they have been imported; those not installed do not count.
        imported: Also record every distribution that has been imported.
    """
    names = {_normalised(name) for name in distributions}
    if imported:
        by_module = _distributions_by_module()
        for module in {name.partition(".")[0] for name in tuple(sys.modules)}:
            names.update(by_module.get(module, ()))
    packages = {name: version for name in sorted(names) if (version := _version(name))}
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()}-{platform.machine()}".lower(),
        packages=packages,
    )


@lru_cache(maxsize=1)
def _distributions_by_module() -> dict[str, tuple[str, ...]]:
    # Reads the file list of everything installed, a tenth of a second, so once a process.
    found = importlib.metadata.packages_distributions()
    return {module: tuple(_normalised(name) for name in names) for module, names in found.items()}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
