"""What MLflow takes as a key or value, and how it says that it does not."""

from __future__ import annotations

import json
import posixpath
import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from flyball.server.protocols.mlflow.wire import MlflowError

KEY_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
EXPERIMENT_TAG_LENGTH = 20_000
MOST_METRICS = 1_000
MOST_PARAMS = 100
MOST_ENTITIES = 1_000
MOST_RESULTS = 50_000
SEE = " See the API docs for more information about request parameters."
_KEY = re.compile(r"[/\w.\- :]*")
_RUN = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_ODD_KEY = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
STORES = frozenset(
    {"s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "dbfs", "hdfs", "viewfs", "r2", "b2", "http", "https"}
)
"""Schemes of stores in which clients keep and fetch files themselves; the server never opens an address of one."""


def invalid(path: str, value: object, message: str = "") -> MlflowError:
    """Says that a value cannot be used."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    shown = shown if len(shown) <= 1000 else f"{shown[:1000]}..."
    return MlflowError(f"Invalid value {shown} for parameter '{path}' supplied{': ' + message if message else '.'}")


def missing(path: str) -> MlflowError:
    """Says that a value is not there."""
    return MlflowError(f"Missing value for required parameter '{path}'.{SEE}")


def too_long(what: str, limit: int) -> MlflowError:
    """Says that a text is too long."""
    return MlflowError(f"'{what}' exceeds the maximum length of {limit} characters")


def check_key(key: str, path: str, what: str) -> str:
    """Gives the key of a param, metric or tag back.

    Args:
        path: Where it stood.
        what: What it is called where it is too long.

    Raises:
        MlflowError: it is none.
    """
    if not is_plain(key):
        if not _KEY.fullmatch(key):
            raise invalid(path, key, _ODD_KEY)
        if _is_path(key):
            where = posixpath.normpath(key)
            said = "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
            raise invalid(path, key, f"{said} This name would resolve to {where!r}")
        raise too_long(what, KEY_LENGTH)
    return key


@lru_cache(maxsize=10_000)
def is_plain(key: str) -> bool:
    """Whether a metric, param or tag may be called so."""
    return len(key) <= KEY_LENGTH and _KEY.fullmatch(key) is not None and not _is_path(key)


def _is_path(key: str) -> bool:
    where = posixpath.normpath(key)
    return where != key or where == "." or where.startswith(("..", "/"))


def check_run(run: str) -> str:
    """Gives the id of a run back if it may be one.

    Raises:
        MlflowError: it may not.
    """
    if not _RUN.fullmatch(run):
        raise invalid("run_id", run)
    return run


def check_most(what: str, limit: int, count: int) -> None:
    """Makes sure that a batch does not hold too many.

    Raises:
        MlflowError: it does.
    """
    if count > limit:
        raise MlflowError(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}."
            f" Please split up {what} across multiple requests and try again."
        )


def check_results(given: int, *, hinted: bool = False) -> int:
    """Gives the size of a page back.

    Args:
        hinted: In the words that MLflow has for it where runs are searched.

    Raises:
        MlflowError: it is less than one, or too much.
    """
    if given > MOST_RESULTS and hinted:
        raise invalid("max_results", given, f" Hint: Value was of type 'int'.{SEE}")
    if given <= 0:
        raise MlflowError(f"Invalid value {given} for parameter 'max_results' supplied. It must be a positive integer")
    if given > MOST_RESULTS:
        raise MlflowError(
            f"Invalid value {given} for parameter 'max_results' supplied. It must be at most {MOST_RESULTS}"
        )
    return given


def check_experiment_name(name: str) -> str:
    """Gives the name of an experiment back.

    Raises:
        MlflowError: it is empty or too long.
    """
    if not name.strip():
        raise MlflowError(f"Invalid experiment name: '{name}'")
    if len(name) > 500:
        raise too_long("name", 500)
    return name


def check_location(uri: str) -> str:
    """Gives the address back where an experiment's files are to go.

    Raises:
        MlflowError: it is no address of a store that clients reach by themselves.
    """
    field = "artifact_location"
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError as error:
        raise MlflowError(f"'{field}' is no address: {error}.") from error
    if parts.fragment:
        raise MlflowError(f"'{field}' URL can't include fragments or params.")
    if ".." in unquote(parts.query):
        raise MlflowError("Invalid query string")
    if uri.startswith("runs:"):
        raise MlflowError(f"Artifact location cannot be a runs:/ URI. Given: '{uri[:200]}'")
    if len(uri) > 2048:
        raise MlflowError(
            "Invalid artifact path length. The length of the artifact path cannot be greater than 2048 characters."
        )
    if parts.scheme not in STORES | {"mlflow-artifacts"}:
        raise MlflowError(
            f"'{field}' cannot be {uri[:200]!r}: this server keeps no files of clients in folders of its own choice."
            " Leave it out, or name a bucket such as s3://bucket/path."
        )
    if parts.password or (parts.scheme in ("http", "https") and not host):
        raise MlflowError(f"'{field}' may hold no password and needs a host where it is a web address.")
    if parts.scheme == "mlflow-artifacts":
        check_path(parts.path.lstrip("/"))
    return uri


def check_path(path: str) -> str:
    """Gives a path of an artifact as it is meant, whatever way it was escaped.

    Raises:
        MlflowError: it climbs, is absolute, or holds what no name may hold.
    """
    for _ in range(10):
        plain = _decoded(path)
        if plain == path:
            break
        path = plain
    else:
        raise _bad_path()
    if path.startswith(("/", "file:")) or "\\" in path or "#" in path or ".." in path.split("/"):
        raise _bad_path()
    if re.match(r"[A-Za-z]:/", path):
        raise _bad_path()
    return path


def _decoded(path: str) -> str:
    """The path with its escapes read, those apart that stand for no character of a name, as in `step%3%time%17`."""
    found = unquote(path, errors="surrogateescape")
    if found.isprintable():
        return found
    if "\0" in found or "\n" in found or "\r" in found:
        raise _bad_path()
    # MLflow's own clients make names with a percent sign before digits; these come back as they were.
    kept = "".join(_escaped(ord(character)) or character for character in found)
    if not kept.isprintable():
        raise _bad_path()
    return kept


def _escaped(point: int) -> str:
    if point < 0x20 or point == 0x7F:
        return f"%{point:02x}"
    return f"%{point - 0xDC00:02x}" if 0xDC80 <= point <= 0xDCFF else ""


def _bad_path() -> MlflowError:
    return MlflowError("Invalid path")


def truncated(value: str, limit: int) -> str:
    """The beginning of a text that is too long, as MLflow keeps it."""
    return value if len(value) <= limit else value[:limit]


def text_of(value: Any) -> str:
    """A text, also where none was given."""
    return "" if value is None else str(value)
