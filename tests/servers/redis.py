"""A real Redis: one server for the whole run, an empty database for each test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.servers.absent import found
from tests.servers.processes import free_port, running
from tools import provision


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The address of a Redis server that keeps nothing on disk."""
    program = found(provision.REDIS)
    with tempfile.TemporaryDirectory(prefix="flyball-redis-", ignore_cleanup_errors=True) as name:
        port = free_port()
        command: list[str | Path] = [
            program,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        with running(command, log=Path(name) / "redis.log", ready=lambda: _answers(port)):
            yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of an empty database."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
