"""Where a run comes from: code, command, person, machine, and the versions that it stands on."""

from __future__ import annotations

import contextlib
import platform
import sys
from pathlib import Path

from flyball.version import __version__

_LONGEST = 2_000


def environment() -> dict[str, str]:
    """Python, machine, command, and the version of every imported library that tells it.

    By the modules' own word, which takes a millisecond; asking the distributions takes a hundred.
    """
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}".lower(),
        "host": platform.node(),
        "command": _command(),
    }
    for name, module in sorted(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names:
            continue
        # Not by getattr: some libraries warn there that they mean to take it away.
        version = vars(module).get("__version__") if module is not None else None
        if isinstance(version, str) and 0 < len(version) <= 100 and name not in found:
            found[name] = str.__str__(version)
    return {**found, "flyball": __version__}


def commit(folder: Path) -> str:
    """The Git commit that is checked out there; empty where there is none.

    Read from Git's files: starting a process takes longer than all else that a run begins with.
    """
    for place in (folder, *folder.parents):
        git = place / ".git"
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if git.is_file():  # a worktree or submodule
                git = place / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            if git.is_dir():
                return _head(git)
    return ""


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head[:64]
    name = head.partition(":")[2].strip()
    common = git
    if (git / "commondir").is_file():
        common = git / (git / "commondir").read_text(encoding="utf-8").strip()
    if (common / name).is_file():
        return (common / name).read_text(encoding="utf-8").strip()[:64]
    packed = common / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8").splitlines():
            digest, _, ref = line.partition(" ")
            if ref == name:
                return digest[:64]
    return ""


def _command() -> str:
    text = " ".join(getattr(sys, "orig_argv", sys.argv))
    return "".join(character if character.isprintable() else " " for character in text)[:_LONGEST]
