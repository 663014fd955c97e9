"""The YAML that MLflow's file store writes: small mappings of texts, numbers and mappings.

It is read here and not by a YAML library, which the core does not have: what PyYAML writes for such mappings is a small part
of YAML. Written is an even smaller one: JSON values behind keys, which is YAML as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput
from flyball.serialization import from_json, to_json

_KEY = re.compile(
    r"""( *)('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s'"#\-\[\]{},&*!|>%@`][^:]*?|-[^\s:][^:]*?):(?: (.*)|$)"""
)
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", " ": " ", '"': '"',
    "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_NULL = frozenset(("null", "Null", "NULL", "~", ""))
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "yes": True, "no": False}


def read_meta(path: Path) -> dict[str, Any]:
    """The mapping that a file holds.

    Raises:
        Corrupt: it holds none.
    """
    text = path.read_text(encoding="utf-8")
    lines = [] if text.strip() == "{}" else text.split("\n")
    try:
        found, _ = _mapping(lines, 0, 0)
    except (ValueError, IndexError, RecursionError, InvalidInput) as error:
        raise Corrupt(f"{path} is none of MLflow's own files: {error}.") from error
    return found


def write_meta(path: Path, values: dict[str, Any]) -> None:
    """Writes a mapping."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}: {to_json(value).decode()}\n" for key, value in values.items()), encoding="utf-8")


def _mapping(lines: list[str], at: int, indent: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(lines):
        line = lines[at]
        if not line.strip(" ") or line.lstrip(" ").startswith("#"):
            at += 1
            continue
        matched = _KEY.match(line)
        if matched is None or len(matched[1]) != indent:
            if matched is not None and len(matched[1]) < indent:
                break
            raise ValueError(f"line {at + 1} is no key with a value")
        key, rest = str(_scalar(matched[2])), (matched[3] or "").strip(" ")
        at += 1
        following = _KEY.match(lines[at]) if at < len(lines) else None
        if not rest and following is not None and len(following[1]) > indent:
            found[key], at = _mapping(lines, at, len(following[1]))
        else:
            found[key], at = _value(rest, lines, at, indent)
    return found, at


def _value(first: str, lines: list[str], at: int, indent: int) -> tuple[Any, int]:
    """A scalar with the lines that it goes on in."""
    if first[:1] in ("|", ">"):
        return _block(first, lines, at)
    parts = [first]
    quote = first[:1] if first[:1] in ("'", '"') else ""
    while not _is_whole("\n".join(parts), quote):
        parts.append(lines[at])
        at += 1
    if not quote:
        # A plain text that goes on stands deeper than its key.
        while at < len(lines) and lines[at].startswith(" " * (indent + 1)) and lines[at].strip(" "):
            parts.append(lines[at])
            at += 1
    return _scalar(_folded(parts, quote)), at


def _block(head: str, lines: list[str], at: int) -> tuple[str, int]:
    depth = len(lines[at]) - len(lines[at].lstrip(" ")) if at < len(lines) else 0
    parts = []
    while at < len(lines) and (not lines[at].strip(" ") or lines[at].startswith(" " * depth)):
        parts.append(lines[at][depth:])
        at += 1
    text = "\n".join(parts) if head[0] == "|" else " ".join(parts)
    return (text.rstrip("\n") if head[1:2] == "-" else text.rstrip("\n") + "\n"), at


def _is_whole(text: str, quote: str) -> bool:
    if quote == "'":
        return re.fullmatch(r"'(?:[^']|'')*'\s*", text) is not None
    if quote == '"':
        return re.fullmatch(r'"(?:[^"\\]|\\.)*"\s*', text, re.DOTALL) is not None
    return True


def _folded(parts: list[str], quote: str) -> str:
    """Lines as one: a break is a space, an empty line a break; after a backslash nothing."""
    text = parts[0]
    breaks = 0
    for part in parts[1:]:
        line = part.strip(" ")
        if not line:
            breaks += 1
            continue
        if quote == '"' and text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1] + line
        else:
            text = text.rstrip(" ") + ("\n" * breaks or " ") + line
        breaks = 0
    return text


def _scalar(text: str) -> Any:
    text = text.strip(" ")
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        return _ESCAPE.sub(_unescaped, text[1:-1])
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[:1] in ("{", "["):
        return from_json(text, object)
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d+)?", text):
        return float(text)
    return text


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if code[0] in "xuU" and len(code) > 1 else _ESCAPES.get(code, code)
