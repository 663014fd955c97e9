"""The clean report finds faults that were put into a sound table, and nothing in the sound one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flyball.data import fixes
from flyball.data._near_duplicates import near_pairs
from flyball.data.clean import CleanReport, clean_files, clean_report
from flyball.data.cleaning.base import CLEANERS
from flyball.data.fixes import number_of, time_format
from flyball.data.manifest import SnapshotFile
from flyball.data.table import Table
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, to_json

ROWS = 2_000
CITIES = np.array(["Newark", "Boston", "Chicago", "Denver"])
NOTES = ["Left the gate late as the crew had not arrived in time", "Waited for connecting passengers from the west coast",
         "Ground stop because of thunderstorms over the airport", "Aircraft was changed after a technical inspection"]  # fmt: skip


def sound(seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    delay, distance = rng.normal(0, 20, ROWS), rng.uniform(200, 3000, ROWS)
    return Table(
        pa.table(
            {
                "city": CITIES[rng.integers(0, 4, ROWS)],
                "distance": distance.round(1),
                "delay": delay.round(2),
                "hour": rng.integers(0, 24, ROWS),
                "late": pa.array(delay + (distance - 1600) / 30 > 10),
            }
        ),
        label="late",
    )


def report(table: Table, *kinds: str, **given: object) -> CleanReport:
    return clean_report(table, kinds=kinds, **given)  # type: ignore[arg-type]  # keywords are passed on


def changed(table: Table, **columns: object) -> Table:
    arrow = table.arrow
    for name, values in columns.items():
        place = arrow.schema.get_field_index(name)
        column = pa.array(values)
        arrow = arrow.append_column(name, column) if place < 0 else arrow.set_column(place, name, column)
    return table.with_arrow(arrow)


def mended(table: Table, found: CleanReport, **names: object) -> Table:
    """The table after the line of code of the first finding."""

    class fb:  # noqa: N801 - the name that the line uses
        clean = fixes

    space: dict[str, object] = {"fb": fb, "rows": table, **names}
    exec(found.findings[0].fix, space)
    result = space["rows"]
    assert isinstance(result, Table)
    return result


def test_a_sound_table_has_no_finding() -> None:
    assert [found.found for found in clean_report(sound()).findings] == []


def test_repeated_rows_are_found_and_dropped() -> None:
    table = sound()
    twice = table.with_arrow(pa.concat_tables([table.arrow, table.arrow.slice(0, 30)]))
    found = report(twice, "duplicates")
    assert found.findings[0].rows == 30
    assert len(mended(twice, found)) == ROWS


def test_rows_that_differ_by_their_key_alone_are_found() -> None:
    table = sound()
    twice = pa.concat_tables([table.arrow, table.arrow.slice(0, 30)])
    keyed = Table(twice.append_column("id", pa.array(range(len(twice)))), key="id")
    assert report(keyed, "duplicates").findings[0].rows == 30


def test_nearly_repeated_texts_are_found_and_dropped() -> None:
    rng = np.random.default_rng(1)
    words = [f"word{number}" for number in range(500)]
    texts = [" ".join(rng.choice(words, 12)) for _ in range(400)]
    texts += [text.replace(" ", "  ", 1)[:-1] + "!" for text in texts[:40]]
    table = Table(pa.table({"note": texts}))
    found = report(table, "near_duplicates")
    assert found.findings[0].rows == 40
    assert len(mended(table, found)) == 400
    assert near_pairs(["a" * 30, "b" * 30, "a" * 30]) == []


def test_missing_values_are_found_however_they_are_written() -> None:
    table = sound()
    rng = np.random.default_rng(2)
    hidden = rng.random(ROWS)
    cities = np.where(hidden < 0.1, "n/a", table.arrow["city"].to_numpy(zero_copy_only=False))
    distance = np.where(hidden < 0.08, -999.0, table.arrow["distance"].to_numpy())
    holes = pa.array(table.arrow["delay"].to_numpy(), mask=hidden < 0.3)
    found = report(changed(table, city=cities.tolist(), distance=distance, delay=holes), "missing")
    assert {each.column: each.rows for each in found.findings} == {
        "city": int((hidden < 0.1).sum()),
        "distance": int((hidden < 0.08).sum()),
        "delay": int((hidden < 0.3).sum()),
    }


def test_constant_columns_are_found_and_dropped() -> None:
    table = changed(sound(), source=["crew"] * ROWS, version=[3] * ROWS)
    found = report(table, "constant")
    assert {each.column for each in found.findings} == {"source", "version"}
    assert found.findings[0].column not in mended(table, found).column_names


def test_columns_that_name_rows_are_found() -> None:
    table = changed(sound(), row=list(range(ROWS)), code=[f"F{number:05}" for number in range(ROWS)])
    assert {each.column for each in report(table, "identifiers").findings} == {"row", "code"}


def test_outliers_are_found_and_clipped() -> None:
    values = sound().arrow["distance"].to_numpy().copy()
    values[[3, 30, 300]] = [1e6, -1e6, 5e5]
    table = changed(sound(), distance=values)
    found = report(table, "outliers")
    assert [(each.column, each.rows) for each in found.findings] == [("distance", 3)]
    clipped = mended(table, found).arrow["distance"].to_numpy()
    assert max(abs(clipped)) < 50_000


def test_texts_that_are_something_else_are_found_and_read() -> None:
    table = sound()
    numbers = [f"{value:,.1f}" for value in table.arrow["distance"].to_pylist()]
    moments = ["2013-01-31" if place % 3 else "31.01.2013" for place in range(ROWS)]
    moments[1] = "2013-02-01"
    marks = ["yes" if place % 2 else "no" for place in range(ROWS)]
    texts = changed(table, distance=numbers, day=moments, meal=marks)
    found = report(texts, "types")
    by_column = {each.column: each for each in found.findings}
    assert set(by_column) == {"distance", "day", "meal"}
    assert "2 formats" in by_column["day"].found
    for column, expected in (
        ("distance", table.arrow["distance"].to_pylist()),
        ("meal", [p % 2 == 1 for p in range(ROWS)]),
    ):
        again = mended(texts, replace(found, findings=(by_column[column],)))
        assert again.arrow[column].to_pylist() == expected
    days = mended(texts, replace(found, findings=(by_column["day"],))).arrow["day"]
    assert days.null_count == 0


def test_spellings_of_one_value_are_found_and_merged() -> None:
    cities = sound().arrow["city"].to_pylist()
    cities[:4] = ["newark", " Boston", "CHICAGO", "Denvr"]
    table = changed(sound(), city=cities)
    found = report(table, "spelling")
    assert [each.rows for each in found.findings] == [3, 1]
    assert set(mended(table, found).arrow["city"].to_pylist()) == {*CITIES.tolist(), "Denvr"}


def test_a_part_of_the_table_in_another_unit_is_found_and_mended() -> None:
    table = sound()
    rng = np.random.default_rng(4)
    lengths = rng.normal(1000, 60, ROWS)
    is_there = np.array(table.arrow["city"].to_pylist()) == "Denver"
    jumped = changed(table, length=np.where(is_there, lengths * 1.609344, lengths))
    found = report(jumped, "unit_jumps")
    assert [(each.column, each.rows) for each in found.findings] == [("length", int(is_there.sum()))]
    assert "kilometres to miles" in found.findings[0].found
    assert np.allclose(mended(jumped, found).arrow["length"].to_numpy(), lengths)


def test_columns_that_tell_the_label_are_found() -> None:
    table = sound()
    late = np.array(table.arrow["late"].to_pylist())
    nearly = np.where(np.random.default_rng(5).random(ROWS) < 0.02, ~late, late)
    leaking = changed(table, refunded=late, compensation=np.where(nearly, "paid", "none").tolist())
    found = report(leaking, "leakage")
    assert [each.column for each in found.findings] == ["refunded", "compensation"]
    assert "refunded" not in mended(leaking, found).column_names


def test_test_rows_among_the_training_rows_are_found_and_dropped() -> None:
    table = sound()
    test = table.with_arrow(pa.concat_tables([table.arrow.slice(0, 25), sound(9).arrow.slice(0, 100)]))
    found = report(table, "overlap", test=test)
    assert found.findings[0].rows == 25
    assert len(mended(table, found, test=test)) == ROWS - 25
    assert report(table, "overlap", test=sound(9)).findings == ()


def test_most_wrong_labels_are_found_and_few_right_ones() -> None:
    table = sound()
    truth = np.array(table.arrow["late"].to_pylist())
    is_wrong = np.random.default_rng(6).random(ROWS) < 0.08
    noisy = changed(table, late=np.where(is_wrong, ~truth, truth))
    found = report(noisy, "label_errors")
    places = fixes.drop_label_errors(changed(noisy, row=list(range(ROWS)))).arrow["row"].to_pylist()
    dropped = set(range(ROWS)) - set(places)
    wrong = set(np.flatnonzero(is_wrong).tolist())
    assert len(dropped & wrong) >= 0.8 * len(wrong)
    assert len(dropped & wrong) >= 0.8 * len(dropped)
    assert abs(found.findings[0].rows - len(wrong)) < 0.3 * len(wrong)


def test_groups_that_fare_otherwise_are_found() -> None:
    rng = np.random.default_rng(7)
    city = np.where(rng.random(ROWS) < 0.004, "Nome", CITIES[rng.integers(0, 4, ROWS)])
    late = rng.random(ROWS) < np.where(city == "Boston", 0.5, 0.2)
    found = report(changed(sound(), city=city.tolist(), late=late), "bias", groups=["city"])
    assert ["less than 1%" in each.found for each in found.findings] == [False, True]
    assert any(str(example).startswith("Boston: ") for example in found.findings[0].examples)


def test_personal_values_are_masked() -> None:
    mails = [f"p{number}@example.org" for number in range(ROWS)]
    table = changed(sound(), mail=mails)
    found = clean_report(table.with_arrow(pa.concat_tables([table.arrow, table.arrow.slice(0, 9)])))
    assert "example.org" not in str(found)
    assert "<mail>" in str(found)


def test_a_report_reads_well_and_survives_the_wire() -> None:
    found = clean_report(changed(sound(), source=["crew"] * ROWS))
    assert str(found).splitlines()[:2] == [
        "2,000 rows, 1 findings",
        "   90%  constant: 'source' is the same in all rows",
    ]
    assert from_json(to_json(found), CleanReport) == found


@pytest.mark.parametrize("name", CLEANERS.names())
def test_every_cleaner_takes_odd_tables(name: str) -> None:
    odd = pa.table(
        {
            "label": pa.array([True, False, None] * 60),
            "nothing": pa.nulls(180),
            "nan": [float("nan")] * 180,
            "infinite": [float("inf"), 1.0, 2.0] * 60,
            "text": ["", None, "a"] * 60,
            "list": [[1], [], None] * 60,
            "bytes": [b"x", None, b""] * 60,
        }
    )
    report(Table(odd, label="label"), name)
    report(Table(odd.slice(0, 1), label="label"), name)


def test_what_cannot_be_looked_at_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="without rows"):
        clean_report(sound().filter([False] * ROWS))
    with pytest.raises(InvalidInput, match="Did you mean 'city'"):
        clean_report(sound(), groups=["ctiy"])
    with pytest.raises(NotFound, match="Did you mean 'missing'"):
        clean_report(sound(), kinds=["mising"])


def test_fixes_keep_roles_and_refuse_what_does_not_fit() -> None:
    table = sound()
    assert fixes.fill_missing(table, "delay").label == "late"
    assert (
        fixes.fill_missing(changed(table, delay=pa.array([None, 1.0, 3.0] + [2.0] * (ROWS - 3))), "delay")
        .arrow["delay"][0]
        .as_py()
        == 2.0
    )
    with pytest.raises(InvalidInput, match="does not fit"):
        fixes.fill_missing(table, "delay", "much")
    with pytest.raises(InvalidInput, match="There is no column 'gone'"):
        fixes.drop_columns(table, ["gone"])
    with pytest.raises(InvalidInput, match="has no label"):
        fixes.drop_label_errors(Table(table.arrow))


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("-1.5", -1.5), ("1,5", 1.5), ("1,500", 1500), ("1.234.567,8", 1234567.8), ("$3", 3), ("5 %", 5), ("1e3", 1000),
     ("", None), ("1-2", None), ("N1", None), ("1.2.3", None)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, number: float | None) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize("text", ["2013-01-02", "1.2.2013", "Jan 2, 2013", "20130102", "2013-01-02 05:06"])
def test_moments_are_told_by_their_format(text: str) -> None:
    assert time_format(text)


@pytest.mark.parametrize("text", ["12345", "UA1545", "", "99999999", "13:05"])
def test_what_is_no_moment_has_no_format(text: str) -> None:
    assert time_format(text) == ""


def test_files_of_a_folder_that_repeat_contradict_or_are_empty_are_found() -> None:
    same, other, none = "a" * 64, "b" * 64, "c" * 64
    places = {"cat/1.png": same, "cat/2.png": same, "dog/1.png": same, "dog/2.png": other, "dog/3.png": none}
    found = clean_files(
        [SnapshotFile(path=path, digest=name, size=0 if name == none else 9) for path, name in places.items()]
    )
    assert [(one.kind, one.rows, one.examples) for one in found.findings] == [
        ("empty", 1, ("dog/3.png",)),
        ("duplicates", 2, ("cat/1.png = cat/2.png = dog/1.png",)),
        ("contradictions", 1, ("cat/1.png = cat/2.png = dog/1.png",)),
    ]
    assert clean_files([SnapshotFile(path="1.png", digest=same, size=9)]).findings == ()
