"""What SQL finds is what a plain reading of the filter finds, for any filter."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _search_store
from flyball.tracking.filters import quoted
from tests.tracking.searching import Place, place_of

Facts = dict[str, Any]

# Every run, as it is made; a key that is missing here is missing there.
RUNS: list[Facts] = [
    {"name": "a", "metrics": {"m": 0.5, "n n": -1.0}, "params": {"p": "5", "q'q": "%x_"}, "tags": {"t": "Red"}},
    {"name": "b", "metrics": {"m": None}, "params": {"p": 5.0, "q'q": "\\%"}, "tags": {"t": "red", "u`u": ""}},
    {"name": "C", "metrics": {"m": 1e300, "n n": 0.0}, "params": {"p": True}, "tags": {"u`u": 'it\'s "so"'}},
    {"name": "it's", "metrics": {}, "params": {"p": "-1e-5", "q'q": "[a]*?"}, "tags": {"t": "rEd\nred"}},
    {"name": "%", "metrics": {"m": -0.0}, "params": {}, "tags": {}, "kind": "training"},
    {"name": "_", "metrics": {"m": 0.5, "n n": 0.5}, "params": {"p": None}, "tags": {"t": "Ünï"}},
]
NUMBERS = ["0", "0.5", "-1", "5", "1e300", "-1e-5", ".5", "1", "0.50"]
TEXTS = [
    "a",
    "C",
    "5",
    "5.0",
    "True",
    "None",
    "Red",
    "red",
    "",
    "it's",
    "%",
    "_",
    "\\%",
    "%x_",
    "[a]*?",
    "nothing",
    "Ünï",
]
PATTERNS = [
    *TEXTS,
    "%e%",
    "r_d",
    "R%",
    "%\\%%",
    "\\_",
    "%'%",
    "[a]%",
    "%*%",
    "%\n%",
    "it_s%",
    "____",
    "%%",
    "\\",
    "a\\",
]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
Filter = tuple[str, Callable[[Facts], bool]]
"""A filter's text, and what it means."""


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def like(value: str, pattern: str, *, heeds_case: bool) -> bool:
    found, at = "", 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("\\", "%", "_"):
            at += 1
            found += re.escape(pattern[at])
        else:
            found += {"%": ".*", "_": "."}.get(pattern[at], re.escape(pattern[at]))
        at += 1
    # The case of letters other than A to Z is the database's own affair.
    flags = re.DOTALL if heeds_case else re.DOTALL | re.IGNORECASE | re.ASCII
    return re.fullmatch(found, value, flags) is not None


def compared(group: str, key: str, comparator: str, number: float) -> Callable[[Facts], bool]:
    def fits(facts: Facts) -> bool:
        if key not in facts[group]:
            return False
        value = facts[group][key]
        return comparator == "!=" if value is None else COMPARE[comparator](value, number)

    return fits


def of_text(read: Callable[[Facts], str | None], fits: Callable[[str], bool]) -> Callable[[Facts], bool]:
    def found(facts: Facts) -> bool:
        value = read(facts)
        return value is not None and fits(value)

    return found


@st.composite
def metric(draw: st.DrawFn) -> Filter:
    key, number = draw(st.sampled_from(["m", "n n", "none"])), draw(st.sampled_from(NUMBERS))
    comparator = draw(st.sampled_from(list(COMPARE)))
    return f"metrics.{quoted(key)} {comparator} {number}", compared("metrics", key, comparator, float(number))


@st.composite
def number_of_param(draw: st.DrawFn) -> Filter:
    comparator, number = draw(st.sampled_from(list(COMPARE))), draw(st.sampled_from(NUMBERS))

    def fits(facts: Facts) -> bool:
        value = facts["params"].get("p")
        try:
            known = float(value) if isinstance(value, str | float) else None
        except ValueError:
            known = None
        return known is not None and COMPARE[comparator](known, float(number))

    return f"params.p {comparator} {number}", fits


FIELDS: list[tuple[str, Callable[[Facts], str | None]]] = [
    ("name", lambda facts: facts["name"]),
    ("attributes.`Run name`", lambda facts: facts["name"]),
    ("kind", lambda facts: facts.get("kind", "run")),
    ("params.p", lambda facts: str(facts["params"]["p"]) if "p" in facts["params"] else None),
    ("params.`q'q`", lambda facts: facts["params"].get("q'q")),
    ("tags.t", lambda facts: facts["tags"].get("t")),
    ('tag."u`u"', lambda facts: facts["tags"].get("u`u")),
    ("tags.none", lambda facts: None),
]


