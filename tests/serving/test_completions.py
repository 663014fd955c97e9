from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects

MakeArm = Callable[..., Arm]
MakePackage = Callable[..., ModelPackage]
Publish = Callable[..., Manifest]
Serve = Callable[[str, pa.Table], TestClient]

PROMPTS = pa.table({"prompt": ["hello", "you"]})
LIMITED = pa.table({"prompt": ["hello", "you"], "max_tokens": pa.array([3, None], pa.int64())})
ECHO = "def predict(table):\n    return [text.upper() for text in table['prompt'].to_pylist()]\n"
WORDS = (
    "def stream(prompt, max_tokens=9):\n"
    "    for word in prompt.split()[:max_tokens]:\n"
    "        if word == 'fail':\n"
    "            raise ValueError('no such word')\n"
    "        yield word + ' '\n"
    "def predict(table):\n"
    "    return [''.join(stream(row['prompt'], row['max_tokens'] or 9)) for row in table.to_pylist()]\n"
)


@pytest.fixture
def serve(follower: Follower, make_package: MakePackage, make_arm: MakeArm, publish: Publish) -> Serve:
    def start(source: str, example: pa.Table) -> TestClient:
        publish(make_arm(1, package=make_package(source=source, example=example)), name="poet")
        follower.look()
        return TestClient(create_app(follower, clock=FixedClock()))

    return start


def test_prompts_are_completed(serve: Serve, store: LocalObjects) -> None:
    with serve(ECHO, PROMPTS) as client:
        assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["poet"]
        for prompt, texts in (("hi", ["HI"]), (["a", "b"], ["A", "B"])):
            answer = client.post("/v1/completions", json={"model": "poet", "prompt": prompt, "max_tokens": 3})
            assert answer.status_code == 200
            found = answer.json()
            assert (found["object"], found["model"]) == ("text_completion", "poet")
            assert [(each["text"], each["index"], each["finish_reason"]) for each in found["choices"]] == [
                (text, place, "stop") for place, text in enumerate(texts)
            ]
        client.post("/flush")
    assert read_predictions(store, "poet")[0]["input.prompt"].to_pylist() == ["hi", "a", "b"]


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


def test_words_go_out_as_they_come(serve: Serve, store: LocalObjects) -> None:
    with serve(WORDS, LIMITED) as client:
        body = {"model": "poet", "prompt": "one two three four", "max_tokens": 3, "stream": True}
        answer = client.post("/v1/completions", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        *said, last = events(answer.text)
        assert last == "[DONE]"
        assert [json.loads(each)["choices"][0]["text"] for each in said] == ["one ", "two ", "three ", ""]
        assert json.loads(said[-1])["choices"][0]["finish_reason"] == "stop"
        client.post("/flush")
        assert 'flyball_serving_requests_total{deployment="poet"} 1' in client.get("/metrics").text
    row = read_predictions(store, "poet")[0].to_pylist()[0]
    assert (row["prediction"], row["answered"], row["input.prompt"]) == ("one two three ", True, "one two three four")


def test_a_model_that_cannot_stream_says_all_at_once(serve: Serve) -> None:
    with serve(ECHO, PROMPTS) as client:
        answer = client.post("/v1/completions", json={"model": "poet", "prompt": "hi", "stream": True})
        assert [json.loads(each)["choices"][0]["text"] for each in events(answer.text)[:-1]] == ["HI", ""]


def test_a_model_that_fails_says_so_within_the_stream(serve: Serve, store: LocalObjects) -> None:
    with serve(WORDS, LIMITED) as client:
        body = {"model": "poet", "prompt": "one fail two", "stream": True}
        first, failed = events(client.post("/v1/completions", json=body).text)
        assert json.loads(first)["choices"][0]["text"] == "one "
        assert "no such word" in json.loads(failed)["error"]["message"]
        whole = client.post("/v1/completions", json={"model": "poet", "prompt": "fail"})
        assert (whole.status_code, whole.json()["error"]["type"]) == (500, "server_error")
        client.post("/flush")
    rows = read_predictions(store, "poet")[0].to_pylist()
    assert [row["answered"] for row in rows] == [False, False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "poem", "prompt": "hi"}, 404),
        ({"model": "poet"}, 400),
        ({"model": "poet", "prompt": []}, 400),
        ({"model": "poet", "prompt": 7}, 400),
        ({"model": "poet", "prompt": ["a", "b"], "stream": True}, 400),
        ([], 400),
    ],
)
def test_what_is_no_request_is_refused_in_openais_form(serve: Serve, body: object, status: int) -> None:
    with serve(ECHO, PROMPTS) as client:
        answer = client.post("/v1/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_a_model_that_takes_more_than_a_text_is_none_for_completions(serve: Serve) -> None:
    with serve(ECHO, pa.table({"prompt": ["a"], "age": [1]})) as client:
        assert client.get("/v1/models").json()["data"] == []
        answer = client.post("/v1/completions", json={"model": "poet", "prompt": "hi"})
        assert (answer.status_code, "takes no text" in answer.text) == (400, True)


CHAT = {"model": "poet", "messages": [{"role": "system", "content": "sing"}, {"role": "user", "content": "one two"}]}


def test_a_chat_is_answered(serve: Serve) -> None:
    with serve(ECHO, PROMPTS) as client:
        answer = client.post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["object"], found["id"].split("-")[0]) == ("chat.completion", "chatcmpl")
        [choice] = found["choices"]
        assert choice["message"] == {"role": "assistant", "content": "SYSTEM: SING\nUSER: ONE TWO\nASSISTANT:"}
        assert choice["finish_reason"] == "stop"


def test_a_chat_goes_out_as_it_comes(serve: Serve) -> None:
    with serve(WORDS, LIMITED) as client:
        answer = client.post("/v1/chat/completions", json={**CHAT, "stream": True, "max_completion_tokens": 2})
        *said, last = events(answer.text)
        assert last == "[DONE]"
        pieces = [json.loads(each) for each in said]
        assert {each["object"] for each in pieces} == {"chat.completion.chunk"}
        assert "".join(each["choices"][0]["delta"].get("content", "") for each in pieces) == "system: sing "
        assert pieces[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}


def test_a_model_that_takes_messages_gets_them(serve: Serve) -> None:
    with serve(
        "def predict(table):\n    return table['messages'].to_pylist()\n", pa.table({"messages": ["[]"]})
    ) as client:
        text = client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"]
        assert json.loads(text) == CHAT["messages"]


@pytest.mark.parametrize(
    "body", [{"model": "poet"}, {"model": "poet", "messages": []}, {"model": "poet", "messages": [{"role": 1}]}]
)
def test_a_chat_that_is_none_is_refused_in_the_protocols_own_form(serve: Serve, body: dict[str, object]) -> None:
    with serve(ECHO, PROMPTS) as client:
        answer = client.post("/v1/chat/completions", json=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
