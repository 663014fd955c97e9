"""What the filter language reads, and what it refuses."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.tracking.filters import (
    NULL,
    NUMBER,
    TEXT,
    TEXT_OR_LIST,
    AllOf,
    AnyOf,
    Comparison,
    Field,
    Fields,
    Group,
    Not,
    Order,
    comparisons,
    parse_filter,
    parse_order,
    quoted,
)

FIELDS = Fields(
    what="thing",
    groups=(
        Group(
            name="attribute",
            aliases=("attributes", "attr"),
            keys={
                "name": Field(kind="text", operators=TEXT_OR_LIST),
                "made": Field(kind="time", operators=NUMBER),
                "hidden": Field(kind="text", operators=TEXT, sortable=False),
            },
            key_aliases={"Thing name": "name", "created": "made"},
        ),
        Group(name="metric", aliases=("metrics",), any_key=Field(kind="number", operators=NUMBER)),
        Group(
            name="param",
            aliases=("params",),
            any_key=Field(
                kind="text",
                operators=(*TEXT, *NULL),
                native=(">", ">=", "<", "<=", "IN", "NOT IN"),
                native_kind="text or number",
            ),
        ),
        Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=(*TEXT, *NULL))),
        Group(
            name="span",
            keys={"name": Field(kind="text", operators=TEXT), "attributes.*": Field(kind="text", operators=TEXT)},
        ),
        Group(name="feedback", any_key=Field(kind="text or number", operators=(*NUMBER, "LIKE"))),
    ),
)


def one(text: str, *, native: bool = True) -> Comparison:
    found = parse_filter(text, FIELDS, native=native)
    assert isinstance(found, Comparison)
    return found


READ = [
    ("metrics.accuracy > 0.9", Comparison(group="metric", key="accuracy", operator=">", value=0.9)),
    ("metric.accuracy<=-1e-3", Comparison(group="metric", key="accuracy", operator="<=", value=-0.001)),
    ("metrics.a = .5", Comparison(group="metric", key="a", operator="=", value=0.5)),
    ("metrics.a = 5", Comparison(group="metric", key="a", operator="=", value=5)),
    ("metrics.`a b` != 1", Comparison(group="metric", key="a b", operator="!=", value=1)),
    ('metrics."a b" != 1', Comparison(group="metric", key="a b", operator="!=", value=1)),
    ("`metrics`.`a b` != 1", Comparison(group="metric", key="a b", operator="!=", value=1)),
    ("metrics.`a``b` != 1", Comparison(group="metric", key="a`b", operator="!=", value=1)),
    ("metrics.train/loss-x < 1", Comparison(group="metric", key="train/loss-x", operator="<", value=1)),
    ("params.x = 'a'", Comparison(group="param", key="x", operator="=", value="a")),
    ('params.x = "a"', Comparison(group="param", key="x", operator="=", value="a")),
    ("params.x = 'it''s'", Comparison(group="param", key="x", operator="=", value="it's")),
    (r"params.x = '\'''", Comparison(group="param", key="x", operator="=", value="\\'")),
    (r"params.x = 'C:\'", Comparison(group="param", key="x", operator="=", value="C:\\")),
    ('params.x = "it\'s"', Comparison(group="param", key="x", operator="=", value="it's")),
    ("params.x = ''", Comparison(group="param", key="x", operator="=", value="")),
    ("params.x like 'a%'", Comparison(group="param", key="x", operator="LIKE", value="a%")),
    ("params.x ILIKE'a%'", Comparison(group="param", key="x", operator="ILIKE", value="a%")),
    ("params.x > 3", Comparison(group="param", key="x", operator=">", value=3)),
    ("params.x is null", Comparison(group="param", key="x", operator="IS NULL")),
    ("tags.mlflow.user IS  NOT NULL", Comparison(group="tag", key="mlflow.user", operator="IS NOT NULL")),
    ("tags.`mlflow.source.name` = 'x'", Comparison(group="tag", key="mlflow.source.name", operator="=", value="x")),
    ("name = 'x'", Comparison(group="attribute", key="name", operator="=", value="x")),
    ("attr.name = 'x'", Comparison(group="attribute", key="name", operator="=", value="x")),
    ("`Thing name` = 'x'", Comparison(group="attribute", key="name", operator="=", value="x")),
    ("attributes.\"Thing name\" = 'x'", Comparison(group="attribute", key="name", operator="=", value="x")),
    ("name IN ('a', \"b\",)", Comparison(group="attribute", key="name", operator="IN", value=("a", "b"))),
    ("name not in ('a')", Comparison(group="attribute", key="name", operator="NOT IN", value=("a",))),
    ("created >= 1700000000000", Comparison(group="attribute", key="made", operator=">=", value=1700000000000)),
    (
        "made < '2026-01-01T12:00:00Z'",
        Comparison(group="attribute", key="made", operator="<", value=datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ),
    ("span.attributes.a.b LIKE 'x'", Comparison(group="span", key="attributes.a.b", operator="LIKE", value="x")),
    ("feedback.good > 0.5", Comparison(group="feedback", key="good", operator=">", value=0.5)),
    ("feedback.good = 'yes'", Comparison(group="feedback", key="good", operator="=", value="yes")),
    ("params.größe = 'x'", Comparison(group="param", key="größe", operator="=", value="x")),
    ("params.and = 'x'", Comparison(group="param", key="and", operator="=", value="x")),
    ("\n params.x\t=\n'a' ", Comparison(group="param", key="x", operator="=", value="a")),
]


@pytest.mark.parametrize(("text", "meant"), READ)
def test_a_comparison_is_read(text: str, meant: Comparison) -> None:
    assert one(text) == meant


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_filter_asks_for_all(text: str) -> None:
    assert parse_filter(text, FIELDS) is None


A, B, C = (Comparison(group="metric", key=key, operator=">", value=1) for key in "abc")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("metrics.a > 1 AND metrics.b > 1 and metrics.c > 1", AllOf((A, B, C))),
        ("metrics.a > 1 OR metrics.b > 1 AND metrics.c > 1", AnyOf((A, AllOf((B, C))))),
        ("(metrics.a > 1 or metrics.b > 1) AND metrics.c > 1", AllOf((AnyOf((A, B)), C))),
        ("NOT metrics.a > 1 AND metrics.b > 1", AllOf((Not(A), B))),
        ("not (metrics.a > 1 AND not metrics.b > 1)", Not(AllOf((A, Not(B))))),
        ("((metrics.a > 1))", A),
    ],
)
def test_and_binds_closer_than_or_and_not_the_closest(text: str, meant: object) -> None:
    assert parse_filter(text, FIELDS) == meant


REFUSED = [
    ("metrics.a", "at its end"),
    ("metrics.a >", "at its end"),
    ("metrics.a > x", "character 13"),
    ("metrics.a > 'x'", "numeric value"),
    ("metrics.a > 1 metrics.b > 1", "character 15"),
    ("metrics.a == 1", "Invalid comparator '=='"),
    ("metrics.a <> 1", "character 12"),
    ("metrics.a LIKE 'x'", "Invalid comparator 'LIKE'"),
    ("metrics.a IS NULL", "Invalid comparator 'IS NULL'"),
    ("params.a = b", "Texts stand in quotes"),
    ("params.a = 'b", "quotation mark"),
    (r"params.a = 'it\'s'", "character 17"),
    ("params.a LIKE 5", "character 15"),
    ("tags.a = 5", "quoted string"),
    ("tags.a > '5'", "Invalid comparator '>'"),
    ("tags.a IN ()", "character 12"),
    ("name IN ('a', 5)", "character 15"),
    ("name IN 'a'", "character 9"),
    ("nmae = 'x'", "Did you mean 'name'"),
    ("unknown.a = 'x'", "Invalid entity type 'unknown'"),
    ("span.other = 'x'", "Invalid span key 'other'"),
    ("span.attributes. = 'x'", "character 16"),
    ("made > 'yesterday'", "not a time"),
    ("= 1", "character 1"),
    ("metrics. > 1", "character 8"),
    ("metrics.a > 1;", "character 14"),
    ("metrics.a > 1 -- and so on", "character 15"),
    ("metrics.a > 1 /* or */", "character 15"),
    ("(metrics.a > 1", "at its end"),
    ("metrics.a > 1)", "character 14"),
    ("metrics.a > 1 AND", "at its end"),
    ("AND metrics.a > 1", "character 5"),
    ("metrics.a > 1e", "character 13"),
    ("params.a = 'b\0'", "NUL"),
    ("params.a = '\ud800'", "half a pair"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_not_understood_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_filter(text, FIELDS)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a > 1 OR metrics.b > 1",
        "(metrics.a > 1)",
        "NOT metrics.a > 1",
        "params.x > 3",
        "params.x IN ('a')",
        "params.x = 3",
        "made > '2026-01-01'",
    ],
)
def test_mlflows_language_is_taken_without_what_is_ours(text: str) -> None:
    parse_filter(text, FIELDS)
    with pytest.raises(InvalidInput):
        parse_filter(text, FIELDS, native=False)


HUGE = {
    "too long": "metrics.a > 1 AND " * 6_000,
    "too many": " AND ".join(["metrics.a > 1"] * 201),
    "too many in parts": " OR ".join(["(" + " AND ".join(["metrics.a > 1"] * 100) + ")"] * 3),
    "too many items": "name IN (" + ",".join(["'a'"] * 5_001) + ")",
    "too deep": "(" * 31 + "metrics.a > 1" + ")" * 31,
    "far too deep": "(" * 45_000 + "metrics.a > 1" + ")" * 45_000,
    "not not not": "NOT " * 20_000 + "metrics.a > 1",
    "open brackets": "(" * 99_000,
    "quotes": "'" * 99_999,
    "escaped quotes": "metrics.a = '" + "\\'" * 45_000,
    "doubled quotes": "name = '" + "''" * 45_000,
    "backticks": "`" * 99_999,
    "dots": "a" + ".a" * 49_000,
    "many digits": "name = " + "9" * 90_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_hostile_filter_is_refused_soon(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidInput):
        parse_filter(text, FIELDS)
    assert time.process_time() - begun < 2


def test_as_many_comparisons_as_are_allowed_are_read() -> None:
    found = parse_filter(" AND ".join(["metrics.a > 1"] * 200), FIELDS)
    assert len(list(comparisons(found))) == 200


@pytest.mark.parametrize("digits", ["9" * 5_000, "1e999", "-" + "9" * 400])
def test_a_number_larger_than_any_stays_finite(digits: str) -> None:
    assert abs(one(f"metrics.a < {digits}").value) == 1.797e308  # type: ignore[arg-type]  # it is a number


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_filter(text, FIELDS)
    except InvalidInput:
        return


WORDS = (
    "metrics.a",
    "name",
    "'x'",
    '"y"',
    "5",
    "=",
    "<",
    "LIKE",
    "IN",
    "(",
    ")",
    ",",
    "AND",
    "OR",
    "NOT",
    "IS",
    "NULL",
    "`",
)


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_any_row_of_words_is_read_or_refused(words: list[str]) -> None:
    try:
        parse_filter(" ".join(words), FIELDS)
    except InvalidInput:
        return


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30))
def test_any_key_and_value_can_be_asked_for(text: str) -> None:
    inner = text.replace("'", "''")
    assert one(f"params.{quoted(text)} = '{inner}'") == Comparison(group="param", key=text, operator="=", value=text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("metrics.a DESC", Order(group="metric", key="a", descending=True)),
        ("metrics.a", Order(group="metric", key="a")),
        (" metrics.`a b`  asc ", Order(group="metric", key="a b")),
        ('params."a b" desc', Order(group="param", key="a b", descending=True)),
        ("created", Order(group="attribute", key="made")),
        ("attributes.name Desc", Order(group="attribute", key="name", descending=True)),
        ("tags.a.b", Order(group="tag", key="a.b")),
        ("metrics.a-b[0]", Order(group="metric", key="a-b[0]")),
    ],
)
def test_an_order_is_read(text: str, meant: Order) -> None:
    assert parse_order([text], FIELDS) == [meant]


@pytest.mark.parametrize(
    "texts",
    [
        ["metrics.a up"],
        ["metrics.a DESC, metrics.b"],
        ["metrics.a; DROP TABLE runs"],
        ["other"],
        ["other.a"],
        [""],
        ["hidden"],
        ["metrics.a", "metric.a DESC"],
        ["metrics.a\0"],
        ["`" * 1999],
        ["a" * 5_000],
        [f"metrics.a{number}" for number in range(21)],
    ],
)
def test_a_wrong_order_is_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidInput):
        parse_order(texts, FIELDS)
