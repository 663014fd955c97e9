"""What was made from what: edges between things, followed up to their sources and down to what came of them.

This room keeps references as text and never asks whether the thing behind one exists. It never decides anything.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput
from flyball.lineage import _store
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

_MOST_EDGES = 10_000
# A thing and its versions: where one of the first kind is walked from, those of the second are its versions.
_VERSIONS = {"datasets": "snapshots", "models": "models"}
IS_VERSION = "version"
"""The relation between a thing and a version of it, where `versions` is asked for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """One step from a column to a column that was made of it.

    Attributes:
        direct: Whether its values went in; otherwise they only chose rows or groups.
        how: Such as `identity`, `transformation`, `aggregation`, `filter`.
    """

    source: str
    source_column: str
    target: str
    target_column: str
    direct: bool
    how: str


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

    def set_columns(self, connection: sa.Connection, target: str, edges: list[ColumnEdge]) -> None:
        """Says what the columns of a thing were made from, in place of what was said before.

        Raises:
            InvalidInput: a reference or the name of a column cannot be used.
        """
        rows = {}
        for edge in edges:
            row = {**asdict(edge), "source": _check(edge.source), "target": _check(target)}
            _check_column(edge.source_column)
            _check_column(edge.target_column)
            rows[row["target_column"], row["source"], row["source_column"], row["direct"]] = row
        _store.replace_columns(connection, _check(target), list(rows.values()))

    @read
    def upstream(self, ref: str, depth: int = 10, versions: bool = False) -> list[Edge]:
        """The edges that lead to a thing, nearest first: what it was made from.

        Args:
            depth: How many steps to follow, 1 to 100.
            versions: Whether to go on from a thing to its versions, and from a snapshot to its dataset.
        """
        return self._follow(ref, depth, upstream=True, versions=versions)

    @read
    def downstream(self, ref: str, depth: int = 10, versions: bool = False) -> list[Edge]:
        """The edges that lead away from a thing, nearest first: what came of it.

        Args:
            depth: How many steps to follow, 1 to 100.
            versions: Whether to go on from a thing to its versions, and from a snapshot to its dataset.
        """
        return self._follow(ref, depth, upstream=False, versions=versions)

    @read
    def columns(self, ref: str, column: str = "", depth: int = 10, upstream: bool = True) -> list[ColumnEdge]:
        """The columns that the columns of a thing were made from, nearest first; or what was made from them.

        Args:
            column: Only this column; all by default.
            depth: How many steps to follow, 1 to 100.
            upstream: Without it, what came of the columns.
        """
        found: dict[ColumnEdge, None] = {}
        frontier, seen = {(_check(ref), column)}, set[tuple[str, str]]()
        with self._database.reading() as connection:
            for _ in range(max(1, min(depth, 100))):
                rows = _store.columns_at(connection, sorted({name for name, _ in frontier}), upstream=upstream)
                edges = [ColumnEdge(**row) for row in rows]
                seen |= frontier
                ends = set()
                for edge in edges:
                    near, far = _ends(edge, upstream=upstream)
                    # A star stands for columns that nobody knows by name: any of them may be meant.
                    asked = {name for ref, name in frontier if ref == near[0]}
                    if asked and (near[1] == "*" or asked & {near[1], "", "*"}):
                        found[edge] = None
                        ends.add(far)
                frontier = ends - seen
                if not frontier or len(found) >= _MOST_EDGES:
                    break
        return list(found)[:_MOST_EDGES]

    def _follow(self, ref: str, depth: int, *, upstream: bool, versions: bool) -> list[Edge]:
        frontier, seen = {_check(ref)}, {_check(ref)}
        found: dict[tuple[str, str, str], Edge] = {}
        with self._database.reading() as connection:
            # One query per step, not a recursive one: a recursive query on a graph with many paths to the same
            # thing walks every path, and those can be exponentially many.
            for _ in range(max(1, min(depth, 100))):
                edges = _of_versions(connection, frontier, upstream=upstream) if versions else []
                edges += [Edge(**row._mapping) for row in _store.edges_at(connection, frontier, upstream=upstream)]
                found.update({(edge.source, edge.target, edge.relation): edge for edge in edges})
                ends = {edge.source if upstream else edge.target for edge in edges}
                frontier = ends - seen
                seen |= frontier
                if not frontier or len(found) >= _MOST_EDGES:
                    break
        return list(found.values())[:_MOST_EDGES]


def _of_versions(connection: sa.Connection, names: set[str], *, upstream: bool) -> list[Edge]:
    """The edges between things and those of their versions that lie on the way."""
    found: list[Edge] = []
    never = datetime(1970, 1, 1, tzinfo=UTC)
    for name in sorted(names):
        ref = Ref.parse(name)
        thing = next((kind for kind, version in _VERSIONS.items() if version == ref.kind and ref.version), "")
        if thing and upstream and thing != ref.kind:
            whole = str(Ref(kind=thing, name=ref.name))
            found.append(Edge(source=whole, target=name, relation=IS_VERSION, at=never))
        if ref.kind in _VERSIONS and not ref.version and not ref.alias:
            under = f"{_VERSIONS[ref.kind]}:/{ref.name}/"
            for version in _store.ends_under(connection, under, upstream=upstream):
                # Up or down, the walk goes from the thing to its version.
                ends = (version, name) if upstream else (name, version)
                found.append(Edge(source=ends[0], target=ends[1], relation=IS_VERSION, at=never))
    return found


def _ends(edge: ColumnEdge, *, upstream: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    source, target = (edge.source, edge.source_column), (edge.target, edge.target_column)
    return (target, source) if upstream else (source, target)


def _check_column(name: str) -> None:
    if not name or len(name) > 300 or not name.isprintable():
        raise InvalidInput(f"{name[:60]!r} cannot be the name of a column.")


def _check(ref: str) -> str:
    if len(ref) > 300 or not ref.isprintable():
        raise InvalidInput(f"{ref[:60]!r} is not a reference.", hint="Write it as models:/name/3 or runs:/id.")
    return str(Ref.parse(ref))


def _check_relation(relation: str) -> str:
    if not relation or len(relation) > 40 or not relation.replace("_", "").isalnum():
        raise InvalidInput(f"{relation[:60]!r} cannot be a relation.", hint="Use a word such as trained_on.")
    return relation
