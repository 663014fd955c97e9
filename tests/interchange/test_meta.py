"""What MLflow's file store writes is read, as its own YAML library would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import Corrupt
from flyball.interchange.mlflow.meta import read_meta, write_meta

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029", exclude_categories=("Cc", "Cs", "Cn", "Co"))
)
words = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,20}", fullmatch=True)
values = st.one_of(texts, st.text("ab '\"\n:#-", max_size=200), st.integers(-(2**53), 2**53), st.none(), st.booleans())


@given(st.dictionaries(words, st.one_of(values, st.dictionaries(words, values, min_size=1))))
def test_what_their_library_writes_is_read(tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("meta") / "meta.yaml"
    pytest.importorskip("yaml")
    path.write_bytes(msgspec.yaml.encode(found))
    assert read_meta(path) == found


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}_[a-z]{1,9}", fullmatch=True), values))
def test_what_we_write_is_read_by_their_library(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("meta") / "meta.yaml"
    pytest.importorskip("yaml")
    write_meta(path, found)
    assert (msgspec.yaml.decode(path.read_bytes()) or {}) == found
    assert read_meta(path) == found


@pytest.mark.parametrize("text", ["- a\n- b\n", "{", "a: 'not closed\n", 'a: "not closed\n', "just words\n"])
def test_what_is_none_of_theirs_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.yaml").write_text(text)
    with pytest.raises(Corrupt, match="none of MLflow's own files"):
        read_meta(tmp_path / "meta.yaml")
