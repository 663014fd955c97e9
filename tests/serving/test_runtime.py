from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.models.package import ModelPackage
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.runtime import Runtime
from flyball.storage.objects import Blobs

ROWS = pa.table({"x": [0.5] * 200, "n": [1] * 200, "city": ["a"] * 200})
IDS = [f"id-{place}" for place in range(200)]
FAILS_LATER = (
    "calls = []\n"
    "def predict(table):\n"
    "    calls.append(1)\n"
    "    if len(calls) > 2:\n"
    "        raise ValueError('worn out')\n"
    "    return [2.0] * table.num_rows\n"
)

MakeArm = Callable[..., Arm]
MakePackage = Callable[..., ModelPackage]


def load(blobs: Blobs, *arms: Arm, key: str = "", former: Runtime | None = None) -> Runtime:
    return Runtime.load(Manifest(deployment="shop", generation=1, arms=arms, key=key), blobs, former)


def test_each_row_is_answered_by_the_arm_of_its_key(blobs: Blobs, make_arm: MakeArm) -> None:
    runtime = load(blobs, make_arm(1, weight=0.7), make_arm(2, role="challenger", weight=0.3))
    answer = runtime.predict(ROWS, IDS)
    assert answer.column("prediction") == [float(version) for version in answer.versions()]
    assert answer.versions() == [place + 1 for place in runtime.router.places(IDS)]
    assert {1, 2} == set(answer.versions())


def test_columns_that_only_some_arms_give_are_null_elsewhere(
    blobs: Blobs, make_arm: MakeArm, make_package: MakePackage
) -> None:
    source = (
        "def predict(table):\n    n = table.num_rows\n    return {'prediction': [True] * n, 'probability': [0.9] * n}\n"
    )
    challenger = make_arm(2, role="challenger", weight=0.5, package=make_package(source=source))
    answer = load(blobs, make_arm(1, weight=0.5), challenger).predict(ROWS, IDS)
    assert set(answer.column("probability") or []) == {None, 0.9}
    assert answer.column("probabilities") is None


def test_the_champion_stands_in_for_a_challenger_that_fails(
    blobs: Blobs, make_arm: MakeArm, make_package: MakePackage
) -> None:
    challenger = make_arm(2, role="challenger", weight=1.0, package=make_package(source=FAILS_LATER))
    runtime = load(blobs, make_arm(1, weight=0.0), challenger)
    answer = runtime.predict(ROWS, IDS)
    assert set(answer.versions()) == {1}
    (failure,) = answer.failures
    assert (failure.arm.version, failure.rows, failure.error) == (2, None, "ValueError: worn out")


def test_a_champion_that_fails_fails_the_request(blobs: Blobs, make_arm: MakeArm, make_package: MakePackage) -> None:
    runtime = load(blobs, make_arm(1, package=make_package(source=FAILS_LATER)))
    with pytest.raises(ValueError, match="worn out"):
        runtime.predict(ROWS, IDS)


def test_a_bad_request_is_no_fault_of_the_challenger(blobs: Blobs, make_arm: MakeArm) -> None:
    runtime = load(blobs, make_arm(1, weight=0.5), make_arm(2, role="challenger", weight=0.5))
    with pytest.raises(InvalidInput, match="no column 'city'"):
        runtime.predict(ROWS.drop_columns(["city"]), IDS)


def test_a_version_can_be_asked_by_itself(blobs: Blobs, make_arm: MakeArm) -> None:
    runtime = load(blobs, make_arm(1, weight=0.5), make_arm(2, role="challenger", weight=0.5))
    assert set(runtime.predict(ROWS, IDS, only=runtime.version(2)).versions()) == {2}
    with pytest.raises(NotFound, match="no version 7"):
        runtime.version(7)


def test_a_key_column_routes_and_the_id_stands_in_for_a_missing_value(blobs: Blobs, make_arm: MakeArm) -> None:
    runtime = load(blobs, make_arm(1), key="customer")
    table = pa.table({"customer": [7, None]})
    assert runtime.keys(table, ["a", "b"]) == ["7", "b"]
    with pytest.raises(InvalidInput, match="'customer' is missing"):
        runtime.keys(ROWS, IDS)


def test_a_model_that_is_held_already_is_not_loaded_again(blobs: Blobs, make_arm: MakeArm) -> None:
    champion = make_arm(1)
    former = load(blobs, champion)
    later = load(blobs, champion, make_arm(2, role="shadow"), former=former)
    assert later.models[champion.package.id] is former.models[champion.package.id]


def test_columns_of_all_arms_are_accepted(blobs: Blobs, make_arm: MakeArm, make_package: MakePackage) -> None:
    wider = make_package(3.0, example=pa.table({"x": [1.0], "wind": [1.0]}))
    runtime = load(blobs, make_arm(1), make_arm(2, role="shadow", package=wider))
    assert runtime.inputs.names == ("x", "n", "city", "wind")


def test_no_rows_give_no_answers(blobs: Blobs, make_arm: MakeArm) -> None:
    assert load(blobs, make_arm(1)).predict(ROWS.slice(0, 0), []).column("prediction") == []
