"""Looks through an audit log for the first row that is not what was written: changed, removed, inserted or cut off.

It needs the rows and the signed heads alone, so an export is checked by the same code, far from the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flyball.governance.audit_keys import is_signed
from flyball.storage.audit_chain import HASHED, START, Seal, event_digest, row_hash

Wrong = Literal[
    "changed", "removed", "inserted", "cut off", "rewritten", "event changed", "event removed", "event inserted"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRow:
    """The first place where the log is not what was written.

    Attributes:
        id: The row; the first missing one where rows were removed.
        what: What was done to it.
        why: How that is known, in one sentence.
    """

    id: int
    what: Wrong
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheck:
    """What a check of the audit log came to.

    Attributes:
        rows: How many rows were looked at.
        last: Id of the last row.
        signed: The last row that a signature of a known key stands for; 0 if there is none.
        unknown_keys: Keys that signed heads and that nobody has named as trusted.
        broken: The first row that is not what was written; None if all are.
    """

    rows: int
    last: int
    hash: str
    signed: int
    unknown_keys: tuple[str, ...] = ()
    broken: BrokenRow | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.broken is None


class Checker:
    """Takes rows in their order, and says what is wrong with the first that is.

    Args:
        seals: Signed heads, of the log itself and of those kept elsewhere.
        keys: Trusted public keys by their id.
        start: Id and hash of the row before the first one that will come; the beginning of the log by default.
    """

    def __init__(self, seals: Iterable[Seal], keys: Mapping[str, Any], start: tuple[int, str] = (0, START)) -> None:
        self._seals: dict[int, list[Seal]] = {}
        for seal in seals:
            self._seals.setdefault(seal.id, []).append(seal)
        self._keys = keys
        self._last, self._hash = self._start = start
        self._rows = 0
        self._signed = 0
        self._unknown: set[str] = set()
        self.broken: BrokenRow | None = None

    def take(self, rows: Iterable[Sequence[Any]], event: Callable[[int], Sequence[Any] | None] | None = None) -> bool:
        """Looks at further rows, whose fields stand as in `COLUMNS`; False once something is wrong.

        Args:
            event: Gives an event's fields as they stand in the event log now; events are not looked at without it.
        """
        for row in rows:
            self.broken = self._wrong_with(row) or (event and self._wrong_event(row, event)) or None
            if self.broken is not None:
                return False
            self._last, self._hash = row[0], row[-1]
            self._rows += 1
            self.broken = self._wrong_seal()
            if self.broken is not None:
                return False
        return True

    def result(self, head: tuple[int, str] | None = None) -> AuditCheck:
        """What the check came to, after the last row.

        Args:
            head: Where the log itself says that it ends.
        """
        if self.broken is None:
            self.broken = self._cut_off(head)
        return AuditCheck(
            rows=self._rows, last=self._last, hash=self._hash, signed=self._signed,
            unknown_keys=tuple(sorted(self._unknown)), broken=self.broken,
        )  # fmt: skip

    def _wrong_with(self, row: Sequence[Any]) -> BrokenRow | None:
        number, previous, stated = row[0], row[-2], row[-1]
        if number != self._last + 1:
            missing = self._last + 1
            return BrokenRow(id=missing, what="removed", why=f"After row {self._last} comes row {number}.")
        if row_hash(row[: len(HASHED)]) != stated:
            return BrokenRow(id=number, what="changed", why="Its fields do not give the hash that it holds.")
        if previous != self._hash:
            if self._last == self._start[0]:
                return BrokenRow(id=number, what="inserted", why="It does not follow on the beginning of the log.")
            why = f"Row {number} was written after a row of another hash than row {self._last} has now."
            return BrokenRow(id=self._last, what="changed", why=why)
        return None

    def _wrong_event(self, row: Sequence[Any], event: Callable[[int], Sequence[Any] | None]) -> BrokenRow | None:
        number = row[HASHED.index("event")]
        if number is None:
            return None
        found = event(number)
        if found is None:
            return BrokenRow(id=row[0], what="event removed", why=f"Event {number}, which it tells of, is gone.")
        if event_digest(*found) != row[HASHED.index("facts")]:
            return BrokenRow(id=row[0], what="event changed", why=f"Event {number} is not what it was then.")
        return None

    def _wrong_seal(self) -> BrokenRow | None:
        for seal in self._seals.get(self._last, ()):
            if not self._is_trusted(seal):
                continue
            if seal.hash != self._hash:
                why = f"Its hash was signed as {seal.hash[:12]} and is {self._hash[:12]}: a row after {self._signed} is another."
                return BrokenRow(id=self._signed + 1, what="rewritten", why=why)
            self._signed = self._last
        return None

    def _is_trusted(self, seal: Seal) -> bool:
        key = self._keys.get(seal.key)
        if key is None:
            self._unknown.add(seal.key)
            return False
        return is_signed(seal, key)

    def _cut_off(self, head: tuple[int, str] | None) -> BrokenRow | None:
        beyond = [seal for number in self._seals if number > self._last for seal in self._seals[number]]
        signed = max((seal.id for seal in beyond if self._is_trusted(seal)), default=0)
        if signed:
            why = f"Row {signed} was signed, and the last one is row {self._last}."
            return BrokenRow(id=self._last + 1, what="cut off", why=why)
        if head is not None and head[0] > self._last:
            why = f"The log ended with row {head[0]}, and the last one is row {self._last}."
            return BrokenRow(id=self._last + 1, what="cut off", why=why)
        if head is not None and head[0] < self._last:
            why = f"The log ended with row {head[0]}, and there is a row {self._last}."
            return BrokenRow(id=head[0] + 1, what="inserted", why=why)
        if head is not None and head[1] != self._hash:
            return BrokenRow(id=self._last, what="changed", why="The log ended with another hash.")
        return None
