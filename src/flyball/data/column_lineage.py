"""Which columns a query makes its columns from, read off the query alone by DuckDB's own parser.

Known are: columns named with or without their table, aliases, joins (USING too), subqueries, common table expressions, set
operations, stars (where the columns of the table are given), scalar subqueries, aggregates and windows. Not known, and left
out: columns without a table's name where two tables could hold them and their columns are not given, table functions, VALUES,
and whatever DuckDB cannot parse. Nothing is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flyball.errors import InvalidInput, MissingExtra

Node = dict[str, Any]
_HOW_MUCH = {"identity": 0, "transformation": 1, "aggregation": 2}
_AGGREGATES = frozenset({
    "any_value", "approx_count_distinct", "approx_quantile", "arg_max", "arg_min", "array_agg", "avg", "bit_and",
    "bit_or", "bit_xor", "bool_and", "bool_or", "corr", "count", "count_if", "count_star", "covar_pop", "covar_samp",
    "entropy", "first", "geomean", "histogram", "kurtosis", "last", "list", "mad", "max", "max_by", "mean", "median",
    "min", "min_by", "mode", "product", "quantile", "quantile_cont", "quantile_disc", "regr_slope", "skewness",
    "stddev", "stddev_pop", "stddev_samp", "string_agg", "sum", "var_pop", "var_samp", "variance",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A column of a table that a query reads.

    Attributes:
        table: As the query names it, its parts joined by dots.
        column: `*` where it is not known which.
        direct: Whether its values go in; otherwise they only choose rows or groups.
        how: `identity`, `transformation`, `aggregation`; `filter`, `join`, `group_by`, `sort` where it is not direct.
    """

    table: str
    column: str
    direct: bool = True
    how: str = "identity"


@dataclass(frozen=True, slots=True)
class _Source:
    """What stands after FROM under one name: its columns, or None where they are not known, and how to get at one."""

    name: str
    table: str
    columns: dict[str, tuple[Origin, ...]] | None


Made = dict[str, tuple[Origin, ...]]


def columns_of_query(sql: str, tables: Mapping[str, Sequence[str]] | None = None) -> Made:
    """The origins of each column that a SELECT gives, in their order.

    Args:
        sql: One SELECT, in a language that DuckDB's parser takes.
        tables: The columns of the tables it reads, as far as they are known.

    >>> columns_of_query("SELECT price * 2 AS twice FROM orders")["twice"]
    (Origin(table='orders', column='price', direct=True, how='transformation'),)

    Raises:
        InvalidInput: it cannot be parsed, or is no SELECT.
    """
    return _Reader({name.casefold(): tuple(columns) for name, columns in (tables or {}).items()}).query(_parse(sql), {})


def tables_of_query(sql: str) -> tuple[str, ...]:
    """The tables that a SELECT reads, as it names them, without those that it makes itself.

    >>> tables_of_query("WITH w AS (SELECT * FROM a) SELECT * FROM w JOIN s.b USING (id)")
    ('a', 's.b')

    Raises:
        InvalidInput: it cannot be parsed, or is no SELECT.
    """
    tree = _parse(sql)
    made = {entry["key"].casefold() for node in _nodes(tree) for entry in _common_tables(node)}
    found = [_table_name(node) for node in _nodes(tree) if node.get("type") == "BASE_TABLE"]
    return tuple(dict.fromkeys(name for name in found if name.casefold() not in made))


def _parse(sql: str) -> Node:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("Reading a query needs DuckDB.", hint="pip install 'flyball[data]'") from error
    with duckdb.connect() as connection:
        answer = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    assert answer is not None
    parsed = json.loads(answer[0])
    if parsed.get("error") or len(parsed.get("statements", ())) != 1:
        why = parsed.get("error_message") or "it is not one SELECT"
        raise InvalidInput(f"The query cannot be read: {why}.", hint="Only what DuckDB parses as a SELECT can be.")
    tree: Node = parsed["statements"][0]["node"]
    return tree


