"""Packages of another Python or processor than this machine's: wheels from the package index, unpacked and never run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from flyball.errors import InvalidInput, WorkFailed
from flyball.packaging.distributions import Installed
from flyball.packaging.layers import Entry, Layer, Packer

_PROCESSORS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def from_index(
    held: Sequence[Installed], python: str, platform: str, packer: Packer, folder: str, shown: Callable[[str], None]
) -> Layer:
    """The packages layer for a Python and a processor, of the same versions that are installed here.

    Args:
        python: Version of the image's Python, such as 3.12.4.
        folder: Where they are put in the image.

    Raises:
        InvalidInput: it is not known which wheels would run there.
        WorkFailed: the index has no wheel that fits.
    """
    processor = _PROCESSORS.get(platform)
    if processor is None or not python:
        raise InvalidInput(
            f"It is not known which wheels run on {platform} with Python '{python or '?'}'.",
            hint="Name a base whose variable PYTHON_VERSION says its Python, for linux/amd64 or linux/arm64.",
        )
    short = ".".join(python.split(".")[:2])
    wanted = [f"{each.name}=={each.version}" for each in held]
    key = hashlib.sha256("\n".join([*wanted, short, platform]).encode()).hexdigest()
    known = packer.known(key)
    if known is not None:
        return known
    shown(f"fetching {len(wanted)} wheels for {platform}, Python {short}")
    with tempfile.TemporaryDirectory(prefix="flyball-wheels-") as temporary:
        kinds = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
        platforms = [word for kind in kinds for word in ("--platform", f"{kind}_{processor}")]
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile",
            "--only-binary=:all:", "--implementation", "cp", "--python-version", short, "--target", temporary,
        ]  # fmt: skip
        done = subprocess.run([*command, *platforms, *wanted], capture_output=True, text=True, check=False)
        if done.returncode:
            raise WorkFailed(f"The wheels could not be had: {done.stderr.strip()[-500:]}")
        entries = []
        root = Path(temporary)
        for path in sorted(root.rglob("*")):
            place = path.relative_to(root).as_posix()
            # What pip writes beside the wheel's own files names this machine.
            is_theirs = not place.startswith("bin/") and not place.endswith(("/RECORD", "/direct_url.json"))
            if path.is_file() and is_theirs:
                entries.append(Entry(path=f"{folder}/{place}", content=path))
        return packer.pack("packages", entries, key)
