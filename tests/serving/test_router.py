from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage
from flyball.models.signature import Signature
from flyball.schema import Schema
from flyball.serving.manifest import Arm, Role
from flyball.serving.router import Router

NOTHING = Schema(columns=())
PACKAGE = ModelPackage(
    id="0" * 64,
    flavor="python_function",
    files={},
    size=0,
    signature=Signature(task="other", inputs=NOTHING, outputs=NOTHING),
    environment=Environment(python="3", platform="any"),
)
KEYS = [f"key-{place}" for place in range(4000)]
weights = st.floats(0, 1)


def arm(version: int, role: Role, weight: float) -> Arm:
    return Arm(revision=f"m-{version}", model="m", version=version, package=PACKAGE, role=role, weight=weight)


def canary(weight: float) -> Router:
    return Router("shop", [arm(1, "champion", 1 - weight), arm(2, "challenger", weight)])


@given(key=st.text(), small=weights, large=weights)
def test_a_growing_canary_keeps_every_key_it_had(key: str, small: float, large: float) -> None:
    small, large = sorted((small, large))
    if canary(small).places([key]) == [1]:
        assert canary(large).places([key]) == [1]


@given(key=st.text(), one=st.floats(0, 0.5), other=st.floats(0, 0.25), more=st.floats(0, 0.25))
def test_one_growing_challenger_takes_nothing_from_the_other(key: str, one: float, other: float, more: float) -> None:
    def router(second: float) -> Router:
        arms = [arm(1, "champion", 1 - one - second), arm(2, "challenger", one), arm(3, "challenger", second)]
        return Router("shop", arms)

    before, after = router(other).places([key]), router(other + more).places([key])
    assert before == after or after == [2]


@given(key=st.text(), weight=weights)
def test_a_key_goes_to_the_same_arm_each_time(key: str, weight: float) -> None:
    assert canary(weight).places([key, key]) == canary(weight).places([key]) * 2


@pytest.mark.parametrize("weight", [0.05, 0.25, 0.5])
def test_shares_are_those_of_the_weights(weight: float) -> None:
    assert abs(sum(canary(weight).places(KEYS)) / len(KEYS) - weight) < 0.03


def test_no_weight_means_no_key_and_all_weight_means_every_key() -> None:
    assert set(canary(0.0).places(KEYS)) == {0}
    assert set(canary(1.0).places(KEYS)) == {1}


def test_shadows_never_answer() -> None:
    router = Router("shop", [arm(3, "shadow", 1.0), arm(1, "champion", 0.5)])
    assert set(router.places(KEYS)) == {1}


def test_another_challenger_tries_other_keys_first() -> None:
    first = canary(0.1).places(KEYS)
    second = Router("shop", [arm(1, "champion", 0.9), arm(3, "challenger", 0.1)]).places(KEYS)
    assert 0.03 < sum(a and b for a, b in zip(first, second, strict=True)) / sum(first) < 0.25


@pytest.mark.parametrize("arms", [[], [arm(1, "champion", 1), arm(2, "champion", 1)], [arm(1, "shadow", 1)]])
def test_there_is_exactly_one_champion(arms: list[Arm]) -> None:
    with pytest.raises(InvalidInput, match="exactly one"):
        Router("shop", arms)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_is_a_share(weight: float) -> None:
    with pytest.raises(InvalidInput, match="weight"):
        Router("shop", [arm(1, "champion", 1), arm(2, "challenger", weight)])


def test_a_version_that_only_stands_ready_is_asked_nothing() -> None:
    router = Router("shop", (arm(1, "champion", 1.0), arm(2, "challenger", 0.0)))
    assert set(router.places(KEYS)) == {0}
