from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.serialization import to_json
from flyball.serving.follower import Follower
from flyball.serving.log_rules import LogRules, check_rules, kept_to
from flyball.serving.manifest import Manifest, manifest_key
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects
from tests.serving.conftest import MakeArm

TABLE = pa.table(
    {
        "prediction_id": ["a", "b", "c"],
        "key": ["ada@example.org", None, "1"],
        "input.mail": ["ada@example.org", None, "bob@example.org"],
        "input.note": ["call +49 170 1234567 or ada@example.org", None, "room 12"],
        "input.age": [30, None, 40],
        "prediction": [1.0, 2.0, 3.0],
    }
)


def column(rules: LogRules, name: str, *, key: str = "") -> list[object]:
    found: list[object] = kept_to(rules, TABLE, key_column=key).column(name).to_pylist()
    return found


def test_without_rules_all_is_kept() -> None:
    assert kept_to(LogRules(), TABLE) == TABLE
    assert LogRules().keeps_all


def test_a_dropped_column_is_empty_and_of_its_kind() -> None:
    kept = kept_to(LogRules(mask={"age": "drop"}), TABLE)
    assert kept.column("input.age").to_pylist() == [None, None, None]
    assert kept.schema == TABLE.schema


def test_hashes_tell_values_apart_and_no_more() -> None:
    first, nothing, other = column(LogRules(mask={"mail": "hash"}, salt="s"), "input.mail")
    assert nothing is None
    assert first != other
    assert "ada" not in str(first)
    assert column(LogRules(mask={"mail": "hash"}, salt="s"), "input.mail")[0] == first
    assert column(LogRules(mask={"mail": "hash"}, salt="t"), "input.mail")[0] != first


def test_addresses_and_numbers_are_hidden_in_texts() -> None:
    assert column(LogRules(mask={"note": "text"}), "input.note") == ["call *** or ***", None, "room 12"]


def test_what_is_routed_by_is_hidden_with_its_column() -> None:
    rules = LogRules(mask={"mail": "hash"}, salt="s")
    assert column(rules, "key", key="mail")[0] == column(rules, "input.mail")[0]
    assert column(rules, "key")[0] == "ada@example.org"


def test_a_share_of_the_ids_is_kept_whoever_answered() -> None:
    many = pa.table({"prediction_id": [f"id-{n}" for n in range(5000)]})
    kept = kept_to(LogRules(sample=0.2), many).column("prediction_id").to_pylist()
    assert 0.18 < len(kept) / 5000 < 0.22
    assert (
        kept
        == kept_to(LogRules(sample=0.2), many.append_column("x", pa.nulls(5000))).column("prediction_id").to_pylist()
    )
    assert kept_to(LogRules(sample=0.0), many).num_rows == 0


@pytest.mark.parametrize("rules", [LogRules(sample=1.5), LogRules(sample=-1), LogRules(mask={"": "drop"})])
def test_rules_that_make_no_sense_are_refused(rules: LogRules) -> None:
    with pytest.raises(InvalidInput):
        check_rules(rules)


@pytest.fixture
def spooled(store: LocalObjects, tmp_path: Path) -> Iterator[Follower]:
    made = Follower(store, replica="r1", spool=tmp_path / "spool")
    yield made
    made.stop()


def test_what_is_hidden_is_never_written(
    spooled: Follower, store: LocalObjects, make_arm: MakeArm, tmp_path: Path
) -> None:
    manifest = Manifest(deployment="shop", generation=1, arms=(make_arm(1),), key="city")
    rules = LogRules(mask={"city": "hash"}, salt="s")
    store.put(manifest_key("shop"), to_json(replace(manifest, logging=rules)))
    spooled.look()
    endpoint = spooled.endpoint("shop")
    assert endpoint.runtime is not None
    rows = pa.table({"x": [1.0], "n": [1], "city": ["Secretville"]})
    endpoint.answer(endpoint.runtime, rows, ["a"], at=datetime.now(UTC))
    endpoint.flush()
    logged, _ = read_predictions(store, "shop")
    assert logged.column("input.city").to_pylist() == logged.column("key").to_pylist()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "sources" not in path.parts]
    assert not [path for path in files if b"Secretville" in path.read_bytes()]


def test_sampled_out_predictions_do_not_keep_a_flush_waiting(
    spooled: Follower, store: LocalObjects, make_arm: MakeArm
) -> None:
    manifest = Manifest(deployment="shop", generation=1, arms=(make_arm(1),), logging=LogRules(sample=0.0))
    store.put(manifest_key("shop"), to_json(manifest))
    spooled.look()
    endpoint = spooled.endpoint("shop")
    assert endpoint.runtime is not None
    endpoint.answer(endpoint.runtime, pa.table({"x": [1.0], "n": [1], "city": ["a"]}), ["a"], at=datetime.now(UTC))
    endpoint.flush(5)
    assert (endpoint.log.logged, endpoint.log.dropped) == (0, 0)
    assert read_predictions(store, "shop")[0].num_rows == 0
