"""A project's code, kept by its content so that exactly it can be run again, and loaded."""

from __future__ import annotations

import fnmatch
import importlib.machinery
import importlib.util
import linecache
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Any

from flyball.declarations import collecting
from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.pipelines._modules import project_label
from flyball.pipelines.pipeline import Pipeline
from flyball.refs import new_id
from flyball.serialization import canonical_json, from_json
from flyball.storage.objects import Blobs

_SUFFIXES = {
    *(".py", ".toml", ".sql", ".yaml", ".yml", ".txt", ".ipynb", ".json", ".cfg", ".ini"),
    # What commands in other languages are written in.
    *(".sh", ".r", ".rmd", ".jl", ".js", ".mjs", ".ts", ".pl", ".rb", ".lua", ".awk", ".stan", ".do", ".sas", ".m"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".f90", ".rs", ".go", ".java", ".scala", ".kt", ".cs"),
}
_LEFT_OUT = {"node_modules", "__pycache__", "venv", "env", "site-packages", "build", "dist"}
_MOST_BYTES = 5_000_000
_MARK = ".flyball-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSnapshot:
    """The state of a project's code.

    Attributes:
        digest: Of the list of files; the blob of that digest is the list.
        files: Digest of each file, by its path in the project.
    """

    digest: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project that was loaded.

    Attributes:
        module: Its module.
        pipelines: Its pipelines by name.
        declarations: What it declares, in order.
    """

    module: ModuleType
    pipelines: dict[str, Pipeline[..., Any]]
    declarations: list[object]


def snapshot_code(root: Path, blobs: Blobs) -> CodeSnapshot:
    """Keeps the project's code: what is source code of any usual language, settings, text or a notebook.

    Hidden and git-ignored files, data and environment folders and files above 5 MB are left out.
    """
    root = root.resolve()
    files = {path.relative_to(root).as_posix(): blobs.put_file(path) for path in _code_files(root)}
    return CodeSnapshot(digest=blobs.put(canonical_json(files)), files=files)


def checkout_code(digest: str, blobs: Blobs, to: Path) -> None:
    """Writes the code of a snapshot into a folder; nothing happens where it stands there already.

    Raises:
        NotFound: no code of that digest is kept.
        InvalidInput: the folder holds something else.
        Corrupt: the list of files names a place outside of the folder.
    """
    mark = to / _MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return
    if to.exists() and any(to.iterdir()):
        raise InvalidInput(f"{to} is not empty.", hint="Choose another folder for the code.")
    files = from_json(blobs.get(digest), dict[str, str])
    fresh = to.with_name(f"{to.name}.{new_id()}")
    try:
        for name, kept in files.items():
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts or not place.parts:
                raise Corrupt(f"The code {digest[:12]}... names the file '{name}'.")
            path = fresh / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blobs.get(kept))
        fresh.mkdir(parents=True, exist_ok=True)
        (fresh / _MARK).write_text(digest, encoding="utf-8")
        try:
            fresh.replace(to)
        except OSError:  # another process was faster
            if not mark.is_file():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load_project(root: Path, module: str) -> Project:
    """Loads a project's file, with the project's folder on the path, and collects what it declares.

    The project's modules are read from their source as it is now, never from compiled files, and anew if a project was
    loaded in this process before.

    Raises:
        NotFound: there is no such file.
        InvalidInput: the file cannot be run; the message names the line.
    """
    root = root.resolve()
    path = (root / module).resolve()
    if not path.is_file() or not path.is_relative_to(root):
        raise NotFound(f"There is no {module} in {root}.", hint="Start a project with `flyball init`.")
    _forget_loaded()
    folders = list(dict.fromkeys((str(root), str(path.parent))))
    sys.path[:0] = folders
    sys.meta_path.insert(0, _ProjectFinder(root, folders))
    importlib.invalidate_caches()
    name = _module_name(path)
    loader = _FreshLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses and pickles of the file ask for it while it runs
    with collecting() as declarations:
        try:
            loader.exec_module(loaded)
        except (Exception, SystemExit) as error:
            sys.modules.pop(name, None)
            raise _broken(error, root, path) from error
    pipelines = {item.name: item for item in vars(loaded).values() if isinstance(item, Pipeline)}
    return Project(module=loaded, pipelines=pipelines, declarations=declarations)


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source as it is: a compiled file is told by second and size only, which an edit may keep."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        data = self.get_data(path)
        text = importlib.util.decode_source(data)
        # Without a time, the entry is not read again when the file changes: it is the text that was loaded.
        linecache.cache[path] = (len(data), None, text.splitlines(keepends=True), path)
        code: CodeType = self.source_to_code(data, path)
        return code


class _ProjectFinder:
    """Finds the project's modules, to be loaded fresh."""

    def __init__(self, root: Path, folders: list[str]) -> None:
        self.root = root
        self.folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if not project_label(self.root, spec.origin):
            return None
        spec.loader = _FreshLoader(fullname, spec.loader.path)
        return spec


