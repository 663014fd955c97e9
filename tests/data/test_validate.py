from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from flyball.data import expect
from flyball.data.checks.base import CHECKS, CheckSpec
from flyball.data.validate import ValidationReport, ensure_valid, validate
from flyball.errors import ChecksFailed, InvalidInput, NotFound
from flyball.schema import Schema
from flyball.serialization import from_json, to_json

NOW = datetime(2013, 1, 2, tzinfo=UTC)
ROWS = pa.table(
    {
        "id": [1, 2, 2, None],
        "origin": ["JFK", "EWR", "LGA", None],
        "miles": [1.0, 5.0, float("nan"), None],
        "at": pa.array(["2013-01-01T00:00:00", "2013-01-01T21:00:00", None, None]).cast(pa.timestamp("s")),
        "late": [True, False, None, None],
        "nothing": pa.nulls(4),
    }
)

KEPT: list[CheckSpec] = [
    expect.unique("origin"),
    expect.unique("id", "origin"),
    expect.in_range("id", 1, 2),
    expect.in_range("id", high=2),
    expect.in_range("at", "2013-01-01", "2013-01-01T21:00:00Z"),
    expect.in_range("origin", "EWR", "LGA"),
    expect.in_set("origin", ["JFK", "EWR", "LGA", "PHL"]),
    expect.in_set("id", [1, 2]),
    expect.in_set("late", [True, False]),
    expect.matches("origin", "[A-Z]{3}"),
    expect.row_count(4, 4),
    expect.row_count(low=1),
    expect.fresh("at", "3h"),
    expect.column_type("origin", "string"),
    expect.column_type("nothing", "int"),
]
BROKEN: list[tuple[CheckSpec, int, str]] = [
    (expect.not_null("origin"), 1, "1 of 4 values of 'origin' are missing"),
    (expect.not_null("miles"), 2, "2 of 4 values of 'miles' are missing"),
    (expect.unique("id"), 1, "1 of 3 values of 'id' repeat others"),
    (expect.unique("id", "gone"), 4, "there is no column 'gone'"),
    (expect.in_range("id", 2), 1, "1 of 3 values of 'id' lie outside 2 to ..."),
    (expect.in_range("miles", 0, 4), 2, "2 of 3 values of 'miles' lie outside 0 to 4"),
    (expect.in_range("at", "2013-01-01T01:00"), 1, "1 of 2 values of 'at' lie outside 2013-01-01T01:00 to ..."),
    (expect.in_range("origin", 1), 4, "'origin' is of type string and cannot be compared with 1"),
    (expect.in_set("origin", ["JFK"]), 2, "2 of 3 values of 'origin' are not in the set: 'EWR', 'LGA'"),
    (expect.in_set("id", []), 3, "3 of 3 values of 'id' are not in the set: 1, 2"),
    (expect.in_set("id", ["x"]), 4, "'id' is of type int64, which the set is not"),
    (expect.matches("origin", "J|E.R"), 2, "2 of 3 values of 'origin' do not match 'J|E.R': 'JFK', 'LGA'"),
    (expect.matches("id", "1"), 4, "'id' is of type int64, not text"),
    (expect.row_count(5), 4, "there are 4 rows, at least 5 are expected"),
    (expect.fresh("at", "2h"), 4, "the latest 'at' is 2013-01-01T21:00:00+00:00, 3h ago; at most 2h is expected"),
    (expect.fresh("id", "2h"), 4, "'id' is of type int64, not a time"),
    (expect.column_type("id", "string"), 4, "'id' is of type int, string is expected"),
    (expect.not_null("gone"), 4, "there is no column 'gone'"),
]


@pytest.mark.parametrize("spec", KEPT, ids=str)
def test_a_promise_that_is_kept_passes(spec: CheckSpec) -> None:
    report = validate(ROWS, [spec], now=NOW)
    assert report.passed
    assert report.results[0].failing == 0


@pytest.mark.parametrize(("spec", "failing", "found"), BROKEN, ids=str)
def test_a_promise_that_is_broken_says_so(spec: CheckSpec, failing: int, found: str) -> None:
    report = validate(ROWS, [spec], now=NOW)
    assert not report.passed
    assert (report.results[0].failing, report.results[0].found) == (failing, found)