@st.composite
def of_texts(draw: st.DrawFn) -> Filter:
    name, read = draw(st.sampled_from(FIELDS))
    way = draw(st.sampled_from(["=", "!=", "LIKE", "ilike", "IN", "not in", "IS NULL", "is not null"]))
    if way.upper().startswith("IS") and "." in name and "Run" not in name:
        is_null = way == "IS NULL"
        return f"{name} {way}", lambda facts: (read(facts) is None) == is_null
    if way.upper() in ("IN", "NOT IN"):
        values = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
        wanted = way == "IN"
        return f"{name} {way} ({', '.join(map(text, values))})", of_text(
            read, lambda value: (value in values) == wanted
        )
    if way.upper() in ("LIKE", "ILIKE"):
        pattern = draw(st.sampled_from(PATTERNS))
        if pattern.endswith("\\"):
            return f'{name} {way} "{pattern}"', of_text(
                read, lambda value: like(value, pattern, heeds_case=way == "LIKE")
            )
        return f"{name} {way} {text(pattern)}", of_text(
            read, lambda value: like(value, pattern, heeds_case=way == "LIKE")
        )
    value, comparator = draw(st.sampled_from(TEXTS)), way if way in COMPARE else "="
    return f"{name} {comparator} {text(value)}", of_text(read, lambda found: COMPARE[comparator](found, value))


def joined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    def both(given: list[Filter], word: str, meaning: Callable[[Any], bool]) -> Filter:
        return f" {word} ".join(f"({one})" for one, _ in given), lambda facts: meaning(fits(facts) for _, fits in given)

    some = st.lists(parts, min_size=2, max_size=3)
    return st.one_of(
        some.map(lambda given: both(given, "AND", all)),
        some.map(lambda given: both(given, "or", any)),
        parts.map(lambda one: (f"NOT ({one[0]})", lambda facts: not one[1](facts))),
    )


FILTERS = st.recursive(st.one_of(metric(), of_texts(), number_of_param()), joined, max_leaves=6)


@pytest.fixture
def place(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    made = place_of(database, blobs, events, clock)
    for number, facts in enumerate(RUNS):
        made.run(
            f"r{number}",
            params=facts["params"],
            metrics=facts["metrics"],
            tags=facts["tags"],
            kind=facts.get("kind", "run"),
        )
        made.tracking.update_run(f"r{number}", name=facts["name"])
    return made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(asked=FILTERS, many=st.booleans())
def test_sql_finds_what_the_filter_means(place: Place, asked: Filter, many: bool) -> None:
    _search_store.FEW = 1 if many else 5_000
    try:
        found = {run.id for run in place.search.search(asked[0]).runs}
    finally:
        _search_store.FEW = 5_000
    assert found == {f"r{number}" for number, facts in enumerate(RUNS) if asked[1](facts)}


KEYS = ["metrics.m", "metrics.`n n`", "params.p", "tags.t", "name", "end_time", "seconds", "kind", "metrics.none"]
ORDERS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["", " ASC", " desc"])), max_size=3, unique_by=lambda one: one[0]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(orders=ORDERS, asked=st.none() | FILTERS, limit=st.integers(1, 4), many=st.booleans(), native=st.booleans())
def test_pages_of_any_order_hold_every_run_once(
    place: Place, orders: list[tuple[str, str]], asked: Filter | None, limit: int, many: bool, native: bool
) -> None:
    order_by, wanted = [key + way for key, way in orders], asked[0] if asked and native else ""
    _search_store.FEW = 1 if many else 5_000
    try:
        whole = [run.id for run in place.search.search(wanted, order_by=order_by, native=native).runs]
        found: list[str] = []
        token = ""
        while len(found) <= len(whole):
            page = place.search.search(wanted, order_by=order_by, native=native, limit=limit, page_token=token)
            found += [run.id for run in page.runs]
            token = page.next_page_token
            if not token:
                break
    finally:
        _search_store.FEW = 5_000
    assert found == whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(way=st.sampled_from(["", " DESC"]), key=st.sampled_from(["m", "n n", "none"]), many=st.booleans())
def test_what_is_undefined_or_missing_comes_last(place: Place, way: str, key: str, many: bool) -> None:
    _search_store.FEW = 1 if many else 5_000
    try:
        found = [
            run.metrics.get(key, "missing")
            for run in place.search.search(order_by=[f"metrics.{quoted(key)}{way}"]).runs
        ]
    finally:
        _search_store.FEW = 5_000
    values = [value for value in found if isinstance(value, float)]
    assert values == sorted(values, reverse=bool(way))
    assert found == [*values, *([None] * found.count(None)), *(["missing"] * found.count("missing"))]
