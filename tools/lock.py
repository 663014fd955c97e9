"""Writes the lock files: `requirements/dev.txt` and, with the same versions, `requirements/demo.txt`.

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
OPTIONS = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]


def main(arguments: list[str]) -> int:
    """Resolves both extras with a uv of its own."""
    (ROOT / "requirements").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="flyball-lock-") as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", UV], check=True)
        for extra, more in {"dev": [], "demo": ["--constraint=requirements/dev.txt"]}.items():
            output = ["--custom-compile-command=make lock", f"--output-file=requirements/{extra}.txt", "--quiet"]
            command = [str(programs / "uv"), "pip", "compile", "pyproject.toml", f"--extra={extra}", *OPTIONS, *output]
            done = subprocess.run([*command, *more, *arguments], cwd=ROOT, check=False)
            if done.returncode:
                return done.returncode
            print(f"requirements/{extra}.txt written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
