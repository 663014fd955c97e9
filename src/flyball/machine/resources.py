"""What a piece of work needs of a machine, and what a machine has."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.executors.base import Resources

_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)


def resources(
    *, cores: float = 0.0, memory: str | int = 0, gpus: int = 0, limits: Mapping[str, int] | None = None
) -> Resources:
    """Checked resources.

    Raises:
        InvalidInput: one of them is negative or cannot be read.
    """
    found = Resources(cores=float(cores), memory=parse_size(memory), gpus=gpus, limits=dict(limits or {}))
    if found.cores < 0 or found.gpus < 0:
        raise InvalidInput(f"A step cannot take {cores:g} cores and {gpus} GPUs.", hint="Give 0 or more.")
    for name, most in found.limits.items():
        if most < 1:
            raise InvalidInput(f"The limit '{name}' lets {most} work at once.", hint="Give 1 or more.")
    return found


def parse_size(size: str | int) -> int:
    """A size in bytes; units of 1000, or of 1024 with an i.

    >>> parse_size("4GB"), parse_size("1.5 GiB"), parse_size(10)
    (4000000000, 1610612736, 10)

    Raises:
        InvalidInput: it cannot be read.
    """
    if isinstance(size, int):
        if size < 0:
            raise InvalidInput(f"{size} bytes are no size.", hint="Give 0 or more.")
        return size
    read = _SIZE.fullmatch(size)
    if read is None:
        raise InvalidInput(f"'{size}' is no size.", hint="Write it as 500MB, 4GB or 2GiB.")
    number, unit, binary = read.groups()
    scale = _UNITS[unit.upper()]
    if binary:
        scale = 1024 ** ("", "K", "M", "G", "T").index(unit.upper())
    return int(float(number) * scale)


@functools.cache
def of_this_machine() -> Resources:
    """What this process may use: the cores it is bound to, the memory of its control group or machine, its GPUs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Resources(cores=float(cores), memory=_memory(), gpus=len(gpu_names()))


def gpu_names() -> tuple[str, ...]:
    """What `CUDA_VISIBLE_DEVICES` calls the accelerators that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name for name in (part.strip() for part in chosen.split(",")) if name and name != "-1")
    if importlib.util.find_spec("pynvml") is None:
        return ()
    pynvml: Any = import_module("pynvml")
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ()
    return tuple(map(str, range(count)))


def _memory() -> int:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(place).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal():
            return min(whole, int(text))
    return whole
