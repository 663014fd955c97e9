"""Secrets of steps: named in the code, held outside of it, never part of a key, a param or a log."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput, NotFound
from flyball.pipelines.context import find_run

FOLDER = "FLYBALL_SECRETS"
"""Environment variable that names a folder with a file for each secret, as containers are given them."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def secret(name: str) -> str:
    """The value of a secret: of the file of that name in the folder `FLYBALL_SECRETS`, else of the environment variable, else, in
    a run, of what the workspace keeps under that name (`flyball secrets set`).

    In a step, only of one that the step declares: `@fb.step(secrets=["WAREHOUSE_PASSWORD"])`. What a step prints of it is
    written down as `***`.

    Raises:
        InvalidInput: there is none of that name, or the step around has not declared it.
    """
    run = find_run()
    if run is not None and run.step and name not in run.secrets:
        raise InvalidInput(
            f"Step '{run.step}' has not declared the secret '{name}'.", hint=f'Write @fb.step(secrets=["{name}"]).'
        )
    if run is None:
        return find_secret(name)
    return find_secret(name, run.services, f"step {run.step} of run {run.pipeline_run}")


def find_secret(name: str, services: Any = None, purpose: str = "") -> str:
    """The value of a secret.

    Args:
        services: Those of a run; a workspace on this machine may keep the secret.
        purpose: What it is used for; it is noted there.

    Raises:
        InvalidInput: there is none of that name.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(f"'{name}' is no name of a secret.", hint="Use letters, digits and _.")
    folder = os.environ.get(FOLDER)
    if folder and (Path(folder) / name).is_file():
        return (Path(folder) / name).read_text(encoding="utf-8").rstrip("\n")
    value = os.environ.get(name)
    if value is None:
        value = _kept(name, services, purpose)
    if value is None:
        raise InvalidInput(
            f"The secret '{name}' is not set.",
            hint=f"Run `flyball secrets set {name}`, set the environment variable {name}, or put a file into {FOLDER}.",
        )
    return value


def _kept(name: str, services: Any, purpose: str) -> str | None:
    # A workspace on a server gives no secret out, and has no such method.
    reveal = getattr(getattr(services, "secrets", None), "reveal", None)
    if reveal is None:
        return None
    try:
        return str(reveal(name, purpose))
    except NotFound:
        return None
