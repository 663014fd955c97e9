"""The servers are real, start by themselves and keep tests apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from obstore.exceptions import AlreadyExistsError

from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Bucket

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_postgres_answers(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_database(postgres_url: str, turn: int) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []
        connection.execute(sa.text("CREATE TABLE left_behind (id INTEGER)"))
    engine.dispose()


def test_a_test_can_have_more_databases(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.create_database(), postgres_server.create_database()
    assert postgres_server.url(first) != postgres_server.url(second)
    postgres_server.drop_database(first)
    postgres_server.drop_database(second)


def test_a_page_runs_its_script(page: Page) -> None:
    page.goto("data:text/html,<title>-</title><p></p><script>document.title = navigator.language</script>")
    assert page.title() == "en-US"


def test_a_page_reaches_no_other_host(page: Page) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.failure or ""))
    page.set_content("<img src='http://example.com/x.png'>")
    page.wait_for_timeout(200)
    assert failed == ["net::ERR_NAME_NOT_RESOLVED"]


def test_an_object_comes_back_from_s3(s3_store: S3Bucket) -> None:
    store = s3_store.store()
    store.put("models/weights", b"\x00\x01")
    assert bytes(store.get("models/weights").bytes()) == b"\x00\x01"
    assert [item["path"] for page in store.list() for item in page] == ["models/weights"]


def test_s3_decides_a_race_of_conditional_puts_for_one(s3_store: S3Bucket) -> None:
    store = s3_store.store()

    def write(number: int) -> bool:
        try:
            store.put("race", str(number).encode(), mode="create")
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(32)))
    assert won.count(True) == 1
    assert bytes(store.get("race").bytes()) == str(won.index(True)).encode()


def test_our_objects_find_the_keys_to_the_bucket(s3_store: S3Bucket) -> None:
    from flyball.storage.s3_objects import S3Objects

    objects = S3Objects(s3_store.location, endpoint=s3_store.endpoint, region=s3_store.region)
    assert objects.put("a", b"1", if_absent=True)
    assert not objects.put("a", b"2", if_absent=True)
    assert objects.get("a") == b"1"
