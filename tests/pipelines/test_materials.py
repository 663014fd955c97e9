from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flyball.data.table import Table
from flyball.errors import Corrupt, InvalidInput
from flyball.pipelines.materials import Artifact, fingerprint, load, save
from flyball.storage.objects import Blobs

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


@dataclass(frozen=True)
class Noun:
    name: str
    at: dt.datetime
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Holder:
    content: Any


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain)
@example({"b": 1, "a": [{"d": 2, "c": 3}]})
@example(Holder({"b": 1, "a": 2}))
def test_a_value_comes_back_the_same_and_of_the_same_types(blobs: Blobs, value: object) -> None:
    back = load(save(value, blobs), blobs)
    assert repr(back) == repr(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain, plain)
def test_two_values_are_the_same_input_only_if_they_look_the_same(blobs: Blobs, one: object, other: object) -> None:
    def print_of(value: object) -> Any:
        return fingerprint(value, blobs, code_of=lambda _: "")

    assert print_of(one) == print_of(one)
    if repr(one) != repr(other):
        assert repr(print_of(one)) != repr(print_of(other))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": [1, 2.5, None]}, "json"),
        ((1, 2), "pickle"),
        (Noun(name="a", at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), parts=(1,)), "noun"),
        (Holder(content=(1, {2})), "pickle"),
        (float("nan"), "pickle"),
        (threading.Lock(), "live"),
    ],
)
def test_each_value_is_kept_in_the_form_that_suits_it(blobs: Blobs, value: object, kind: str) -> None:
    assert save(value, blobs).kind == kind


def test_a_noun_comes_back(blobs: Blobs) -> None:
    noun = Noun(name="a", at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), parts=(1, 2))
    assert load(save(noun, blobs), blobs) == noun


def test_a_table_comes_back_with_its_roles(blobs: Blobs) -> None:
    import pyarrow as pa

    table = Table(pa.table({"id": [1, 2], "late": [True, False]}), key="id", label="late")
    back = load(save(table, blobs), blobs)
    assert (back.arrow, back.roles) == (table.arrow, table.roles)


def test_how_a_table_is_cut_into_chunks_does_not_matter(blobs: Blobs) -> None:
    import pyarrow as pa

    whole = pa.table({"x": [1, 2, 3]})
    cut = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert save(whole, blobs).digest == save(cut, blobs).digest
    assert save(Table(whole), blobs).digest == save(Table(cut), blobs).digest


def test_an_arrow_table_comes_back_with_its_types(blobs: Blobs) -> None:
    import pyarrow as pa

    table = pa.table({"x": pa.array(["a", "b"]).dictionary_encode(), "y": pa.array([1, 2], pa.int8())})
    back = load(save(table, blobs), blobs)
    assert back.schema == table.schema
    assert back == table


def test_a_fitted_model_comes_back(blobs: Blobs) -> None:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    artifact = save(model, blobs)
    assert artifact.identity == save(model, blobs).identity
    assert load(artifact, blobs).predict([[2.0]])[0] == pytest.approx(4.0)


def test_a_file_comes_back_under_its_name(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("<p>")
    back = load(save(path, blobs), blobs)
    path.unlink()
    assert (back.name, back.read_text()) == ("report.html", "<p>")


def test_few_bytes_need_no_blob_and_many_do(blobs: Blobs) -> None:
    few, many = save("a", blobs), save("a" * 10_000, blobs)
    assert not blobs.has(few.digest)
    assert blobs.has(many.digest)


def test_what_was_not_kept_cannot_be_read_back(blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="lock was not kept"):
        load(save(threading.Lock(), blobs), blobs)


def test_what_cannot_be_read_back_is_corrupt(blobs: Blobs) -> None:
    broken = Artifact(digest=blobs.put(b"not a pickle"), kind="pickle", size=1, type="builtins:tuple")
    with pytest.raises(Corrupt):
        load(broken, blobs)


def test_the_code_of_a_pickled_class_is_part_of_the_value(blobs: Blobs) -> None:
    def code_of(version: str) -> Callable[[Any], str]:
        return lambda target: version if target is Holder else ""

    value = [Holder(content={1})]
    assert save(value, blobs, code_of=code_of("1")).identity != save(value, blobs, code_of=code_of("2")).identity


def test_a_folder_counts_by_the_content_of_its_files(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("1")
    before = fingerprint(tmp_path / "data", blobs, code_of=lambda _: "")
    (tmp_path / "data" / "a").write_text("2")
    assert fingerprint(tmp_path / "data", blobs, code_of=lambda _: "") != before
