"""Where a model was made: Python, machine, and the distributions it stands on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

# What changes the order of sums or the seeds, and so the bits of a model.
_VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "TF_DETERMINISTIC_OPS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Python, machine, and versions of distributions.

    Attributes:
        python: Version of Python.
        platform: Operating system and processor.
        packages: Version of each distribution, by its normalised name.
        processor: Model of the processor; empty where it is not known.
        cores: How many cores it could use; 0 where it is not known.
        variables: Environment variables that change what libraries compute, where they are set.
    """

    python: str
    platform: str
    packages: dict[str, str] = field(default_factory=dict)
    processor: str = ""
    cores: int = 0
    variables: dict[str, str] = field(default_factory=dict)


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
        processor=_processor(),
        cores=_cores(),
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
    )


def upgrades(then: Environment) -> tuple[str, ...]:
    """What is of another version here than where a model was made, a few words each: Python first, then distributions.

    What is not installed here is passed over: a model that needs it could not be loaded at all.
    """
    told = []
    if then.python and tuple(then.python.split(".")[:2]) != platform.python_version_tuple()[:2]:
        told.append(f"python {then.python} -> {platform.python_version()}")
    for name, version in sorted(then.packages.items()):
        here = _version(name)
        if here and here != version:
            told.append(f"{name} {version} -> {here}")
    return tuple(told)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


@lru_cache(maxsize=1)
def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  # read line by line, and left
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


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
