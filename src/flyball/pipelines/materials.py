"""Values as artifacts: kept by their content, each kind in the form that suits it, and read back."""

from __future__ import annotations

import base64
import io
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, Literal

from flyball.errors import Corrupt, InvalidInput
from flyball.pipelines.output import Output
from flyball.pipelines.step import Step
from flyball.refs import new_id
from flyball.serialization import canonical_json, digest, from_json, to_json, to_plain
from flyball.storage.objects import Blobs, digest_file

Kind = Literal["table", "arrow", "json", "noun", "file", "pickle", "live"]
_MOST_INLINE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A value that is kept.

    Attributes:
        digest: BLAKE3 of its bytes: equal values have equal ones.
        kind: The form it is kept in. `live` could not be kept: it is there while the run lasts, and equal to nothing.
        size: Bytes.
        type: Its Python type, as `module:name`.
        code: State of the project's code that its classes stand on; empty for none. A value whose class has changed is
            not the value it was.
        inline: The bytes themselves, in base 64, where they are so few that a blob would only cost.
        name: Name of the file, for files.
    """

    digest: str
    kind: Kind
    size: int
    type: str
    code: str = ""
    inline: str = ""
    name: str = ""

    @property
    def identity(self) -> str:
        """What two values must share to be the same input."""
        return f"{self.digest}:{self.code}" if self.code else self.digest


def save(value: object, blobs: Blobs, *, code_of: Callable[[Any], str] = lambda _: "") -> Artifact:
    """Keeps a value.

    Args:
        code_of: State of the code that a class or function of the project stands on; empty for one of a library.
    """
    kind = type(value)
    type_name = f"{kind.__module__}:{kind.__qualname__}"
    if isinstance(value, Path) and value.is_file():
        kept = blobs.put_file(value)
        return Artifact(digest=kept, kind="file", size=value.stat().st_size, type=type_name, name=value.name)
    form, data, code = _encode(value, code_of)
    if data is None:
        return Artifact(digest=digest(new_id().encode()), kind="live", size=0, type=type_name)
    if form in ("json", "noun", "pickle") and len(data) <= _MOST_INLINE:
        name, inline = digest(data), base64.b64encode(data).decode()
    else:
        name, inline = blobs.put(data), ""
    return Artifact(digest=name, kind=form, size=len(data), type=type_name, code=code, inline=inline)


def load(artifact: Artifact, blobs: Blobs) -> Any:
    """The value of an artifact. What was pickled runs its own code when it is read.

    Raises:
        NotFound: its bytes are no longer kept.
        Corrupt: they are not those that were kept, or cannot be read.
        InvalidInput: it could not be kept when it was made.
    """
    if artifact.kind == "live":
        raise InvalidInput(f"A {artifact.type.rpartition(':')[2]} was not kept and cannot be read back.")
    if artifact.kind == "file":
        return _file(artifact, blobs)
    data = base64.b64decode(artifact.inline) if artifact.inline else blobs.get(artifact.digest)
    try:
        return _decode(artifact, data)
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise Corrupt(f"A kept {artifact.type.rpartition(':')[2]} cannot be read back: {error}.") from error


def _encode(value: object, code_of: Callable[[Any], str]) -> tuple[Kind, bytes | None, str]:
    if (table := _as_table(value)) is not None:
        return table
    if _is_json(value):
        return "json", to_json(value), ""  # not canonical: the order of a dict's keys is part of what a step gave
    if is_dataclass(value) and not isinstance(value, type):
        data = _noun(value)
        if data is not None:
            return "noun", data, code_of(type(value))
    data, used = _pickle(value)
    codes = sorted(filter(None, (code_of(item) for item in used)))
    return "pickle", data, digest(canonical_json(codes)) if codes else ""


def _as_table(value: object) -> tuple[Kind, bytes, str] | None:
    pyarrow = sys.modules.get("pyarrow")  # no table has been made where it was not imported
    if pyarrow is None:
        return None
    from flyball.data.table import Table, parquet, write_table

    if isinstance(value, Table):
        whole = Table(value.arrow.combine_chunks(), **value.roles)  # how it is cut into chunks does not matter
        return "table", write_table(whole), ""
    if isinstance(value, pyarrow.Table):
        return "arrow", parquet(value.combine_chunks()), ""
    return None


def _is_json(value: object) -> bool:
    if value is None or type(value) is bool:
        return True
    if type(value) is str:
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    if type(value) is int:
        return -(1 << 63) <= value < 1 << 63
    if type(value) is float:
        return value - value == 0  # neither NaN nor infinite: JSON knows neither
    if type(value) is list:
        return all(map(_is_json, value))
    return type(value) is dict and all(type(key) is str and _is_json(item) for key, item in value.items())


def _noun(value: object) -> bytes | None:
    """A dataclass as JSON, if it comes back the same."""
    try:
        # A set has no order that lasts; where there is one, a dict's order is given up for bytes that do not change.
        data = canonical_json(value) if _holds_set(value) else to_json(value)
        same = bool(from_json(data, type(value)) == value)
    except (InvalidInput, TypeError, ValueError):
        return None
    return data if same and getattr(sys.modules.get(type(value).__module__), type(value).__qualname__, None) else None


def _holds_set(value: object) -> bool:
    if is_dataclass(value):
        return any(_holds_set(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return any(map(_holds_set, value.values()))
    return isinstance(value, set | frozenset) or (isinstance(value, list | tuple) and any(map(_holds_set, value)))


class _Pickler(pickle.Pickler):
    """Pickles, and notes which classes and functions are part of it."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.used: dict[str, Any] = {}

    def reducer_override(self, item: Any) -> Any:
        found = item if isinstance(item, type | FunctionType) else type(item)
        self.used.setdefault(f"{found.__module__}:{found.__qualname__}", found)
        return NotImplemented


