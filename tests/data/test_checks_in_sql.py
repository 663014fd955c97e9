"""Every check says in SQL what it says on Arrow, and what a loop in plain Python says."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.data import expect
from flyball.data.checks.base import CheckSpec
from flyball.data.scan import Scan
from flyball.data.validate import Subject, judge, resolve, validate
from flyball.errors import InvalidInput

Way = Literal["arrow", "sql", "parquet"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "a", "A", "ab", "é", "e\u0301", "a\nb", "it's", "𝄞", "\0", " a", "%", "J{F}K"]),
    st.text(max_size=4),
)
NUMBERS = st.one_of(
    st.none(), st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -1.5, 2.0, 1e308]), st.floats()
)
WHOLE = st.one_of(
    st.none(), st.sampled_from([0, 1, 2, 2**63 - 1, -(2**63), 2**53 + 1, 2**53]), st.integers(-(2**63), 2**63 - 1)
)
MOMENTS = st.one_of(st.none(), st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01")))
ROW = st.tuples(TEXTS, NUMBERS, WHOLE, MOMENTS, st.one_of(st.none(), st.booleans()))


def table_of(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    texts, numbers, whole, moments, marks = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 5
    return pa.table(
        {
            "text": pa.array(texts, pa.string()),
            "number": pa.array(numbers, pa.float64()),
            "whole": pa.array(whole, pa.int64()),
            "at": pa.array(moments, pa.timestamp("us")),
            "day": pa.array([moment and moment.date() for moment in moments], pa.date32()),
            "mark": pa.array(marks, pa.bool_()),
        }
    )


def is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def known(table: pa.Table, column: str) -> list[Any]:
    return [value for value in table[column].to_pylist() if value is not None]


def outside(table: pa.Table, column: str, low: Any, high: Any) -> int:
    def is_out(value: Any) -> bool:
        return is_nan(value) or (low is not None and value < low) or (high is not None and value > high)

    return sum(map(is_out, known(table, column)))


def repeats(table: pa.Table, *columns: str) -> int:
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    seen = Counter(row for row in rows if not any(value is None or is_nan(value) for value in row))
    return sum(seen.values()) - len(seen)


def as_time(moment: datetime) -> str:
    return moment.isoformat()


LOW, HIGH = datetime.fromisoformat("1950-06-01T12:00"), datetime.fromisoformat("2020-01-01")
KNOWN = ("", "a", "it's", "\0", "é")
# How often each promise is broken, said in Python.
CASES: list[tuple[CheckSpec, Callable[[pa.Table], int]]] = [
    *(
        (expect.not_null(name), lambda t, name=name: sum(v is None or is_nan(v) for v in t[name].to_pylist()))
        for name in ("text", "number", "whole", "at", "mark")
    ),
    (expect.unique("text"), lambda t: repeats(t, "text")),
    (expect.unique("number"), lambda t: repeats(t, "number")),
    (expect.unique("whole"), lambda t: repeats(t, "whole")),
    (expect.unique("whole", "text"), lambda t: repeats(t, "whole", "text")),
    (expect.unique("number", "mark"), lambda t: repeats(t, "number", "mark")),
    (expect.in_range("number", -1.5, 2), lambda t: outside(t, "number", -1.5, 2)),
    (expect.in_range("number", high=2**53 + 1), lambda t: outside(t, "number", None, 2**53 + 1)),
    (expect.in_range("number", -math.inf), lambda t: outside(t, "number", -math.inf, None)),
    (expect.in_range("whole", 0.5, 2**63 - 1), lambda t: outside(t, "whole", 0.5, 2**63 - 1)),
    (expect.in_range("whole", 2**53 + 1), lambda t: outside(t, "whole", 2**53 + 1, None)),
    (expect.in_range("whole", -(2**70), 2**70), lambda t: outside(t, "whole", -(2**70), 2**70)),
    (expect.in_range("whole", 2**70), lambda t: outside(t, "whole", 2**70, None)),
    (expect.in_range("whole", high=-1e300), lambda t: outside(t, "whole", None, -1e300)),
    (expect.in_range("text", "", "é"), lambda t: outside(t, "text", "", "é")),
    (expect.in_range("text", "it's"), lambda t: outside(t, "text", "it's", None)),
    (expect.in_range("at", as_time(LOW), as_time(HIGH)), lambda t: outside(t, "at", LOW, HIGH)),
    (
        expect.in_range("day", as_time(LOW)),
        lambda t: sum(datetime.combine(v, datetime.min.time()) < LOW for v in known(t, "day")),
    ),
    (expect.in_set("text", list(KNOWN)), lambda t: sum(v not in KNOWN for v in known(t, "text"))),
    (expect.in_set("text", []), lambda t: len(known(t, "text"))),
    (expect.in_set("number", [0.0, 1.5]), lambda t: sum(v not in (0.0, 1.5) for v in known(t, "number"))),
    (expect.in_set("whole", [2**53 + 1, 1]), lambda t: sum(v not in (2**53 + 1, 1) for v in known(t, "whole"))),
    (expect.in_set("mark", [True]), lambda t: sum(v is not True for v in known(t, "mark"))),
    (expect.in_set("at", ["2020-01-01T00:00:00"]), lambda t: sum(v != HIGH for v in known(t, "at"))),
    (expect.matches("text", "a.?"), lambda t: sum(not re.fullmatch("a.?", v) for v in known(t, "text"))),
    (expect.matches("text", "[aA]|é"), lambda t: sum(v not in ("a", "A", "é") for v in known(t, "text"))),
    (expect.matches("text", "(?s).*'.*"), lambda t: sum("'" not in v for v in known(t, "text"))),
    (expect.row_count(2, 4), lambda t: 0 if 2 <= len(t) <= 4 else max(len(t), 1)),
    (expect.column_type("text", "string"), lambda t: 0),
    (expect.foreign_key("text", "other", "name"), lambda t: sum(v not in ("a", "é", "\0") for v in known(t, "text"))),
    (expect.foreign_key("whole", "other", "number"), lambda t: sum(v not in (1, 2**53 + 1) for v in known(t, "whole"))),
    (expect.sql("whole > 1 AND text IS NOT NULL"), lambda t: sum(
        w is not None and w > 1 and x is not None for w, x in zip(t["whole"].to_pylist(), t["text"].to_pylist(), strict=True)
    )),
    (expect.sql("count(*) < 3 -- not many"), lambda t: 0 if len(t) < 3 else len(t)),
]  # fmt: skip
OTHER = pa.table({"name": ["a", "é", "\0", None], "number": [1, 2**53 + 1, None, 7]})


def failing(table: pa.Table, specs: Sequence[CheckSpec], way: Way) -> list[int]:
    with ExitStack() as stack:
        subject = Subject(stack, table, {"other": OTHER})
        if way != "arrow":
            place = Path(stack.enter_context(TemporaryDirectory())) / "table.parquet"
            pq.write_table(table, place)
            source = table if way == "sql" else place
            subject = Subject(stack, stack.enter_context(Scan(source, others={"other": OTHER})))
            subject.table = None
        return [result.failing for result in judge(subject, [resolve(spec, now=NOW) for spec in specs])]


@settings(max_examples=12)
@given(st.lists(ROW, max_size=8))
def test_every_check_counts_as_a_loop_in_python_does(rows: list[tuple[Any, ...]]) -> None:
    table = table_of(rows)
    expected = {str(spec): count(table) for spec, count in CASES}
    specs = [spec for spec, _ in CASES]
    for way in get_args(Way):
        assert dict(zip(map(str, specs), failing(table, specs, way), strict=True)) == expected


@settings(max_examples=10)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan)), max_size=20),
    st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(values: list[float | None], q: float) -> None:
    there = sorted(value for value in values if value is not None and not math.isnan(value))
    table = pa.table({"x": pa.array(values, pa.float64())})
    if not there:
        assert validate(table, [expect.quantile("x", q, 0, 0)]).passed
        return
    true = there[max(1, math.ceil(q * len(there) - 1e-9)) - 1]
    checks = [
        expect.quantile("x", q, true, true),
        expect.quantile("x", q, math.nextafter(true, math.inf), None),
        expect.quantile("x", q, None, math.nextafter(true, -math.inf)),
    ]
    assert [result.passed for result in validate(table, checks).results] == [True, False, False]


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=3, max_size=20))
def test_mean_and_correlation_are_those_of_numpy(pairs: list[tuple[int, int]]) -> None:
    import numpy as np

    x, y = np.array(pairs, dtype=float).T
    table = pa.table({"x": x, "y": y})
    mean = float(x.mean())
    assert validate(table, [expect.mean("x", mean - 1e-9, mean + 1e-9)]).passed
    assert not validate(table, [expect.mean("x", mean + 0.01, None)]).passed
    if x.std() and y.std():
        found = float(np.corrcoef(x, y)[0, 1])
        assert validate(table, [expect.correlation("x", "y", found - 1e-6, found + 1e-6)]).passed
    else:
        assert not validate(table, [expect.correlation("x", "y", -1, 1)]).passed


def many(rows: int) -> pa.Table:
    return pa.table(
        {"id": range(rows), "name": ["a", "b"] * (rows // 2), "at": [datetime(2025, 12, 31, tzinfo=UTC)] * rows}
    )


def test_parquet_files_are_judged_in_place(tmp_path: Path) -> None:
    for number in range(3):
        pq.write_table(many(10).append_column("part", pa.array([number] * 10)), tmp_path / f"{number}.parquet")
    paths = sorted(tmp_path.iterdir())
    report = validate(paths, [expect.row_count(30, 30), expect.unique("id"), expect.fresh("at", "1d")], now=NOW)
    assert [result.failing for result in report.results] == [0, 20, 0]
    assert len(report.results[1].examples) == 5


def test_nan_in_parquet_is_seen(tmp_path: Path) -> None:
    # The file's own statistics say that the greatest value is 1.
    pq.write_table(pa.table({"x": [math.nan, 0.0, 1.0] * 100}), tmp_path / "nan.parquet")
    checks = [expect.not_null("x"), expect.in_range("x", 0, 1), expect.unique("x"), expect.sql("isnan(x)")]
    results = validate(tmp_path / "nan.parquet", checks).results
    assert [result.failing for result in results] == [100, 100, 198, 100]
    assert results[0].examples[0] == {"x": "nan"}


def test_a_large_table_in_memory_is_judged_the_same_way() -> None:
    table = many(120_000)
    checks = [expect.in_set("name", ["a"]), expect.unique("id"), expect.not_null("name"), expect.fresh("at", "2d")]
    report = validate(table, checks, now=NOW)
    assert [result.failing for result in report.results] == [60_000, 0, 0, 0]
    assert report.results[0].found == "60,000 of 120,000 values of 'name' are not in the set: 'b'"
    assert report.results[0].examples[0]["id"] == 1


def test_a_sample_is_said_to_be_one_and_counts_are_of_all_rows() -> None:
    report = validate(many(5000), [expect.row_count(5000, 5000), expect.in_set("name", ["a"])], sample=100)
    assert report.sample == 100
    assert [(result.sampled, result.total) for result in report.results] == [(False, 5000), (True, 100)]
    assert "(a sample of 100 looked at)" in str(report)
    assert "(sampled)" in str(report)
    again = validate(many(5000), [expect.in_set("name", ["a"])], sample=100)
    assert again.results[0] == report.results[1]
    assert validate(many(10), [expect.not_null("id")], sample=100).sample is None


def test_the_number_of_rows_is_compared_with_the_version_before() -> None:
    check = [expect.row_count(change="10%")]
    assert validate(many(100), check).passed
    assert validate(many(100), check, former_rows=95).passed
    failed = validate(many(100), check, former_rows=80).results[0]
    assert not failed.passed
    assert failed.found == (
        "there are 100 rows; the version before has 80 (+25.0%), a change of at most 10.0% is expected"
    )


def test_personal_data_is_masked_in_what_a_check_shows() -> None:
    table = pa.table({"mail": [f"p{number}@example.org" for number in range(9)], "n": range(9)})
    result = validate(table, [expect.matches("mail", "nobody"), expect.in_range("n", 1)]).results
    assert "example.org" not in str(result)
    assert result[0].examples[0] == {"mail": "<mail>", "n": 0}
    assert result[1].examples == ({"n": 0, "mail": "<mail>"},)


def good_rows(table: pa.Table) -> list[bool]:
    return [value != 2 for value in table["id"].to_pylist()]


def is_short(column: pa.ChunkedArray) -> bool:
    return len(column) < 5


def says_nothing(table: pa.Table) -> str:
    return "fine"


def breaks(table: pa.Table) -> bool:
    raise KeyError("gone")


def test_a_function_of_the_user_is_a_check() -> None:
    report = validate(many(4), [expect.python(good_rows), expect.python(is_short, column="id")])
    assert [result.failing for result in report.results] == [1, 0]
    assert report.results[0].found == "for 1 of 4 rows 'good_rows' does not hold"
    assert report.results[0].examples[0]["id"] == 2
    assert validate(many(4), [expect.python(good_rows, at_most="25%")]).passed


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (expect.python(says_nothing), "gave a str"),
        (expect.python(breaks), "The check 'breaks' failed: KeyError"),
        (expect.python("tests.data.nowhere:good"), "There is no function"),
        (expect.sql("whole >"), "cannot be asked"),
        (expect.sql("idd = 1"), 'cannot be asked.*"id"'),
        (expect.sql("  "), "is empty"),
        (expect.sql("id IN (SELECT 1 FROM read_csv('/etc/hostname'))"), "disabled by configuration"),
        (expect.foreign_key("id", "nowhere"), "There is no table 'nowhere'"),
        (expect.foreign_key("id", "other", "nmae"), "Did you mean 'name'"),
        (expect.quantile("id", 1.5, 0, 1), "no quantile"),
        (expect.mean("id"), "has no bounds"),
        (expect.distribution("id", "flights@1"), "was not handed over"),
        (expect.not_null("id", at_most=2), "is no share"),
        (expect.in_range("id", math.nan), "NaN is no bound"),
        (expect.row_count(change="much"), "is no share"),
    ],
    ids=lambda value: value.check if isinstance(value, CheckSpec) else "",
)
def test_a_check_that_cannot_be_asked_is_an_error(spec: CheckSpec, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        validate(many(4), [spec], tables={"other": OTHER})


def test_a_function_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be found again"):
        expect.python(lambda table: True)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (expect.mean("name", 1), "'name' is of type string, which has no mean"),
        (expect.quantile("name", 0.5, 1), "'name' is of type string, which has no quantiles"),
        (expect.correlation("id", "name", 0, 1), "'name' is of type string, which correlates with nothing"),
        (expect.correlation("id", "gone", 0, 1), "there is no column 'gone'"),
        (expect.foreign_key("id", "other", "name"), "'id' is of type int, and 'name' of 'other' is of type string"),
        (expect.mean("id", 10), "the mean of 'id' is 1.5, at least 10 is expected"),
    ],
    ids=lambda value: value.check if isinstance(value, CheckSpec) else "",
)
def test_a_check_of_the_wrong_type_fails_for_all_rows(spec: CheckSpec, found: str) -> None:
    result = validate(many(4), [spec], tables={"other": OTHER}).results[0]
    assert (result.found, result.failing, result.passed) == (found, 4, False)


def test_columns_that_sql_cannot_tell_apart_are_judged_each() -> None:
    table = pa.table([[1, None], ["x", "y"], [1.0, 2.0]], names=["a", "A", ""])
    with ExitStack() as stack:
        subject = Subject(stack, stack.enter_context(Scan(table)))
        subject.table = None
        found = judge(subject, [expect.not_null("a"), expect.not_null("A"), expect.in_range("", 2)])
    assert [result.failing for result in found] == [1, 0, 1]
    assert found[0].examples == ({"a": None, "A": "y", "": 2.0},)


def test_odd_types_can_be_asked_about() -> None:
    table = pa.table(
        {
            "half": pa.array([1.0, None], pa.float32()).cast(pa.float16()),
            "list": [[1], [1]],
            "nothing": pa.nulls(2),
            "day": [date(2025, 1, 1), None],
            "span": [timedelta(seconds=1), None],
        }
    )
    with Scan(table) as scan:
        report = validate(
            scan,
            [
                expect.not_null("half"),
                expect.not_null("nothing"),
                expect.in_range("nothing", 1),
                expect.mean("nothing", 1),
            ],
        )
    assert [result.failing for result in report.results] == [1, 2, 0, 2]
