"""References are read back as they were written; names hold nothing that could do harm."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.refs import KINDS, Ref, check_alias, check_model_name, check_name, new_id

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
tails: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"version": names}), st.fixed_dictionaries({"alias": names})
)


@given(st.sampled_from(KINDS), names, tails)
def test_a_reference_is_read_back(kind: str, name: str, tail: dict[str, str]) -> None:
    ref = Ref(kind=kind, name=name, **tail)
    assert Ref.parse(str(ref)) == ref
    assert Ref.parse(str(ref), kind=kind) == ref


@given(st.text())
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    for kind in (None, "models"):
        with contextlib.suppress(InvalidInput):
            found = Ref.parse(text, kind=kind)
            assert Ref.parse(str(found)) == found


def test_a_bare_name_is_of_the_kind_that_is_wanted() -> None:
    assert Ref.parse("churn@champion", kind="models") == Ref(kind="models", name="churn", alias="champion")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "churn",
        "models:/",
        "models:churn",
        "models://churn",
        "models:/churn/3/4",
        "models:/churn/3@a",
        "models:/churn/",
        "models:/churn@",
        "Models:/churn",
        " models:/churn",
        "models:/churn\n",
        "models:/ ",
        "models:/a:b",
        "models:/..",
        "models:/@a",
        "runs:/a b",
        "runs:/a@b@c",
        "models:/a\x00b",
        "models:/" + "x" * 257,
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a reference"):
        Ref.parse(text)


@pytest.mark.parametrize(
    ("text", "name", "alias", "version"),
    [
        ("models:/late flights@champion", "late flights", "champion", ""),
        ("models:/a@b@c", "a@b", "c", ""),
        ("models:/a@b/3", "a@b", "", "3"),
        ("models:/Größe (neu)/1", "Größe (neu)", "", "1"),
        ("models:/" + "x" * 256, "x" * 256, "", ""),
    ],
)
def test_a_model_is_named_by_nearly_any_text(text: str, name: str, alias: str, version: str) -> None:
    assert Ref.parse(text) == Ref(kind="models", name=name, alias=alias, version=version)
    assert str(Ref.parse(text)) == text
    assert check_model_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "../a", "a/b", "a:b", "a\n", "a\0", "a\ud800", "x" * 257, None, 3]
)
def test_what_cannot_name_a_model_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a model"):
        check_model_name(name)


@pytest.mark.parametrize("alias", ["", "a b", "a@b", "a/b", "a:b", "x" * 256, None])
def test_what_cannot_be_an_alias_is_refused(alias: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of an alias"):
        check_alias(alias)


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'models'"):
        Ref.parse("model:/churn")


def test_a_reference_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not point at models"):
        Ref.parse("runs:/churn", kind="models")


@pytest.mark.parametrize("name", ["a", "0", "late-flights", "v1.2_3", "x" * 128])
def test_a_good_name_is_given_back(name: str) -> None:
    assert check_name(name, "model") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "_a", ".a", "a/b", "a b", "a\n", "a@b", "a:b", "é", "x" * 129, "a\x00", None, 3, b"a"]
)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a model"):
        check_name(name, "model")


def test_ids_are_unique_and_may_be_names() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 22 and check_name(one, "run") for one in ids[:100])


def test_ids_are_sorted_by_the_time_of_their_making() -> None:
    first = new_id()
    time.sleep(0.002)
    assert first < new_id()