BAD: list[tuple[CheckSpec, type[Exception], str]] = [
    (CheckSpec(check="not_nul", column="id"), NotFound, "Did you mean 'not_null'"),
    (CheckSpec(check="in_range", column="id", params={"lo": 1}), InvalidInput, "Did you mean 'low'"),
    (CheckSpec(check="in_set", column="id"), InvalidInput, "needs 'values'"),
    (CheckSpec(check="in_set", column="id", params={"values": 1}), InvalidInput, "does not fit"),
    (expect.in_range("id"), InvalidInput, "no bounds"),
    (expect.matches("origin", "("), InvalidInput, "no regular expression"),
    (expect.fresh("at", "soon"), InvalidInput, "not a duration"),
    (CheckSpec(check="column_type", column="id", params={"type": "integer"}), InvalidInput, "Did you mean 'int"),
]


@pytest.mark.parametrize(("spec", "kind", "found"), BAD, ids=str)
def test_a_check_that_cannot_be_run_is_an_error(spec: CheckSpec, kind: type[Exception], found: str) -> None:
    with pytest.raises(kind, match=found):
        validate(ROWS, [spec], now=NOW)


def test_freshness_needs_the_time() -> None:
    with pytest.raises(InvalidInput, match="now="):
        validate(ROWS, [expect.fresh("at", "3h")])


def test_a_warning_does_not_stop_the_work() -> None:
    report = ensure_valid(ROWS, [expect.not_null("origin", severity="warn")])
    assert [result.found for result in report.warnings] == ["1 of 4 values of 'origin' are missing"]


def test_a_failure_stops_the_work_with_its_sentences() -> None:
    checks = [expect.not_null("origin"), expect.row_count(5), expect.row_count(1), expect.unique("origin")]
    with pytest.raises(ChecksFailed) as caught:
        ensure_valid(ROWS, checks)
    assert caught.value.message == (
        "2 of 4 checks failed. 1 of 4 values of 'origin' are missing (such as the row origin=null, id=null, miles=null, "
        "at=null, ...). There are 4 rows, at least 5 are expected."
    )
    assert caught.value.facts["checks"][0]["examples"][0]["origin"] is None  # type: ignore[index]  # facts are plain values


def test_the_columns_are_compared_with_what_is_expected() -> None:
    schema = Schema.of(pa.table({"id": ["a"], "miles": [1.0], "gone": [1], "nothing": [1]}))
    report = validate(ROWS, schema=schema)
    assert [result.found for result in report.failures] == [
        "column 'gone' (int) is gone",
        "column 'id' was string and is int",
    ]
    assert {result.column for result in report.warnings} == {"origin", "at", "late"}
    assert validate(ROWS, schema=Schema.of(ROWS)).passed


def test_a_report_reads_well_and_survives_the_wire() -> None:
    report = validate(ROWS, [expect.row_count(1), expect.not_null("id"), expect.not_null("at", severity="warn")])
    assert str(report).splitlines() == [
        "4 rows, 3 checks: 1 failed, 1 warned",
        "  ok    row_count: there are 4 rows, at least 1 are expected",
        "  fail  not_null: 1 of 4 values of 'id' are missing",
        "          id=null, origin=null, miles=null, at=null, ...",
        "  warn  not_null: 2 of 4 values of 'at' are missing",
        "          at=null, id=2, origin=LGA, miles=nan, ...",
        "          at=null, id=null, origin=null, miles=null, ...",
    ]
    assert from_json(to_json(report), ValidationReport) == report


@pytest.mark.parametrize("name", CHECKS.names())
def test_every_check_can_be_declared_and_tells_its_params(name: str) -> None:
    check = CHECKS.get(name)
    assert hasattr(expect, name)
    assert all(isinstance(required, bool) for required in check.params.values())


def test_an_empty_table_breaks_no_promise_about_values() -> None:
    empty = ROWS.slice(0, 0)
    checks = [spec for spec in KEPT if spec.check not in ("row_count", "fresh")] + [expect.not_null("id")]
    assert validate(empty, checks, now=NOW).passed
