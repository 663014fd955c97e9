"""Writes the lock files: `requirements/dev.txt` and, with the same versions, `requirements/demo.txt`; and those of the
environments with MLflow's clients that tests use, `requirements/{mlflow3,mlflow2,ray}.txt`.

Run by `make lock`; arguments go to uv, such as `--upgrade` or `--upgrade-package numpy`. The files hold versions and
hashes for every platform and Python version, and no address, so any mirror serves them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = "uv>=0.8"
CLIENTS = ("mlflow3", "mlflow2", "ray", "spark", "openlineage", "inference", "schedulers", "frameworks")
OPTIONS = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]


def main(arguments: list[str]) -> int:
    """Resolves both extras and the clients with a uv of its own."""
    (ROOT / "requirements").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="flyball-lock-") as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", UV], check=True)
        for name, source in _sources().items():
            output = ["--custom-compile-command=make lock", f"--output-file=requirements/{name}.txt", "--quiet"]
            command = [str(programs / "uv"), "pip", "compile", *source, *OPTIONS, *output]
            done = subprocess.run([*command, *arguments], cwd=ROOT, check=False)
            if done.returncode:
                return done.returncode
            print(f"requirements/{name}.txt written")
    return 0


def _sources() -> dict[str, list[str]]:
    """What each lock file is resolved from."""
    return {
        "dev": ["pyproject.toml", "--extra=dev"],
        "demo": ["pyproject.toml", "--extra=demo", "--constraint=requirements/dev.txt"],
        **{name: [f"requirements/{name}.in", *_overrides(name)] for name in CLIENTS},
    }


def _overrides(name: str) -> list[str]:
    """What an environment has otherwise than its packages ask for."""
    path = f"requirements/{name}.overrides"
    return [f"--override={path}"] if (ROOT / path).exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
