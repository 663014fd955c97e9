"""What a model server needs of this Python's installed distributions, file by file."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flyball.errors import MissingExtra
from flyball.version import __version__

SERVING = ("blake3", "httptools", "msgspec", "numpy", "pyarrow", "starlette", "urllib3", "uvicorn", "uvloop")
"""What the model server imports whatever the model is; `httptools` and `uvloop` where they are installed."""
_MAY_LACK = frozenset({"httptools", "uvloop"})
WITH_FEATURES = ("duckdb", "sqlalchemy")
"""What looks features up."""

# Large, and never imported by what they are for. By the start of the path in site-packages.
_LEFT_OUT = re.compile(
    r"(numpy|pandas|pyarrow|scipy|sklearn|joblib|xgboost|lightgbm|statsmodels)/(.+/)?tests/"
    r"|pyarrow/(include|src)/|pyarrow/.*\.(pxd|pyx|lib|a)$|onnxruntime/(tools|transformers|quantization)/"
    r"|numpy/.*\.(a|h|pyi|pxd)$|(.+/)?__pycache__/|.*\.pyc$"
)
_OWN_LEFT_OUT = re.compile(r"(.+/)?__pycache__/|(server/_page|_examples|cli/template)/|.*\.pyc$")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that is installed here.

    Attributes:
        files: Where each file lies, by its path in site-packages.
    """

    name: str
    version: str
    files: dict[str, Path]


def closure(names: Iterable[str]) -> list[Installed]:
    """The named distributions and all that they require, as they are installed here, by name.

    Raises:
        MissingExtra: one that is named is not installed.
    """
    found: dict[str, Installed] = {}
    waiting = [(name, "") for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extras = waiting.pop()
        name = normalised(name)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            here = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in _MAY_LACK or (name, extras) not in {(normalised(each), "") for each in names}:
                continue  # a requirement for another system or an extra that nobody asked for
            raise MissingExtra(f"'{name}' is not installed here.", hint=f"pip install {name}") from None
        if name not in found:
            found[name] = Installed(name=name, version=here.version, files=dict(_files(here)))
        waiting += _required(here, extras)
    return [found[name] for name in sorted(found)]


def own_files() -> Iterator[tuple[str, Path]]:
    """The files of Flyball itself, by their path in site-packages; without the web page."""
    root = Path(__file__).resolve().parents[1]
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not _OWN_LEFT_OUT.fullmatch(name) and not _OWN_LEFT_OUT.match(name):
            yield f"{root.name}/{name}", path


def own_metadata() -> tuple[str, bytes]:
    """What says that Flyball is installed, and which; without the plug-ins of others, which are not taken along."""
    text = f"Metadata-Version: 2.1\nName: flyball\nVersion: {__version__}\n"
    return f"flyball-{__version__}.dist-info/METADATA", text.encode()


def fingerprint(files: Iterable[tuple[str, Path]], *more: str) -> str:
    """What changes when a file does: 64 hexadecimal digits of names, sizes and times, of no meaning elsewhere."""
    told = hashlib.sha256()
    for name, path in files:
        stat = path.stat()
        told.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    for text in more:
        told.update(f"{text}\n".encode())
    return told.hexdigest()


def normalised(name: str) -> str:
    """The one name of a distribution that has many.

    >>> normalised("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(of: importlib.metadata.Distribution, extras: str) -> Iterator[tuple[str, str]]:
    # Markers are not evaluated: what is not installed here was not needed, and what is does no harm.
    wanted = {part.strip() for part in extras.split(",") if part.strip()}
    for text in of.requires or ():
        match = _REQUIREMENT.match(text)
        if match is None:
            continue
        marked = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", match[3] or "")
        if marked is None or marked[1] in wanted:
            yield match[1], match[2] or ""


def _files(of: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    roots = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    for file in of.files or ():
        name = file.as_posix()
        # Scripts lie above and name this machine's Python; RECORD and its like name this machine's folders.
        if name.startswith("..") or _LEFT_OUT.match(name):
            continue
        if (
            ".dist-info/" in name
            and not name.endswith(("/METADATA", "/entry_points.txt"))
            and "licen" not in name.lower()
        ):
            continue
        path = Path(str(of.locate_file(file)))
        if path.is_file() and any(path.resolve().is_relative_to(root) for root in (*roots, path.parent.resolve())):
            yield name, path
