"""Environments of the programs that Flyball is measured against, each apart from the others and from ours.

`peers/<name>.txt` pins every distribution of one. Written anew by

    echo "dvc==3.67.1" | uv pip compile --universal --no-annotate --no-header --no-emit-index-url -o benchmarks/peers/dvc.txt -

The first call for a peer installs it into `.test-servers/peers/<name>`; a change of its pins installs it again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PINS = Path(__file__).resolve().parent / "peers"
FOLDER = Path(__file__).resolve().parents[1] / ".test-servers" / "peers"
_PROGRAMS = "Scripts" if os.name == "nt" else "bin"


class PeerUnavailable(Exception):
    """A peer cannot be installed here; the message says why."""


def peer(name: str) -> Path:
    """The Python of a peer's environment, which is made if it is not there or not as pinned.

    Args:
        name: That of its file of pins.

    Raises:
        PeerUnavailable: it cannot be installed.
    """
    pins = PINS / f"{name}.txt"
    if not pins.exists():
        known = ", ".join(sorted(path.stem for path in PINS.glob("*.txt")))
        raise PeerUnavailable(f"There are no pins for '{name}'. There are for: {known}.")
    home = FOLDER / name
    python = home / _PROGRAMS / ("python.exe" if os.name == "nt" else "python")
    stamp = home / "pinned"
    wanted = hashlib.sha256(pins.read_bytes() + platform.python_version().encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    sys.stderr.write(f"Installing {name} to compare with ...\n")
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, home])
        _run([uv, "pip", "install", "--quiet", "--python", python, "--requirement", pins])
    else:
        _run([sys.executable, "-m", "venv", home])
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", pins])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def peer_or_none(name: str) -> Path | None:
    """The Python of a peer's environment; None where it cannot be had, which is said loudly."""
    try:
        return peer(name)
    except PeerUnavailable as problem:
        sys.stderr.write(f"\n*** {name}: NOT TO BE HAD, ITS PAIRS ARE SKIPPED ***\n    {problem}\n\n")
        return None


def _run(command: Sequence[str | Path]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-5:]
        raise PeerUnavailable("\n    ".join(last))
