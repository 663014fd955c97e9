"""Environments of steps that need other packages than the project: made once for each list of them, then shared.

An environment holds what the list asks for and, behind that, all that this process has: what is not listed comes from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

import flyball
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import canonical_json, digest

_MADE = ".made"
_INSTALL_SECONDS = 1800


def requirements_of(packages: Sequence[str], root: Path) -> list[str]:
    """The packages one by one, those of `-r FILE` read from the project.

    Raises:
        InvalidInput: a file is missing, or an entry is an option of pip's.
    """
    found = []
    for entry in packages:
        option, _, name = entry.strip().partition(" ")
        if option in ("-r", "--requirement"):
            path = root / name.strip()
            if not path.is_file():
                raise InvalidInput(f"There is no file '{name.strip()}' with the packages of a step.")
            lines = (line.partition(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
            found += [line for line in lines if line and not line.startswith("#")]
        else:
            found.append(entry.strip())
    for line in found:
        if line.startswith("-") and not line.startswith("--hash"):
            raise InvalidInput(f"'{line}' is no package.", hint='Write packages=["lightgbm==4.6.0"].')
    return sorted(found)


def environment_key(requirements: Sequence[str]) -> str:
    """What two environments share that may stand for each other."""
    return digest(canonical_json([sys.version, platform.platform(), sys.executable, *requirements]))[:24]


def find_environment(requirements: Sequence[str], folder: Path) -> Path:
    """The interpreter of an environment with these packages, made if there is none yet.

    Raises:
        WorkFailed: the packages cannot be installed; the message holds the installer's last words.
    """
    place = folder / environment_key(requirements)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (place / _MADE).is_file():
        return python
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{place.name}.lock"):
        if (place / _MADE).is_file():
            return python
        shutil.rmtree(place, ignore_errors=True)  # one that was cut off half made
        venv.create(place, with_pip=False, symlinks=os.name != "nt")
        _install(requirements, place, python)
        _see_ours(place)
        (place / _MADE).write_text("\n".join(requirements), encoding="utf-8")
    return python


def _install(requirements: Sequence[str], place: Path, python: Path) -> None:
    listed = place / "requirements.txt"
    listed.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    uv = shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(listed)]
    else:
        own = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
        command = [*own, "install", "-r", str(listed)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkFailed(f"The packages {', '.join(requirements)} could not be installed: {error}.") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise WorkFailed(
            f"The packages {', '.join(requirements)} cannot be installed: {' '.join(said[-4:])[:800]}",
            hint="Check their names and versions, and that the package registry can be reached.",
        )


def _see_ours(place: Path) -> None:
    """Lets the environment see, behind its own packages, those of this process."""
    homes = dict.fromkeys([*(sysconfig.get_path(kind) for kind in ("purelib", "platlib")), *_editable()])
    target = next(place.glob("lib/python*/site-packages"), place / "Lib/site-packages")
    # Added at the end of the path by a line that Python runs at its start: plain lines would do, but for their own `.pth` files.
    lines = [f"import site; site.addsitedir({home!r})" for home in homes]
    (target / "flyball-behind.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _editable() -> list[str]:
    return [str(Path(flyball.__file__).parents[1])]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