def _pickle(value: object) -> tuple[bytes | None, list[Any]]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError, NotImplementedError):
        return None, []
    return file.getvalue(), [found for _, found in sorted(pickler.used.items())]


def _decode(artifact: Artifact, data: bytes) -> Any:
    if artifact.kind == "table":
        from flyball.data.table import read_table

        return read_table(data)
    if artifact.kind == "arrow":
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(data))
    if artifact.kind == "json":
        return from_json(data, Any)
    if artifact.kind == "noun":
        module, _, name = artifact.type.partition(":")
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return from_json(data, found)
    return pickle.loads(data)  # noqa: S301  # what this project's own steps have given


def _file(artifact: Artifact, blobs: Blobs) -> Path:
    """The file under its own name, for libraries that look at the suffix."""
    source = blobs.path(artifact.digest)
    folder = Path(tempfile.gettempdir()) / f"flyball-files-{os.getuid()}" / artifact.digest
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / Path(artifact.name).name
    if target.resolve() != source.resolve():
        fresh = folder / new_id()
        fresh.symlink_to(source.absolute())
        fresh.replace(target)
    return target


def fingerprint(value: object, blobs: Blobs, *, code_of: Callable[[Any], str]) -> Any:
    """Plain values that are equal where two arguments are the same input: literals as they are, the rest by content.

    Args:
        code_of: State of the code that a class or function of the project stands on.
    """
    if _is_json(value) and not isinstance(value, list | dict):
        return value
    if isinstance(value, Output):
        return {"artifact": value.source.identity(value.place)}
    if isinstance(value, Path):
        return _path_fingerprint(value)
    if type(value) in (list, tuple):
        return {type(value).__name__: [fingerprint(item, blobs, code_of=code_of) for item in value]}  # type: ignore[attr-defined]  # `in` narrows nothing
    if type(value) in (set, frozenset):
        items = [fingerprint(item, blobs, code_of=code_of) for item in value]  # type: ignore[attr-defined]  # `in` narrows nothing
        return {"set": sorted(items, key=canonical_json)}
    if type(value) is dict:
        return {"dict": [fingerprint(pair, blobs, code_of=code_of) for pair in value.items()]}
    if isinstance(value, type | FunctionType | Step):
        return {"code": code_of(value), "name": getattr(value, "__qualname__", "")}
    if is_dataclass(value):
        try:
            type_name = f"{type(value).__module__}:{type(value).__qualname__}"
            return {"noun": type_name, "code": code_of(type(value)), "value": to_plain(value)}
        except (InvalidInput, TypeError):
            pass
    artifact = save(value, blobs, code_of=code_of)
    return {"artifact": artifact.identity}


def _path_fingerprint(path: Path) -> Any:
    if path.is_file():
        return {"file": path.name, "content": digest_file(path)}
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        return {"folder": path.name, "files": {item.relative_to(path).as_posix(): digest_file(item) for item in files}}
    return {"path": str(path)}
