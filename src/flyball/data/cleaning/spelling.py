"""Spelling: the same value written in several ways: other case, spaces around it, a letter wrong."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect

_MOST_VALUES = 1_000
_RARE = 0.02  # of the rows of what it seems to mean
_LEAST_LENGTH = 5


class Spelling:
    """Compares the values of columns with at most 1,000 of them."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Values that mean the same."""
        for column in suspect.of_type("string"):
            if (column.distinct or 0) > _MOST_VALUES or column.column in suspect.personal:
                continue
            rows = Counter(suspect.table.column(column.column).drop_null().to_pylist())
            variants = _variants(rows)
            if variants:
                yield _finding(suspect, column.column, variants, rows, "differ by case, spaces or accents only", 0.9)
            kept = Counter({value: count for value, count in rows.items() if value not in variants})
            misspelt = _misspelt(kept)
            if misspelt:
                yield _finding(suspect, column.column, misspelt, rows, "look misspelt", 0.6)


def _finding(
    suspect: Suspect, name: str, same: dict[str, str], rows: Counter[str], how: str, confidence: float
) -> CleanFinding:
    return CleanFinding(
        kind="spelling",
        column=name,
        found=f"{len(same):,} values of '{name}' {how}",
        rows=sum(rows[value] for value in same),
        confidence=confidence,
        examples=suspect.show(name, [f"{value!r} for {meant!r}" for value, meant in same.items()]),
        fix=f"rows = fb.clean.merge_values(rows, {name!r}, {dict(list(same.items())[:50])!r})",
    )


def _variants(rows: Counter[str]) -> dict[str, str]:
    """Value to the most frequent way it is written."""
    groups: dict[str, list[str]] = defaultdict(list)
    for value in rows:
        groups[_plain(value)].append(value)
    found = {}
    for values in groups.values():
        best = min(values, key=lambda value: (-rows[value], value != value.strip(), value))
        found.update({value: best for value in values if value != best})
    return found


def _plain(value: str) -> str:
    letters = unicodedata.normalize("NFKD", " ".join(value.split()).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _misspelt(rows: Counter[str]) -> dict[str, str]:
    """Rare values that are one edit from a frequent one; short ones and those with digits are codes."""
    words = [value for value in rows if len(value) >= _LEAST_LENGTH and not any(letter.isdigit() for letter in value)]
    near: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for key in _deletions(word):
            near[key].append(word)
    found = {}
    for word in sorted(words, key=lambda value: rows[value]):
        others = {
            other for key in _deletions(word) for other in near[key] if other != word and _is_one_edit(word, other)
        }
        likely = [other for other in others if rows[word] <= _RARE * rows[other] and other not in found]
        if likely:
            found[word] = max(likely, key=lambda value: (rows[value], value))
    return found


def _deletions(word: str) -> set[str]:
    # Two words one edit apart share the word, or one with a letter less (Garbe's symmetric deletion).
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _is_one_edit(one: str, other: str) -> bool:
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped


plugin: Cleaner = Spelling()
