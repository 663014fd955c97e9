"""Where MLflow's stores keep files, and the source of a version in words that hold everywhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flyball.errors import InvalidInput, NotFound
from flyball.interchange.mlflow.content import FileContent

_RUN = re.compile(r"(?:^|/)([0-9a-f]{32})/artifacts(?:/(.*))?$")
_MODEL = re.compile(r"(?:^|/)models/(m-[0-9a-f]{32})/artifacts/?$")


def local_folder(uri: str, proxied: Path | None = None) -> Path:
    """The folder on this machine that an address of artifacts stands for.

    Args:
        proxied: What the server's `--artifacts-destination` is, for addresses such as `mlflow-artifacts:/1/...`.

    Raises:
        InvalidInput: it is not on this machine.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path) if parts.scheme else uri)
    if parts.scheme == "mlflow-artifacts" and proxied is not None:
        return proxied / unquote(parts.path).lstrip("/")
    hint = (
        "Name the server's folder of artifacts with --artifacts, or import from the running server."
        if parts.scheme == "mlflow-artifacts"
        else "Import from the running server."
    )
    raise InvalidInput(f"Artifacts at {parts.scheme}: cannot be read from here.", hint=hint)


def files_in(folder: Path) -> list[FileContent]:
    """The files below a folder; nothing if it is not there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [FileContent(name=path.relative_to(folder).as_posix(), size=path.stat().st_size) for path in paths]


def copy_file(folder: Path, name: str, target: Path) -> None:
    """Copies one of them.

    Raises:
        NotFound: there is none.
    """
    try:
        shutil.copyfile(folder / name, target)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {folder / name}.") from error


def plain_source(source: str, run: str, logged_model: str) -> str:
    """The source of a version as `runs:/...` or `models:/m-...`, where it lies in a run or a logged model."""
    if re.fullmatch(r"models:/m-[^/@]+", source) or source.startswith("runs:/"):
        return source
    if found := _MODEL.search(source):
        return f"models:/{found[1]}"
    if (found := _RUN.search(source)) and (not run or found[1] == run):
        return f"runs:/{found[1]}/{found[2] or ''}".rstrip("/")
    return f"models:/{logged_model}" if logged_model and not source else source
