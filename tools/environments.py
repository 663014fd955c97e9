"""Virtual environments with real clients of MLflow, for the tests: the newest, the newest of the 2.x line, and Ray Tune.

Each stands in `.test-servers/<name>` and holds exactly what `requirements/<name>.txt` locks. `python -m tools.provision`
makes them; one that is up to date is left alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools.provision import FOLDER, Program, Unavailable

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
UV = "uv>=0.8"
# Builds for the processor alone carry this mark where others exist; the plain name would bring gigabytes for graphics cards.
TORCH = "torch==2.13.0" + ("+cpu" if sys.platform == "linux" else "")
_PROGRAMS = "Scripts" if os.name == "nt" else "bin"


def find_environment(name: str) -> Path | None:
    """The Python of an environment that is up to date."""
    python = _python(name)
    stamp = FOLDER / name / "locked"
    is_fresh = python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == _digest(name)
    return python if is_fresh else None


def find_torch(name: str = "mlflow3") -> Path | None:
    """The Python of an environment, by default the newest client's, if torch is in it."""
    python = find_environment(name)
    return python if python and any((FOLDER / name).glob("[lL]ib/**/site-packages/torch/__init__.py")) else None


MLFLOW3 = Program(name="MLflow's newest client", debian=(), find=partial(find_environment, "mlflow3"))
MLFLOW2 = Program(name="MLflow's newest 2.x client", debian=(), find=partial(find_environment, "mlflow2"))
RAY = Program(name="Ray Tune with MLflow's client", debian=(), find=partial(find_environment, "ray"))
TORCH_CLIENT = Program(name="torch beside MLflow's newest client", debian=(), find=find_torch)
OPENLINEAGE = Program(name="OpenLineage's client", debian=(), find=partial(find_environment, "openlineage"))
SPARK = Program(name="Spark", debian=(), find=partial(find_environment, "spark"))
INFERENCE = Program(name="Triton's and KServe's clients", debian=(), find=partial(find_environment, "inference"))
SCHEDULERS = Program(
    name="Kubernetes', Argo's and Kubeflow's forms", debian=(), find=partial(find_environment, "schedulers")
)
FRAMEWORKS = Program(name="PyTorch, Keras, JAX and Transformers", debian=(), find=partial(find_torch, "frameworks"))
ENVIRONMENTS = {
    "mlflow3": MLFLOW3, "mlflow2": MLFLOW2, "ray": RAY, "spark": SPARK, "openlineage": OPENLINEAGE, "inference": INFERENCE,
    "schedulers": SCHEDULERS, "frameworks": FRAMEWORKS,
}  # fmt: skip


def provision() -> list[str]:
    """Makes what is missing or out of date and says so.

    Returns:
        The names of what could not be had.
    """
    absent = []
    for name, program in ENVIRONMENTS.items():
        if found := program.find():
            print(f"{program.name}: found, {_shown(found)}")
        elif not _told(program, partial(make, name)):
            absent.append(program.name)
    if MLFLOW3.find() and not find_torch() and not _told(TORCH_CLIENT, _add_torch):
        absent.append(TORCH_CLIENT.name)
    return absent


def make(name: str) -> None:
    """Makes an environment anew."""
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    requirements = REQUIREMENTS / f"{name}.txt"
    uv = _uv()
    _run([uv, "venv", "--quiet", "--python", sys.executable, FOLDER / name])
    # The lock is whole: whoever asks for another package here would only ask for what was left out on purpose.
    options: list[str | Path] = ["--no-deps", "--require-hashes", "--no-config", "--requirement", requirements]
    _run([uv, "pip", "install", "--quiet", "--python", _python(name), *options])
    (FOLDER / name / "locked").write_text(_digest(name), encoding="utf-8")
    if name == "frameworks":  # it is for nothing without torch
        _add_torch(name)


def _add_torch(name: str = "mlflow3") -> None:
    # pip and not uv: pip looks in the folders and indexes too that this machine's settings name for it.
    target = next((FOLDER / name).glob("[lL]ib/**/site-packages"))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
    ]
    version = _version(name)
    if version != sys.version_info[:2]:
        raise Unavailable(f"The environment has Python {version}, this one {sys.version_info[:2]}.")
    _run([*pip, "--target", target, TORCH])


def _version(name: str) -> tuple[int, ...]:
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([_python(name), "-c", code], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def _told(program: Program, get: Callable[[], None]) -> bool:
    print(f"Installing {program.name} into {_shown(FOLDER)} ...", flush=True)
    try:
        get()
    except Unavailable as problem:
        print(f"\n*** {program.name}: NOT TO BE HAD ***\n    {problem}")
        if program is TORCH_CLIENT:
            print("    By hand: let pip's settings name an index that has torch's builds for the processor alone.")
        return False
    return program.find() is not None


def _uv() -> Path:
    """A uv of our own: it installs in seconds what takes pip minutes."""
    home = FOLDER / "uv"
    if not (home / _PROGRAMS).exists():
        FOLDER.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", home, UV])
    return home / _PROGRAMS / ("uv.exe" if os.name == "nt" else "uv")


def _digest(name: str) -> str:
    what = [(REQUIREMENTS / f"{name}.txt").read_bytes(), platform.python_version().encode()]
    return hashlib.sha256(b"\0".join(what)).hexdigest()


def _python(name: str) -> Path:
    return FOLDER / name / _PROGRAMS / ("python.exe" if os.name == "nt" else "python")


def _run(command: Sequence[str | Path]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-5:]
        raise Unavailable("\n    ".join([f"{' '.join(map(str, command[:3]))} ended with {done.returncode}:", *last]))


def _shown(path: Path) -> str:
    return path.relative_to(FOLDER.parent).as_posix()
