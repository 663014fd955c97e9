"""What was made from what: edges between things, followed up to their sources and down to what came of them.

This room keeps references as text and never asks whether the thing behind one exists. It never decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput
from flyball.lineage import _store
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

_MOST_EDGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One step from a thing to what was made of it.

    Attributes:
        source: Text of the `Ref` that was used.
        target: Text of the `Ref` that came of it.
        relation: What the target did with the source, such as `trained_on`.
        at: When the edge was written.
    """

    source: str
    target: str
    relation: str
    at: datetime


class Lineage:
    """Keeps edges and follows them."""

    def __init__(self, database: Database, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    def add(self, connection: sa.Connection, source: str, target: str, relation: str) -> None:
        """Writes an edge in the transaction of the fact that made it; an edge that is there already stays as it was.

        Raises:
            InvalidInput: a reference or the relation cannot be used.
        """
        self.add_many(connection, [(source, target, relation)])

    def add_many(self, connection: sa.Connection, edges: list[tuple[str, str, str]]) -> None:
        """Writes several edges `(source, target, relation)` in one statement."""
        if not edges:
            return
        now = self._clock.now()
        rows = [
            {"source": _check(source), "target": _check(target), "relation": _check_relation(relation), "at": now}
            for source, target, relation in edges
        ]
        _store.insert(self._database, connection, rows)

    def rename(self, connection: sa.Connection, former: str, new: str) -> None:
        """Lets what is known of a thing, and of its versions, be known of it under another name.

        Args:
            former: Text of its `Ref`, without a version.
        """
        _store.rename(connection, _check(former), _check(new))

    @change
    def link(self, source: str, target: str, relation: str) -> None:
        """Says that the target was made with the source.

        Raises:
            InvalidInput: a reference or the relation cannot be used.
        """
        with self._database.transaction() as connection:
            self.add(connection, source, target, relation)

    @read
    def upstream(self, ref: str, depth: int = 10) -> list[Edge]:
        """The edges that lead to a thing, nearest first: what it was made from.

        Args:
            depth: How many steps to follow, 1 to 100.
        """
        return self._follow(ref, depth, upstream=True)

    @read
    def downstream(self, ref: str, depth: int = 10) -> list[Edge]:
        """The edges that lead away from a thing, nearest first: what came of it.

        Args:
            depth: How many steps to follow, 1 to 100.
        """
        return self._follow(ref, depth, upstream=False)

    def _follow(self, ref: str, depth: int, *, upstream: bool) -> list[Edge]:
        frontier, seen = {_check(ref)}, {_check(ref)}
        found: dict[tuple[str, str, str], Edge] = {}
        with self._database.reading() as connection:
            # One query per step, not a recursive one: a recursive query on a graph with many paths to the same
            # thing walks every path, and those can be exponentially many.
            for _ in range(max(1, min(depth, 100))):
                edges = [Edge(**row._mapping) for row in _store.edges_at(connection, frontier, upstream=upstream)]
                found.update({(edge.source, edge.target, edge.relation): edge for edge in edges})
                ends = {edge.source if upstream else edge.target for edge in edges}
                frontier = ends - seen
                seen |= frontier
                if not frontier or len(found) >= _MOST_EDGES:
                    break
        return list(found.values())[:_MOST_EDGES]


def _check(ref: str) -> str:
    if len(ref) > 300 or not ref.isprintable():
        raise InvalidInput(f"{ref[:60]!r} is not a reference.", hint="Write it as models:/name/3 or runs:/id.")
    return str(Ref.parse(ref))


def _check_relation(relation: str) -> str:
    if not relation or len(relation) > 40 or not relation.replace("_", "").isalnum():
        raise InvalidInput(f"{relation[:60]!r} cannot be a relation.", hint="Use a word such as trained_on.")
    return relation
