"""Writing a deployment down in a folder, and saying later whether the folder still is what the deployment is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput, NotFound
from flyball.packaging.exporters.base import EXPORTERS, ExportPlan, served
from flyball.packaging.image import manifest_of
from flyball.refs import new_id
from flyball.serialization import from_json, to_json

NOTE = "flyball-export.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written, and by which plan it can be written again.

    Attributes:
        format: Name of the exporter.
        what: The deployment, or the version.
        files: Paths in the folder.
    """

    format: str
    what: str
    plan: ExportPlan
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How a folder differs from the deployment that it was written of.

    Attributes:
        changed: Files whose text is another.
        missing: Files that are gone, or were not there yet.
        difference: What differs, as a unified diff from the folder to the deployment.
    """

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    difference: str

    @property
    def is_none(self) -> bool:
        """Whether the folder is what the deployment is."""
        return not self.changed and not self.missing


def export_deployment(services: Any, what: str, format: str, plan: ExportPlan, folder: Path) -> Export:
    """Writes a deployment down in a folder; files of its own that are there are replaced.

    Args:
        services: A workspace, or what stands for one.
        what: Name of a deployment, or a version.
        format: Name of an exporter, such as `kubernetes`.

    Raises:
        NotFound: there is no such deployment or format.
        InvalidInput: a name or amount cannot be written down safely.
    """
    texts = EXPORTERS.get(format).write(served(manifest_of(services, what), plan))
    for name, text in texts.items():
        _write(folder / name, text.encode())
    made = Export(format=format, what=what, plan=plan, files=tuple(sorted(texts)))
    _write(folder / NOTE, to_json(made) + b"\n")
    return made


def check_export(services: Any, folder: Path) -> Drift:
    """How a folder differs from what would be written into it now.

    Raises:
        NotFound: the folder was not written by an export, or its deployment is gone.
    """
    note = folder / NOTE
    if not note.is_file():
        raise NotFound(f"{folder} was not written by an export.", hint="Write it with `flyball export kubernetes`.")
    told = from_json(note.read_bytes(), Export)
    texts = EXPORTERS.get(told.format).write(served(manifest_of(services, told.what), told.plan))
    changed: list[str] = []
    missing: list[str] = []
    lines: list[str] = []
    for name, text in sorted(texts.items()):
        path = folder / name
        if not path.is_file():
            missing.append(name)
            continue
        here = path.read_text(encoding="utf-8", errors="replace")
        if here != text:
            changed.append(name)
            names = (f"{name} (folder)", f"{name} (deployment)")
            lines += difflib.unified_diff(here.splitlines(), text.splitlines(), *names, lineterm="", n=1)
    return Drift(changed=tuple(changed), missing=tuple(missing), difference="\n".join(lines))


def _write(path: Path, data: bytes) -> None:
    if path.is_symlink():
        raise InvalidInput(f"{path} is a link.", hint="Write into a folder of your own.")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{new_id()}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
