"""Who acts is known wherever something has to be written down, and nobody does more than their role allows."""

from __future__ import annotations

import asyncio

import pytest

from flyball.errors import PermissionDenied
from flyball.principals import SYSTEM, Principal, acting, acting_as

ADA = Principal(name="ada", role="contributor")


def test_the_platform_itself_acts_where_nobody_came_in() -> None:
    assert acting() is SYSTEM


def test_someone_acts_within_a_block_only() -> None:
    with acting_as(ADA):
        assert acting() == ADA
    assert acting() is SYSTEM


def test_who_acts_goes_along_into_a_thread_of_the_event_loop() -> None:
    async def work() -> Principal:
        with acting_as(ADA):
            return await asyncio.to_thread(acting)

    assert asyncio.run(work()) == ADA


def test_a_role_may_do_what_lower_ones_may() -> None:
    assert [ADA.may(role) for role in ("none", "viewer", "contributor", "maintainer", "owner")] == [True] * 3 + [
        False
    ] * 2


def test_a_role_too_low_is_refused_with_what_it_takes() -> None:
    with pytest.raises(PermissionDenied, match=r"ada may not do this: to deploy takes the role 'maintainer'") as caught:
        ADA.need("maintainer", "to deploy")
    assert "owner" in caught.value.hint