class _Reader:
    def __init__(self, tables: Mapping[str, tuple[str, ...]]) -> None:
        self._tables = tables

    def query(self, node: Node, outer: Mapping[str, Made]) -> Made:
        known = dict(outer)
        for entry in _common_tables(node):
            columns = self.query(_inside(entry["value"]), known)
            known[entry["key"].casefold()] = _renamed(columns, entry["value"].get("aliases") or ())
        if node["type"] == "RECURSIVE_CTE_NODE":
            first = self.query(node["left"], known)
            return _united([first, self.query(node["right"], {**known, node["cte_name"].casefold(): first})])
        if node["type"] == "SET_OPERATION_NODE":
            # Lately a list of children; `left` and `right` before.
            sides = node.get("children") or [node["left"], node["right"]]
            return _united([self.query(side, known) for side in sides])
        if node["type"] != "SELECT_NODE":
            return {}
        return self._select(node, known)

    def _select(self, node: Node, known: Mapping[str, Made]) -> Made:
        sources: list[_Source] = []
        indirect = list(self._from(node.get("from_table") or {}, known, sources))
        for part, how in (("where_clause", "filter"), ("having", "filter"), ("qualify", "filter")):
            indirect += self._chosen(node.get(part), sources, known, how)
        for grouped in node.get("group_expressions") or ():
            indirect += self._chosen(grouped, sources, known, "group_by")
        for modifier in node.get("modifiers") or ():
            for order in modifier.get("orders") or ():
                indirect += self._chosen(order.get("expression"), sources, known, "sort")
        made: Made = {}
        for place, item in enumerate(node["select_list"]):
            for name, origins in self._item(item, place, sources, known):
                made[name] = tuple(dict.fromkeys([*origins, *indirect]))
        return made

    def _item(
        self, item: Node, place: int, sources: list[_Source], known: Mapping[str, Made]
    ) -> Iterator[tuple[str, tuple[Origin, ...]]]:
        if item.get("class") == "STAR":
            yield from _star(item, sources)
            return
        name = item.get("alias") or (item["column_names"][-1] if item.get("column_names") else f"column{place}")
        yield name, tuple(self._origins(item, sources, known))

    def _from(self, node: Node, known: Mapping[str, Made], sources: list[_Source]) -> Iterator[Origin]:
        kind = node.get("type", "")
        if kind == "BASE_TABLE":
            sources.append(self._table(node, known))
        elif kind == "SUBQUERY":
            columns = _renamed(self.query(_inside(node), known), node.get("column_name_alias") or ())
            sources.append(_Source(node.get("alias") or "", "", columns))
        elif kind == "JOIN":
            yield from self._from(node["left"], known, sources)
            yield from self._from(node["right"], known, sources)
            yield from self._chosen(node.get("condition"), sources, known, "join")
            for column in node.get("using_columns") or ():
                for source in sources:
                    yield from _indirect(_of_source(source, column), "join")

    def _table(self, node: Node, known: Mapping[str, Made]) -> _Source:
        table = _table_name(node)
        alias = node.get("alias") or table.rpartition(".")[2]
        made = known.get(table.casefold())
        if made is not None:
            return _Source(alias, "", made)
        listed = self._tables.get(table.casefold())
        columns: Made | None = None
        if listed is not None:
            columns = {name: (Origin(table=table, column=name),) for name in listed}
        return _Source(alias, table, columns)

    def _chosen(
        self, node: Node | None, sources: list[_Source], known: Mapping[str, Made], how: str
    ) -> Iterator[Origin]:
        if node:
            yield from _indirect(self._origins(node, sources, known), how)

    def _origins(
        self, node: Any, sources: list[_Source], known: Mapping[str, Made], how: str = "identity"
    ) -> Iterator[Origin]:
        if isinstance(node, list):
            for part in node:
                yield from self._origins(part, sources, known, how)
            return
        if not isinstance(node, dict):
            return
        kind = node.get("class")
        if kind == "COLUMN_REF":
            for origin in _find(node["column_names"], sources):
                yield _more(origin, how)
            return
        if kind == "SUBQUERY":
            for origins in self.query(_inside(node), known).values():
                yield from (_more(origin, "transformation") for origin in origins)
            yield from self._origins(node.get("child"), sources, known, "transformation")
            return
        deeper = _how(node, how) if kind else how
        for value in node.values():
            if isinstance(value, dict | list):
                yield from self._origins(value, sources, known, deeper)


