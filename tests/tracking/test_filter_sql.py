"""Comparisons mean the same in SQL, on both databases, as in words."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.storage.database import Database
from flyball.storage.tables import Instant
from flyball.tracking.filter_sql import compare, compare_choice, compare_time, json_text, keyed, number_of, text_matches
from flyball.tracking.filters import Comparison, Operator, Value

START = datetime(2026, 1, 1, tzinfo=UTC)
things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text),
    sa.Column("at", Instant),
)
marks = sa.Table(
    "marks", things.metadata, sa.Column("thing", sa.Integer), sa.Column("key", sa.Text), sa.Column("value", sa.Text)
)


@pytest.fixture
def kept(database: Database) -> Database:
    """A database with some things: texts, moments, marks."""
    things.metadata.create_all(database.engine)
    rows: list[dict[str, Any]] = [
        {"id": 1, "text": "Running 7", "at": START},
        {"id": 2, "text": "5", "at": START + timedelta(microseconds=999)},
        {"id": 3, "text": "-1.5e3", "at": START + timedelta(milliseconds=1)},
        {"id": 4, "text": "1e999", "at": None},
        {"id": 5, "text": None, "at": START + timedelta(milliseconds=2)},
        {"id": 6, "text": "007", "at": START - timedelta(microseconds=1)},
    ]
    database.execute(sa.insert(things), rows)
    database.execute(sa.insert(marks), [{"thing": 1, "key": "a", "value": "x"}, {"thing": 2, "key": "a", "value": "y"}])
    return database


def asked(operator: Operator, value: Value = None, key: str = "") -> Comparison:
    return Comparison(group="attribute", key=key, operator=operator, value=value)


def ids(database: Database, condition: sa.ColumnElement[bool]) -> list[int]:
    return [row.id for row in database.rows(sa.select(things.c.id).where(condition).order_by(things.c.id))]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("^R", [1]),
        ("[0-9]$", [1, 2, 3, 4, 6]),
        ("ing|5", [1, 2, 3]),
        ("^.$", [2]),
        ("r.n", []),
        ("[)]*x", []),
        (r"\d+", [1, 2, 3, 4, 6]),
    ],
)
def test_a_regular_expression_finds_texts(kept: Database, expression: str, found: list[int]) -> None:
    assert ids(kept, compare(things.c.text, asked("RLIKE", expression), nullable=True)) == found


ENDLESS = [
    *(
        "(a+)+$",
        "(a|a)*b",
        "a*a*b",
        "a*b*c",
        "^a*a*a*b",
        "^a*|b*c",
        "a{1,9}b*",
        "a{2,}a{2,}b",
        "(a{1,9}){9}",
        "a?" * 30 + "a" * 30,
    ),
    *(r"(a)\1", "(?=a)b", "a" * 201, "(", "*", "[z-a]", "a{99999999999}"),
]


@pytest.mark.parametrize("expression", ENDLESS)
def test_a_regular_expression_that_could_take_for_ever_is_refused(expression: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidInput):
        compare(things.c.text, asked("RLIKE", expression))
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("expression", ["^a*a*b", "^a+[^b]+c", "a{1,5}a?a?a?a?b", "a*b"])
def test_a_regular_expression_that_is_taken_ends_soon(expression: str) -> None:
    compare(things.c.text, asked("RLIKE", expression))
    begun = time.process_time()
    assert re.search(expression, "a" * 4_000) is None
    assert time.process_time() - begun < 5


def test_negation_turns_what_is_not_there_round(kept: Database) -> None:
    condition = compare(things.c.text, asked("=", "5"), nullable=True)
    assert (ids(kept, condition), ids(kept, ~condition)) == ([2], [1, 3, 4, 5, 6])
    assert ids(kept, compare(things.c.text, asked("IS NULL"))) == [5]


MILLISECOND = 1_767_225_600_000


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("=", MILLISECOND, [1, 2]),
        ("!=", MILLISECOND, [3, 5, 6]),
        (">", MILLISECOND, [3, 5]),
        (">=", MILLISECOND, [1, 2, 3, 5]),
        ("<", MILLISECOND, [6]),
        ("<=", MILLISECOND, [1, 2, 6]),
        ("<", MILLISECOND + 0.5, [1, 2, 6]),
        (">", MILLISECOND + 0.5, [3, 5]),
        ("=", MILLISECOND + 0.5, []),
        ("!=", MILLISECOND + 0.5, [1, 2, 3, 5, 6]),
        (">", START, [2, 3, 5]),
        ("=", START, [1]),
        ("<", 1e300, [1, 2, 3, 5, 6]),
        (">", -(10**400 // 10**380), [1, 2, 3, 5, 6]),
        ("IS NOT NULL", None, [1, 2, 3, 5, 6]),
    ],
)
def test_times_are_compared_by_the_millisecond_or_exactly(
    kept: Database, operator: Operator, value: Value, found: list[int]
) -> None:
    condition = compare_time(things.c.at, asked(operator, value), nullable=True)
    assert ids(kept, condition) == found
    assert ids(kept, ~condition) == [one for one in range(1, 7) if one not in found]


def test_texts_that_are_numbers_are_told_apart(kept: Database) -> None:
    rows = kept.rows(sa.select(things.c.id, number_of(things.c.text).label("number")).where(things.c.id != 4))
    assert {row.id: row.number for row in rows} == {1: None, 2: 5.0, 3: -1500.0, 5: None, 6: None}


def test_a_document_that_is_a_text_is_read(kept: Database) -> None:
    kept.execute(sa.update(things).where(things.c.id == 1).values(text='"a\\"\\u00e9\\n"'))
    row = kept.row(sa.select(json_text(things.c.text)).where(things.c.id == 1))
    assert row is not None
    assert row[0] == 'a"é\n'


def test_marks_are_asked_for_by_key(kept: Database) -> None:
    mine = marks.c.thing == things.c.id
    assert ids(kept, keyed(asked("!=", "x", "a"), marks, mine)) == [2]
    assert ids(kept, ~keyed(asked("=", "x", "a"), marks, mine)) == [2, 3, 4, 5, 6]
    assert ids(kept, keyed(asked("IS NULL", key="a"), marks, mine)) == [3, 4, 5, 6]
    assert ids(kept, keyed(asked("LIKE", "%", "b"), marks, mine)) == []


def test_few_known_texts_are_asked_for_by_other_names(kept: Database) -> None:
    names = {"5": "FIVE", "007": "SEVEN", "gone": "FIVE"}
    assert ids(kept, compare_choice(things.c.text, asked("=", "FIVE"), names)) == [2]
    assert ids(kept, compare_choice(things.c.text, asked("ILIKE", "%V%"), names)) == [2, 6]
    assert ids(kept, compare_choice(things.c.text, asked("NOT IN", ("FIVE",)), names)) == [6]


LETTERS = st.text("abAB%_\\*?[]^!.\n'", max_size=8)


@pytest.mark.parametrize("operator", ["LIKE", "ILIKE"])
def test_patterns_mean_the_same_in_sql_and_in_python(kept: Database, operator: Operator) -> None:
    with kept.reading() as connection:

        @given(LETTERS, LETTERS)
        def check(text: str, pattern: str) -> None:
            found = connection.execute(sa.select(compare(sa.literal(text), asked(operator, pattern)))).scalar_one()
            assert bool(found) == text_matches(text, operator, pattern)

        check()
