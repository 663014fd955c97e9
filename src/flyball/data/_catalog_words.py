"""Texts as words that any full-text index finds: the same on SQLite and PostgreSQL, whatever a person types."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_MOST_WORDS = 16
_LONGEST_TEXT = 200_000
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Scripts that are written without spaces: each sign counts as a word, several in a row as a phrase.
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r'"([^"]*)"?')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand one after the other; the last may be the beginning of a longer one."""

    words: tuple[str, ...]
    is_prefix: bool


def words_of(text: str) -> str:
    """The words of a text, small, without accents, one space between them; parts of `camelCase` and `snake_case` too.

    >>> words_of("Überfällige lateFlights_v2")
    'uberfallige late flights v2'
    """
    spaced = _CAMEL.sub(" ", text[:_LONGEST_TEXT])
    plain = "".join(c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c)).casefold()
    return " ".join(_WORD.findall(_UNSPACED.sub(r" \1 ", plain)))


def phrases_of(typed: str) -> list[Phrase]:
    """What a person looks for: every word, as the beginning of one; what stands in quotes exactly.

    >>> phrases_of('late "New York"')
    [Phrase(words=('late',), is_prefix=True), Phrase(words=('new', 'york'), is_prefix=False)]
    """
    found = [Phrase(words, False) for text in _QUOTED.findall(typed) if (words := tuple(words_of(text).split()))]
    loose = [
        Phrase(words, True) for part in _QUOTED.sub(" ", typed).split() if (words := tuple(words_of(part).split()))
    ]
    return [*loose, *found][:_MOST_WORDS]


def fts5_query(phrases: list[Phrase]) -> str:
    """The search in the language of SQLite's FTS5; words are letters and digits alone, so nothing need be escaped."""
    return " AND ".join(f'"{" ".join(p.words)}"{"*" if p.is_prefix else ""}' for p in phrases)


def tsquery(phrases: list[Phrase]) -> str:
    """The search in the language of PostgreSQL's `to_tsquery`."""
    return " & ".join(
        "(" + " <-> ".join([*p.words[:-1], p.words[-1] + (":*" if p.is_prefix else "")]) + ")" for p in phrases
    )


def fits(text: str, phrases: list[Phrase]) -> bool:
    """Whether any of the phrases stands in a text."""
    padded = f" {words_of(text)} "
    return any(f" {' '.join(p.words)}{'' if p.is_prefix else ' '}" in padded for p in phrases)
