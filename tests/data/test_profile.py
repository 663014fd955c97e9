from __future__ import annotations

import math
import statistics
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.data import expect
from flyball.data.checks_file import Suggestion, parse_checks, read_checks, to_code, to_yaml
from flyball.data.profile import TableProfile, merge
from flyball.data.profile_page import spark, to_html
from flyball.data.profile_table import examine, profile_table
from flyball.data.suggest import suggest_checks
from flyball.data.validate import validate
from flyball.errors import InvalidInput
from flyball.serialization import from_json, to_json

VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, 0.0])), max_size=30)


def flights(rows: int = 400, *, shift: float = 0.0) -> pa.Table:
    return pa.table(
        {
            "origin": [("EWR", "JFK", "LGA")[number % 3] for number in range(rows)],
            "tail": [f"N{number % 97:05}" for number in range(rows)],
            "distance": [100 + number * 7 % 3000 for number in range(rows)],
            "delay": [None if number % 10 == 0 else math.sin(number) * 20 + shift for number in range(rows)],
            "late": [number % 4 == 0 for number in range(rows)],
        }
    )


@settings(max_examples=15)
@given(VALUES)
def test_numbers_are_counted_as_python_counts_them(values: list[float | None]) -> None:
    found = profile_table(pa.table({"x": pa.array(values, pa.float64())})).column("x")
    known = [value for value in values if value is not None and math.isfinite(value)]
    assert found.missing == sum(value is None or math.isnan(value) for value in values)
    assert found.infinite == sum(value is not None and math.isinf(value) for value in values)
    assert found.minimum == (min(known) if known else None)
    assert found.maximum == (max(known) if known else None)
    assert found.zeros in (None, sum(value == 0 for value in known)) if known else True
    if known:
        assert found.mean == pytest.approx(statistics.fmean(known), abs=1e-6)
        assert found.bins is not None
        assert sum(found.bins.counts) + sum(found.bins.repeated_counts) == len(known)
    if len(known) > 1:
        assert found.std == pytest.approx(statistics.stdev(known), rel=1e-6, abs=1e-6)


def test_texts_marks_and_times_are_profiled() -> None:
    import datetime as dt

    table = flights().append_column("at", pa.array([dt.datetime(2013, 1, 1, tzinfo=dt.UTC)] * 399 + [None]))
    found = profile_table(table)
    origin, late, at = (found.column(name) for name in ("origin", "late", "at"))
    assert [(each.value, each.rows) for each in origin.top] == [("EWR", 134), ("JFK", 133), ("LGA", 133)]
    assert (origin.lengths and (origin.lengths.least, origin.lengths.most)) == (3, 3)
    assert (late.zeros, late.mean) == (300, 0.25)
    assert (at.minimum, at.missing) == ("2013-01-01T00:00:00+00:00", 1)
    assert found.duplicates == 0
    assert from_json(to_json(found), TableProfile) == found


def test_repeated_rows_and_columns_that_go_together_are_told() -> None:
    table = flights(100).append_column("twice", pa.array([2.0 * (100 + number * 7 % 3000) for number in range(100)]))
    found = profile_table(pa.concat_tables([table, table.slice(0, 7)]))
    assert found.duplicates == 7
    strongest = found.correlations[0]
    assert (strongest.one, strongest.other, strongest.value) == ("distance", "twice", 1.0)


def test_the_profile_of_parts_merges_to_that_of_the_whole() -> None:
    table = flights(600)
    parts = [profile_table(table.slice(0, 250)), profile_table(table.slice(250))]
    whole, merged = profile_table(table), merge(parts)
    assert merged.rows == 600
    for column in whole.columns:
        part = merged.column(column.column)
        assert (part.missing, part.minimum, part.maximum, part.zeros) == (
            column.missing, column.minimum, column.maximum, column.zeros,
        )  # fmt: skip
        assert part.mean == pytest.approx(column.mean)
        assert part.std == pytest.approx(column.std)
    assert merged.column("origin").top == whole.column("origin").top
    bins = merged.column("delay").bins
    assert bins is not None
    assert sum(bins.counts) + sum(bins.repeated_counts) == merged.column("delay").known


def test_checks_and_profile_come_of_one_examination() -> None:
    found = examine(flights(), [expect.not_null("origin"), expect.in_set("origin", ["EWR"]), expect.unique("tail")])
    assert [result.failing for result in found.report.results] == [0, 266, 303]
    assert found.profile == profile_table(flights())


def test_an_empty_table_has_a_profile() -> None:
    found = profile_table(flights().slice(0, 0))
    assert [(column.rows, column.distinct) for column in found.columns] == [(0, 0)] * 5


def test_a_page_needs_nothing_else_and_shows_no_markup_of_the_data() -> None:
    page = to_html(profile_table(flights().append_column("<b>", pa.array(["<script>"] * 400))), "flights")
    assert "<script" not in page
    assert "http" not in page
    assert "&lt;script&gt;" in page
    assert spark([0, 0]) == ""


def test_what_held_in_all_versions_is_proposed_and_passes() -> None:
    tables = [flights(400 + 10 * number, shift=number / 10) for number in range(3)]
    found = suggest_checks([profile_table(table) for table in tables], key="tail")
    checks = [each.check for each in found]
    assert all(validate(table, [c for c in checks if c.check != "unique"]).passed for table in tables)
    assert expect.in_set("origin", ["EWR", "JFK", "LGA"]) in checks
    assert expect.matches("tail", "[A-Z][0-9]{5}", severity="warn") in checks
    broken = flights().set_column(0, "origin", pa.array(["PHL"] * 400))
    assert not validate(broken, checks).passed


def test_one_version_only_warns_of_ranges() -> None:
    found = suggest_checks([profile_table(flights())])
    assert {each.check.severity for each in found if each.check.check in ("in_range", "in_set")} == {"warn"}
    with pytest.raises(InvalidInput, match="Without a profile"):
        suggest_checks([])


def test_checks_are_written_and_read_again(tmp_path: Path) -> None:
    checks = [
        expect.not_null("a b", at_most=0.1), expect.unique("x", "y", severity="warn"), expect.in_set("n", ["no", "1", "ü"]),
        expect.in_range("at", "2013-01-01", None), expect.row_count(1, change="20%"), expect.sql("a > 1 -- 'why'"),
        expect.matches("t", r"[A-Z]{3}\d"), expect.foreign_key("carrier", "carriers"), expect.quantile("x", 0.5, 1, 2),
        expect.distribution("x", "flights@3f2a", 0.1),
    ]  # fmt: skip
    some = [Suggestion(check=check, reason="so it is") for check in checks]
    (tmp_path / "checks.yaml").write_text(to_yaml(some), encoding="utf-8")
    assert read_checks(tmp_path / "checks.yaml") == checks
    space: dict[str, object] = {}
    exec(to_code(some), space)
    assert space["checks"] == checks


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("checks:\n  - not_nul: x", "line 2: There is no check 'not_nul'. Did you mean 'not_null'"),
        ("checks:\n  - not_null: a\n  - in_range: {column: a, lo: 1}", "line 3: The check 'in_range' takes no 'lo'"),
        ("checks:\n  - in_range: [a", "line 2"),
        ("- 3", "line 1: A check is one name"),
        ("- fresh: at", "line 1: .*max_age"),
        ("hello", "holds no list of checks"),
        ("", "holds no list of checks"),
        ("- not_null: {column: a, severity: fatal}", "no severity"),
        ("!!python/object/apply:os.system ['true']", "line 1"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        parse_checks(text)
