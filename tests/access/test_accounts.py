"""Accounts, tokens, groups and memberships: who may do what, and when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from flyball.access import _store
from flyball.access.authority import Authority
from flyball.clock import SystemClock
from flyball.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    LoginNeeded,
    NotFound,
    Overloaded,
    PermissionDenied,
)
from flyball.principals import Principal, acting_as
from tests.access.conftest import ADMIN, PASSWORD, House
from tests.servers.databases import ON_BOTH

ADA = Principal(name="ada", role="contributor")


def add(house: House, name: str = "ada", **more: object) -> None:
    with acting_as(ADMIN):
        house.accounts.create(name, **more)  # type: ignore[arg-type]  # a test's own words


def token(house: House, account: str = "ada", **more: object) -> str:
    with acting_as(ADMIN):
        return house.tokens.create("for a test", account, **more).secret  # type: ignore[arg-type]  # a test's own words


def role(house: House, secret: str, project: str = "default") -> str | None:
    found = house.authority.find(secret)
    return None if found is None else found.within(project).role


@ON_BOTH
def test_an_account_has_a_role_in_the_project_that_it_was_given(house: House) -> None:
    add(house, role="maintainer")
    secret = token(house, role="owner")
    assert role(house, secret) == "maintainer"
    assert role(house, secret, "another") == "none"


def test_a_name_stands_for_one_account(house: House) -> None:
    add(house)
    with pytest.raises(AlreadyExists):
        add(house)


@pytest.mark.parametrize("name", ["", "a b", "ada/x", "flyball", "local", "run-1", "é", "a" * 129, "-ada"])
def test_a_name_that_could_be_taken_for_something_else_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidInput):
        add(house, name)


def test_only_who_looks_after_the_instance_adds_accounts_and_groups(house: House) -> None:
    with acting_as(Principal(name="ada", role="owner")):
        with pytest.raises(PermissionDenied):
            house.accounts.create("grace")
        with pytest.raises(PermissionDenied):
            house.groups.create("team")


def test_nothing_that_opens_a_door_is_kept_as_it_is(house: House) -> None:
    add(house, password=PASSWORD)
    secret = token(house)
    for table in (_store.accounts, _store.tokens):
        kept = str(house.database.rows(sa.select(table)))
        assert PASSWORD not in kept
        assert secret.rpartition("_")[2] not in kept
    assert "$argon2id$" in str(house.database.rows(sa.select(_store.accounts.c.password)))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"scope": "read", "role": "owner"}, "viewer"),
        ({"role": "contributor"}, "contributor"),
        ({"role": "owner"}, "owner"),
        ({"role": "owner", "project": "another"}, "none"),
    ],
    ids=["reads only", "capped", "not capped", "of another project"],
)
def test_a_token_does_no_more_than_it_says(house: House, limits: dict[str, object], expected: str) -> None:
    add(house, role="owner")
    assert role(house, token(house, **limits)) == expected  # type: ignore[arg-type]  # a test's own words


def test_a_token_never_does_more_than_its_account(house: House) -> None:
    add(house, role="viewer")
    assert role(house, token(house, role="owner")) == "viewer"


def test_a_token_with_limits_makes_no_further_ones_and_looks_after_nothing(house: House) -> None:
    add(house, admin=True)
    found = house.authority.find(token(house, role="contributor"))
    assert found is not None
    principal = found.within("default")
    assert not principal.admin
    with acting_as(principal), pytest.raises(PermissionDenied):
        house.tokens.create("another")


def test_a_revoked_token_is_unknown_at_once(house: House) -> None:
    add(house, role="viewer")
    secret = token(house)
    assert role(house, secret) == "viewer"
    with acting_as(ADMIN):
        house.tokens.revoke(secret.split("_")[1])
    assert house.authority.remembered(secret) is None
    assert house.authority.find(secret) is None


def test_another_process_knows_within_a_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, role="viewer")
    secret, other = token(house), Authority(house.database, SystemClock())
    assert other.find(secret) is not None
    assert other.remembered(secret) is not None
    with acting_as(ADMIN):
        house.tokens.revoke(secret.split("_")[1])
    assert other.remembered(secret) is not None  # as yet
    monkeypatch.setattr("flyball.access.authority._LOOK_EVERY", 0.0)
    assert other.remembered(secret) is None
    assert other.find(secret) is None


def test_a_token_ends_with_its_time(house: House) -> None:
    add(house, role="viewer")
    secret = token(house, days=1)
    assert house.authority.find(secret) is not None
    house.database.execute(sa.update(_store.tokens).values(expires=SystemClock().now()))
    house.authority.forget()
    assert house.authority.find(secret) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[:-1],
        lambda s: s[:-1] + "g",
        lambda s: s.upper(),
        lambda s: "",
        lambda s: "fly_a_b",
        lambda s: "é" * 90,
    ],
)
def test_what_is_no_token_is_nobody(house: House, change: object) -> None:
    add(house)
    assert house.authority.find(change(token(house))) is None  # type: ignore[operator]  # one of the functions above


def test_one_sees_and_revokes_ones_own_tokens_only(house: House) -> None:
    add(house)
    add(house, "grace")
    secret = token(house, "grace")
    with acting_as(ADA):
        assert house.tokens.list() == []
        with pytest.raises(PermissionDenied):
            house.tokens.list(all=True)
        with pytest.raises(PermissionDenied):
            house.tokens.create("hers", "grace")
        with pytest.raises(NotFound):
            house.tokens.revoke(secret.split("_")[1])
    assert role(house, secret) == "none"


def test_disabling_an_account_closes_every_door(house: House) -> None:
    add(house, role="viewer", password=PASSWORD)
    secret = token(house)
    session = house.logins.with_password("ada", PASSWORD, "127.0.0.1").secret
    with acting_as(ADMIN):
        house.accounts.update("ada", disabled=True)
    assert house.authority.find(secret) is None
    assert house.authority.find(session) is None
    with pytest.raises(LoginNeeded):
        house.logins.with_password("ada", PASSWORD, "127.0.0.1")


def test_the_last_who_looks_after_the_instance_stays(house: House) -> None:
    add(house, "root", admin=True)
    with acting_as(ADMIN):
        for take in (lambda: house.accounts.update("root", admin=False), lambda: house.accounts.delete("root")):
            with pytest.raises(Conflict):
                take()
        house.accounts.create("other", admin=True)
        assert not house.accounts.update("root", admin=False).admin


@ON_BOTH
def test_a_group_gives_its_role_to_all_in_it_and_takes_it_back(house: House) -> None:
    add(house)
    secret = token(house, role="owner")
    with acting_as(ADMIN):
        house.groups.create("team")
        house.groups.add("team", "ada")
        house.members.set("team", "maintainer", "group")
        assert role(house, secret) == "maintainer"
        house.members.set("ada", "viewer")
        assert role(house, secret) == "maintainer"  # the higher one counts
        house.groups.remove("team", "ada")
        assert role(house, secret) == "viewer"


def test_owners_look_after_their_own_project_alone(house: House) -> None:
    add(house)
    with acting_as(Principal(name="grace", role="owner", project="hers")):
        with pytest.raises(Conflict):
            house.members.set("ada", "viewer")  # nobody would own it: grace is none in the tables
        house.members.set("ada", "owner")
        with pytest.raises(PermissionDenied):
            house.members.set("ada", "viewer", project="default")
        with pytest.raises(PermissionDenied):
            house.members.list("default")
        assert [m.name for m in house.members.list()] == ["ada"]
        with pytest.raises(Conflict):
            house.members.remove("ada")
    with acting_as(Principal(name="ada", role="maintainer", project="hers")), pytest.raises(PermissionDenied):
        house.members.set("ada", "owner")


def test_one_sees_accounts_of_ones_project_only_and_little_of_them(house: House) -> None:
    add(house, role="viewer", email="ada@example.org")
    add(house, "grace", email="grace@example.org", role="viewer")
    add(house, "stranger")
    with acting_as(ADA):
        found = {account.name: account.email for account in house.accounts.list()}
        assert found == {"ada": "ada@example.org", "grace": ""}
        with pytest.raises(NotFound):
            house.accounts.get("stranger")


def test_a_right_password_opens_a_session_and_a_wrong_one_tells_nothing(house: House) -> None:
    add(house, role="viewer", password=PASSWORD)
    assert role(house, house.logins.with_password("ada", PASSWORD, "10.0.0.1").secret) == "viewer"
    said = set()
    for name in ("ada", "nobody"):
        with pytest.raises(LoginNeeded) as wrong:
            house.logins.with_password(name, "wrong password", "10.0.0.1")
        said.add(str(wrong.value))
    assert len(said) == 1
    assert house.kinds()[-3:] == ["access.logged_in", "access.login_failed", "access.login_failed"]


def test_a_name_that_may_be_a_password_is_not_written_down(house: House) -> None:
    with pytest.raises(LoginNeeded):
        house.logins.with_password("my secret words", "x", "10.0.0.1")
    assert "secret words" not in str(house.events.list())


def test_guessing_costs_ever_more_time(house: House) -> None:
    add(house, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(LoginNeeded):
            house.logins.with_password("ada", "wrong", "10.0.0.1")
    with pytest.raises(Overloaded) as wait:
        house.logins.with_password("ada", PASSWORD, "10.0.0.2")  # also for who knows it, and from elsewhere
    assert wait.value.facts["retry_after"] >= 1  # type: ignore[operator]  # a fact is of any type


def test_guessing_many_names_from_one_address_is_slowed_too(house: House) -> None:
    with house.database.transaction() as connection:
        for _ in range(21):
            house.logins._brakes.failed(connection, "address:10.0.0.9")
    with pytest.raises(Overloaded):
        house.logins.with_password("anybody", PASSWORD, "10.0.0.9")


@pytest.mark.parametrize("password", ["short", "ada", "x" * 1001])
def test_a_password_that_is_easily_guessed_is_refused(house: House, password: str) -> None:
    with pytest.raises(InvalidInput):
        add(house, password=password)


def test_a_new_password_needs_the_old_one_and_ends_all_sessions(house: House) -> None:
    add(house, password=PASSWORD, role="viewer")
    session = house.logins.with_password("ada", PASSWORD, "10.0.0.1").secret
    with acting_as(ADA):
        with pytest.raises(PermissionDenied):
            house.accounts.set_password("ada", "another good one", "wrong")
        house.accounts.set_password("ada", "another good one", PASSWORD)
    assert house.authority.find(session) is None
    house.logins.with_password("ada", "another good one", "10.0.0.1")


@ON_BOTH
def test_a_device_is_let_in_by_who_types_its_code(house: House) -> None:
    add(house, role="contributor")
    code = house.logins.begin_device("10.0.0.1")
    assert house.logins.poll_device(code.device_code, "laptop") is None
    with acting_as(ADA):
        assert house.logins.approve_device(code.user_code.lower(), "10.0.0.2") == "10.0.0.1"
        with pytest.raises(NotFound):
            house.logins.approve_device(code.user_code, "10.0.0.2")
    made = house.logins.poll_device(code.device_code, "laptop")
    assert made is not None
    assert role(house, made.secret) == "contributor"
    with pytest.raises(LoginNeeded):
        house.logins.poll_device(code.device_code, "laptop")


def test_what_is_begun_is_taken_once(house: House) -> None:
    secret = house.logins.remember("oidc", {"nonce": "n"}, timedelta(minutes=1))
    assert house.logins.take("device", secret) is None
    assert house.logins.take("oidc", secret) == {"nonce": "n"}
    assert house.logins.take("oidc", secret) is None
    assert house.logins.use_once("ticket", "t", timedelta(minutes=1))
    assert not house.logins.use_once("ticket", "t", timedelta(minutes=1))


def test_a_worker_is_bound_to_its_run_and_ends_with_it(house: House) -> None:
    secret = house.tokens.for_run("r1").secret
    found = house.authority.find(secret)
    assert found is not None
    worker = found.within("default")
    assert (worker.kind, worker.run, worker.role) == ("worker", "r1", "contributor")
    with house.database.transaction() as connection:
        house.events.append(connection, "tracking.run_ended", "runs:/r1", state="finished")
    house.authority._looked = 0.0  # half a second later
    assert house.authority.find(secret) is None


def test_a_worker_ends_when_it_is_said_so(house: House) -> None:
    secret = house.tokens.for_run("r1").secret
    assert house.authority.find(secret) is not None
    house.tokens.end_of_run("r1")
    assert house.authority.find(secret) is None
