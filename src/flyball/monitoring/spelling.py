"""New categories that are known ones written otherwise: `Ua` for `UA`, `New-York` for `new york`, `Bostn` for `Boston`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

_LEAST_LETTERS = 4


def near(found: Mapping[str, int], known: Sequence[str]) -> dict[str, str]:
    """For each new category that is like a known one, which; the others are left out.

    Alike are texts that differ in case, spaces, signs or accents, and from four letters on those that one letter more,
    less, other or swapped makes equal (Damerau, Commun. ACM 7, 1964).
    """
    plain: dict[str, str] = {}
    for one in known:
        plain.setdefault(_plain(one), one)
    alike = {}
    for name in found:
        text = _plain(name)
        level = plain.get(text) if text else None
        if level is None and len(text) >= _LEAST_LETTERS and not text.isdigit():
            level = next((plain[other] for other in _one_away(text, plain)), None)
        if level is not None:
            alike[name] = level
    return alike


def words(alike: Mapping[str, str]) -> str:
    """What is like what, to be added to a sentence.

    >>> words({"Ua": "UA"})
    " (written otherwise: 'Ua' for 'UA')"
    """
    pairs = [f"'{name}' for '{level}'" for name, level in list(alike.items())[:3]]
    return f" (written otherwise: {', '.join(pairs)})" if pairs else ""


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in spread if letter.isalnum())


def _one_away(text: str, known: Mapping[str, str]) -> Iterable[str]:
    return (other for other in known if abs(len(other) - len(text)) <= 1 and _is_one_away(text, other))


def _is_one_away(one: str, other: str) -> bool:
    if one == other or other.isdigit():
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    same = len(a) == len(b) and (a[1:] == b[1:] or (a[1:2] + a[:1] == b[:2] and a[2:] == b[2:]))
    return same or a[1:] == b or b[1:] == a
