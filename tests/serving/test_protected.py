"""A model server that asks for a token."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from flyball.errors import InvalidInput
from flyball.serving.protected import Protected, TokenFile, add_token


async def answer(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


def client(path: Path) -> TestClient:
    app = Starlette(routes=[Route("/{name:path}", answer, methods=["GET", "POST"])])
    return TestClient(Protected(app, TokenFile(path)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "tokens"
    found.touch()
    return found


def test_a_prediction_takes_a_token_and_a_sign_of_life_does_not(path: Path) -> None:
    token = add_token(path, "the shop")
    http = client(path)
    assert http.post("/predict/x").status_code == 401
    for shown in ("", "Bearer", "Bearer x", f"Basic {token}", f"Bearer {token[:-1]}", f"Bearer {token} x"):
        assert http.post("/v2/models/x/infer", headers={"authorization": shown}).status_code == 401
    assert http.post("/predict/x", headers={"authorization": f"Bearer {token}"}).text == "/predict/x"
    for open_to_all in ("/health", "/ping", "/v2/health/live", "/v2/health/ready"):
        assert http.get(open_to_all).status_code == 200
    for closed in ("/metrics", "/v2", "/version", "/flush", "/health/"):
        assert http.get(closed).status_code == 401


def test_a_line_that_is_gone_closes_the_door(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.serving.protected._LOOK_EVERY", 0.0)
    token = add_token(path, "the shop")
    http = client(path)
    headers = {"authorization": f"Bearer {token}"}
    assert http.get("/metrics", headers=headers).status_code == 200
    path.write_text("", encoding="utf-8")
    assert http.get("/metrics", headers=headers).status_code == 401
    second = add_token(path, "another")
    assert http.get("/metrics", headers={"authorization": f"Bearer {second}"}).status_code == 200
    path.write_text("nonsense", encoding="utf-8")
    assert http.get("/metrics", headers={"authorization": f"Bearer {second}"}).status_code == 401


def test_the_file_holds_no_token_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new"
    token = add_token(path, "the shop")
    assert token not in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["abc", "x" * 64, "shop " + "a" * 64])
def test_a_file_that_holds_something_else_is_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput):
        TokenFile(path)


@pytest.mark.parametrize("name", ["", " ", "two\nlines"])
def test_a_token_is_for_something(path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        add_token(path, name)
