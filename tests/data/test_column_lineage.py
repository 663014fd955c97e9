from __future__ import annotations

import pytest

from flyball.data.column_lineage import Origin, columns_of_query, tables_of_query
from flyball.errors import InvalidInput

ORDERS = {"orders": ["id", "name", "price"]}


def direct(sql: str, column: str) -> set[tuple[str, str, str]]:
    return {(o.table, o.column, o.how) for o in columns_of_query(sql, ORDERS)[column] if o.direct}


def indirect(sql: str, column: str) -> set[tuple[str, str, str]]:
    return {(o.table, o.column, o.how) for o in columns_of_query(sql, ORDERS)[column] if not o.direct}


@pytest.mark.parametrize(
    ("sql", "column", "origins"),
    [
        ("SELECT a FROM t", "a", {("t", "a", "identity")}),
        ("SELECT a AS b FROM s.t", "b", {("s.t", "a", "identity")}),
        ("SELECT x.a FROM t AS x JOIN u AS y ON x.k = y.k", "a", {("t", "a", "identity")}),
        ("SELECT a + b AS c FROM t", "c", {("t", "a", "transformation"), ("t", "b", "transformation")}),
        ("SELECT sum(a + 1) AS c FROM t", "c", {("t", "a", "aggregation")}),
        ("SELECT 1 AS c FROM t", "c", set()),
        ("SELECT CASE WHEN a > 1 THEN b END AS c FROM t", "c", {("t", "a", "transformation"), ("t", "b", "transformation")}),
        ("SELECT c FROM (SELECT a AS c FROM t)", "c", {("t", "a", "identity")}),
        ("WITH w AS (SELECT k, sum(a) AS s FROM t GROUP BY k) SELECT s FROM w", "s", {("t", "a", "aggregation")}),
        ("WITH w(z) AS (SELECT a FROM t) SELECT w.z FROM w", "z", {("t", "a", "identity")}),
        ("WITH RECURSIVE r AS (SELECT a FROM t UNION ALL SELECT a + 1 FROM r) SELECT a FROM r", "a",
         {("t", "a", "identity"), ("t", "a", "transformation")}),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", "a", {("t", "a", "identity"), ("u", "b", "identity")}),
        ("SELECT (SELECT max(m) FROM u) AS c FROM t", "c", {("u", "m", "aggregation")}),
        ("SELECT lag(a) OVER (ORDER BY b) AS c FROM t", "c", {("t", "a", "transformation"), ("t", "b", "transformation")}),
        ("SELECT * EXCLUDE (id) FROM orders", "price", {("orders", "price", "identity")}),
        ("SELECT o.* FROM orders o JOIN t ON o.id = t.id", "name", {("orders", "name", "identity")}),
        ("SELECT * FROM t", "*", {("t", "*", "identity")}),
        ("SELECT PRICE FROM Orders JOIN t USING (id)", "PRICE", {("Orders", "price", "identity")}),
    ],
)  # fmt: skip
def test_a_column_is_made_from(sql: str, column: str, origins: set[tuple[str, str, str]]) -> None:
    assert direct(sql, column) == origins


@pytest.mark.parametrize(
    ("sql", "origins"),
    [
        ("SELECT a FROM t WHERE b > 1", {("t", "b", "filter")}),
        ("SELECT a FROM t GROUP BY a HAVING count(b) > 1", {("t", "a", "group_by"), ("t", "b", "filter")}),
        ("SELECT a FROM t ORDER BY b", {("t", "b", "sort")}),
        ("SELECT x.a FROM t x JOIN u y ON x.k = y.l", {("t", "k", "join"), ("u", "l", "join")}),
        ("SELECT x.a FROM t x JOIN u USING (k)", {("t", "k", "join"), ("u", "k", "join")}),
        ("SELECT a FROM (SELECT a FROM t WHERE b > 1) ORDER BY a", {("t", "b", "filter"), ("t", "a", "sort")}),
    ],
)
def test_columns_that_only_choose_rows_are_told_apart(sql: str, origins: set[tuple[str, str, str]]) -> None:
    assert indirect(sql, "a") == origins


def test_a_column_of_two_unknown_tables_is_nobodys() -> None:
    assert columns_of_query("SELECT a FROM t CROSS JOIN u")["a"] == ()


def test_columns_come_in_their_order() -> None:
    assert list(columns_of_query("SELECT b, a FROM t")) == ["b", "a"]


def test_tables_are_named_once_and_without_those_the_query_makes() -> None:
    sql = "WITH w AS (SELECT * FROM a) SELECT * FROM w, s.b WHERE x IN (SELECT y FROM a)"
    assert tables_of_query(sql) == ("a", "s.b")


@pytest.mark.parametrize("sql", ["DROP TABLE t", "SELEC 1", "SELECT 1; SELECT 2", ""])
def test_what_is_no_select_is_refused(sql: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        columns_of_query(sql)


def test_an_origin_tells_how_it_went_in() -> None:
    assert columns_of_query("SELECT a FROM t")["a"] == (Origin(table="t", column="a", direct=True, how="identity"),)