def _inside(holder: Node) -> Node:
    """The query that a subquery or a common table expression holds; how it is written changed with DuckDB's releases."""
    inner: Node = holder.get("query_node") or holder.get("subquery") or holder["query"]
    found: Node = inner.get("node", inner)
    return found


def _how(node: Node, how: str) -> str:
    own = "transformation"
    if node.get("class") == "FUNCTION" and str(node.get("function_name", "")).casefold() in _AGGREGATES:
        own = "aggregation"
    return max(own, how, key=lambda each: _HOW_MUCH[each])


def _more(origin: Origin, how: str) -> Origin:
    """The origin after something was done with it; what chose rows goes on doing only that."""
    if not origin.direct:
        return origin
    return replace(origin, how=max(origin.how, how, key=lambda each: _HOW_MUCH[each]))


def _indirect(origins: Iterator[Origin] | Sequence[Origin], how: str) -> Iterator[Origin]:
    return (replace(origin, direct=False, how=how if origin.direct else origin.how) for origin in origins)


def _find(names: Sequence[str], sources: list[_Source]) -> Sequence[Origin]:
    """The origins of a column as it is named: `column`, `table.column`, `schema.table.column`, or a field of a struct."""
    if len(names) > 1:
        # The longest beginning that names a source is it; the next part is the column.
        for cut in range(len(names) - 1, 0, -1):
            wanted = ".".join(names[:cut]).casefold()
            for source in sources:
                if wanted in (source.name.casefold(), source.table.casefold()):
                    return _of_source(source, names[cut])
    holding = [s for s in sources if s.columns is not None and _own(s.columns, names[0]) is not None]
    if holding:
        return _of_source(holding[0], names[0])
    unknown = [source for source in sources if source.columns is None]
    return _of_source(unknown[0], names[0]) if len(unknown) == 1 else ()


def _of_source(source: _Source, column: str) -> Sequence[Origin]:
    if source.columns is None:
        return (Origin(table=source.table, column=column),)
    return _own(source.columns, column) or ()


def _own(columns: Made, name: str) -> tuple[Origin, ...] | None:
    found = columns.get(name)
    if found is None:
        found = next((origins for own, origins in columns.items() if own.casefold() == name.casefold()), None)
    return found if found is not None else columns.get("*")


def _star(item: Node, sources: list[_Source]) -> Iterator[tuple[str, tuple[Origin, ...]]]:
    of = (item.get("relation_name") or "").casefold()
    left_out = {str(_last(name)).casefold() for name in item.get("exclude_list") or ()}
    left_out |= {str(_last(name)).casefold() for name in item.get("qualified_exclude_list") or ()}
    for source in sources:
        if of and of not in (source.name.casefold(), source.table.casefold()):
            continue
        if source.columns is None:
            yield "*", (Origin(table=source.table, column="*"),)
            continue
        yield from ((name, origins) for name, origins in source.columns.items() if name.casefold() not in left_out)


def _last(name: Any) -> Any:
    return name.get("column", name.get("name", "")) if isinstance(name, dict) else name


def _renamed(columns: Made, names: Sequence[str]) -> Made:
    return dict(zip([*names, *list(columns)[len(names) :]], columns.values(), strict=False))


def _united(sides: list[Made]) -> Made:
    first = sides[0]
    for side in sides[1:]:
        # By place, as SQL does it.
        pairs = zip(first.items(), [*side.values(), *[()] * len(first)], strict=False)
        first = {name: tuple(dict.fromkeys([*origins, *more])) for (name, origins), more in pairs}
    return first


def _table_name(node: Node) -> str:
    parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
    return ".".join(part for part in parts if part)


def _common_tables(node: Node) -> list[Node]:
    found: list[Node] = (node.get("cte_map") or {}).get("map") or []
    return found


def _nodes(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _nodes(part)