def _forget_loaded() -> None:
    """Takes back what an earlier load left in this process: modules, finder, places on the path."""
    for finder in [item for item in sys.meta_path if isinstance(item, _ProjectFinder)]:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if project_label(finder.root, getattr(module, "__file__", None)) and _is_fresh(module):
                del sys.modules[name]
        for folder in finder.folders:
            if folder in sys.path:
                sys.path.remove(folder)


def _is_fresh(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__loader__", None), _FreshLoader)


def _module_name(path: Path) -> str:
    name = re.sub(r"\W", "_", path.stem)
    if name in sys.stdlib_module_names or name in sys.modules or name[:1].isdigit():
        return f"flyball_project_{name}"
    return name


def _broken(error: BaseException, root: Path, path: Path) -> InvalidInput:
    said = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError):
        place, line = Path(error.filename or path), error.lineno or 0
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if project_label(root, frame.filename)]
        place, line = (Path(own[-1].filename), own[-1].lineno or 0) if own else (path, 0)
    shown = project_label(root, place) or str(place)
    return InvalidInput(f"{shown}:{line}: {said}", hint=getattr(error, "hint", ""), file=shown, line=line)


def _code_files(root: Path) -> Iterator[Path]:
    ignored = _Ignored(root)
    tracked = _seen_by_git(root)
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_left_out(here / name) and not ignored.has(here / name))
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or path.suffix.lower() not in _SUFFIXES or not path.is_file() or ignored.has(path):
                continue
            if tracked is not None and path.relative_to(root).as_posix() not in tracked:
                continue
            if path.stat().st_size <= _MOST_BYTES:
                yield path


def _is_left_out(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in _LEFT_OUT or (folder / "pyvenv.cfg").is_file():
        return True
    # A folder `data` holds data, unless it is a package of the project.
    return folder.name == "data" and not (folder / "__init__.py").is_file()


def _seen_by_git(root: Path) -> set[str] | None:
    """What git does not ignore, by its own word; None where there is no git or no repository."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    # A folder that the repository around it ignores as a whole is a project all the same.
    return set(done.stdout.decode("utf-8", "surrogateescape").split("\0")) - {""} or None


class _Ignored:
    """The project's own `.gitignore`, for where git cannot be asked: names, globs and folders, one a line."""

    def __init__(self, root: Path) -> None:
        self._root = root
        path = root / ".gitignore"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = [line.strip() for line in text.splitlines()]
        self._patterns = [line.rstrip("/") for line in lines if line and line[0] not in "#!"]

    def has(self, path: Path) -> bool:
        """Whether the file or folder is ignored."""
        place = path.relative_to(self._root).as_posix()
        return any(
            fnmatch.fnmatch(place, pattern.lstrip("/")) if "/" in pattern else fnmatch.fnmatch(path.name, pattern)
            for pattern in self._patterns
        )
