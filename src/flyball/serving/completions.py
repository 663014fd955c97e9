"""OpenAI's completions and chats, for models that take a text: `/v1/completions`, `/v1/chat/completions` and `/v1/models`.

A text model takes one column of text, the prompt; columns beside it that need not be given may be named as OpenAI's own options
are, such as `max_tokens`. A chat is given to it as lines `user: ...`, ending with `assistant:`; to a model whose column is called
`messages`, as JSON. Where its file has a function `stream`, its words go out as they come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flyball.clock import Clock
from flyball.errors import FlyballError, InvalidInput, NotFound, Overloaded
from flyball.refs import new_id
from flyball.serialization import from_json, to_json
from flyball.serving.decoding import table_of_columns
from flyball.serving.endpoint import Endpoint
from flyball.serving.follower import Follower
from flyball.serving.inferring import score_columns
from flyball.serving.manifest import Arm
from flyball.serving.runtime import Runtime

_OPTIONS = ("max_tokens", "temperature", "top_p", "seed", "stop")
_STATUS = {"invalid_input": 400, "not_found": 404, "overloaded": 503, "timed_out": 504}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """Body of a completions call; what is not named here is not taken.

    Attributes:
        model: Name of a deployment.
        prompt: One text, or several, each answered by itself.
        stream: Whether words go out as they come.
    """

    model: str
    prompt: str | list[str]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | None = None
    stream: bool = False
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """What one side of a chat said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """Body of a chat completions call; what is not named here is not taken.

    Attributes:
        messages: What was said until now.
        max_completion_tokens: The newer name of `max_tokens`.
    """

    model: str
    messages: list[ChatMessage]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | None = None
    stream: bool = False
    user: str = ""

    def as_text(self, column: str) -> CompletionRequest:
        """The same as one text, for a model whose prompt has that column.

        Raises:
            InvalidInput: nothing was said.
        """
        if not self.messages:
            raise InvalidInput("There is no message.", hint='Send messages such as {"role": "user", "content": "..."}.')
        told = to_json(self.messages).decode()
        if column != "messages":
            told = "\n".join([*(f"{each.role}: {each.content}" for each in self.messages), "assistant:"])
        limit = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        return CompletionRequest(
            model=self.model, prompt=told, max_tokens=limit, temperature=self.temperature, top_p=self.top_p, seed=self.seed,
            stop=self.stop, stream=self.stream,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How an answer is written: that of texts, or that of chats."""

    prefix: str
    whole: str
    piece: str
    is_chat: bool

    def choice(self, text: str, place: int) -> dict[str, Any]:
        """A whole answer."""
        if self.is_chat:
            message = {"role": "assistant", "content": text}
            return {"index": place, "message": message, "logprobs": None, "finish_reason": "stop"}
        return _choice(text, place, "stop")

    def part(self, text: str, reason: str | None) -> dict[str, Any]:
        """A piece of an answer."""
        if self.is_chat:
            delta = {} if reason else {"role": "assistant", "content": text}
            return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _choice(text, 0, reason)

    def answer(
        self, id: str, model: str, clock: Clock, choices: list[dict[str, Any]], *, whole: bool
    ) -> dict[str, Any]:
        """What goes out."""
        kind = self.whole if whole else self.piece
        created = int(clock.now().timestamp())
        return {"id": f"{self.prefix}-{id}", "object": kind, "created": created, "model": model, "choices": choices}


_TEXT = _Form(prefix="cmpl", whole="text_completion", piece="text_completion", is_chat=False)
_CHAT = _Form(prefix="chatcmpl", whole="chat.completion", piece="chat.completion.chunk", is_chat=True)


class Completions:
    """The handlers.

    Args:
        body: Gives the body of a request, within the limits of the server.
        in_worker: Does some work where predictions are made.
    """

    def __init__(
        self,
        follower: Follower,
        clock: Clock,
        body: Callable[[Request], Awaitable[bytes]],
        in_worker: Callable[[Callable[[], bytes]], Awaitable[bytes]],
    ) -> None:
        self._follower = follower
        self._clock = clock
        self._body = body
        self._in_worker = in_worker

    async def models(self, _: Request) -> Response:
        """The deployments that take a text."""
        found = [
            {"id": endpoint.name, "object": "model", "created": 0, "owned_by": "flyball"}
            for endpoint in self._follower.endpoints.values()
            if endpoint.runtime is not None and prompt_column(endpoint.runtime)
        ]
        return _json({"object": "list", "data": found})

    async def complete(self, request: Request) -> Response:
        """What a model says to a prompt."""
        return await self._answer(request, _TEXT)

    async def chat(self, request: Request) -> Response:
        """What a model says next in a chat."""
        return await self._answer(request, _CHAT)

    async def _answer(self, request: Request, form: _Form) -> Response:
        start, endpoint, failed, rows = perf_counter(), None, True, 0
        try:
            body = await self._body(request)
            given = from_json(body, ChatRequest) if form.is_chat else from_json(body, CompletionRequest)
            endpoint, runtime = self._find(given.model)
            asked = given.as_text(prompt_column(runtime)) if isinstance(given, ChatRequest) else given
            columns = _columns(asked, runtime)
            if asked.stream:
                # It is counted when it has ended, in the thread that sends it.
                streamed, endpoint = _Streamed(endpoint, runtime, self._clock, asked.model, columns, form), None
                return StreamingResponse(streamed.events(), media_type="text/event-stream")
            known = endpoint
            answer = await self._in_worker(lambda: self._whole(known, runtime, asked.model, columns, form))
            failed, rows = False, len(next(iter(columns.values())))
            return Response(answer, media_type="application/json")
        except FlyballError as error:
            return _json(openai_error(error), _STATUS.get(error.code, 500))
        finally:
            if endpoint is not None:
                endpoint.counters.count(perf_counter() - start, rows, failed=failed)

    def _find(self, name: str) -> tuple[Endpoint, Runtime]:
        endpoint = self._follower.endpoint(name)
        if endpoint.runtime is None:
            raise Overloaded(f"'{name}' has no model yet. {endpoint.error}".rstrip(), hint="Try again in a moment.")
        return endpoint, endpoint.runtime

    def _whole(
        self, endpoint: Endpoint, runtime: Runtime, model: str, columns: dict[str, list[Any]], form: _Form
    ) -> bytes:
        try:
            outcome, ids = score_columns(endpoint, runtime, columns, self._clock)
        except FlyballError:
            raise
        except Exception as error:
            raise FlyballError(f"The model failed: {type(error).__name__}: {error}") from error
        choices = [form.choice(str(text), place) for place, text in enumerate(outcome.column("prediction"))]
        return to_json(form.answer(ids[0], model, self._clock, choices, whole=True))


class _Streamed:
    """One answer that goes out as it comes."""

    def __init__(
        self, endpoint: Endpoint, runtime: Runtime, clock: Clock, model: str, columns: dict[str, list[Any]], form: _Form
    ) -> None:
        self._form = form
        self._endpoint = endpoint
        self._runtime = runtime
        self._clock = clock
        self._model = model
        self._table = table_of_columns(columns, runtime)
        if self._table.num_rows != 1:
            raise InvalidInput("A stream answers one prompt.", hint="Send one prompt, or ask without `stream`.")
        self._row = {name: values[0] for name, values in columns.items() if values[0] is not None}
        self._id = new_id()

    def events(self) -> Iterator[bytes]:
        """The server-sent events."""
        start, said, error = perf_counter(), [], ""
        arm = self._arm()
        try:
            for piece in self._pieces(arm):
                said.append(piece)
                yield self._event([self._form.part(piece, None)])
            yield self._event([self._form.part("", "stop")])
            yield b"data: [DONE]\n\n"
        except Exception as problem:  # noqa: BLE001  # a model may raise anything; the status has gone out already
            error = f"{type(problem).__name__}: {problem}"[:500]
            yield b"data: " + to_json(openai_error(FlyballError(f"The model failed: {error}"))) + b"\n\n"
        finally:
            seconds = perf_counter() - start
            self._endpoint.note_text(
                self._runtime, arm, self._table, self._id, "".join(said), error, at=self._clock.now(), seconds=seconds
            )
            self._endpoint.counters.count(seconds, 1, failed=bool(error))

    def _arm(self) -> Arm:
        keys = self._runtime.keys(self._table, [self._id])
        return self._runtime.manifest.arms[self._runtime.router.places(keys)[0]]

    def _pieces(self, arm: Arm) -> Iterator[str]:
        model = self._runtime.models[arm.package.id]
        if model.streams is not None:
            yield from map(str, model.streams.stream(self._row))
            return
        yield str(model.predict(self._table)["prediction"][0].as_py())

    def _event(self, choices: list[dict[str, Any]]) -> bytes:
        return (
            b"data: " + to_json(self._form.answer(self._id, self._model, self._clock, choices, whole=False)) + b"\n\n"
        )


def prompt_column(runtime: Runtime) -> str:
    """The column that a text model takes its prompt by; empty if it is none."""
    texts = [column.name for column in runtime.inputs.columns if column.type == "string"]
    others = [c for c in runtime.inputs.columns if c.type != "string" and not (c.nullable and c.name in _OPTIONS)]
    return texts[0] if len(texts) == 1 and not others else ""


def openai_error(error: FlyballError) -> dict[str, Any]:
    """An error in OpenAI's form."""
    kind = "invalid_request_error" if isinstance(error, InvalidInput | NotFound) else "server_error"
    return {"error": {"message": str(error), "type": kind, "param": None, "code": error.code}}


def _columns(asked: CompletionRequest, runtime: Runtime) -> dict[str, list[Any]]:
    name = prompt_column(runtime)
    if not name:
        raise InvalidInput(f"'{asked.model}' takes no text.", hint="Ask it by /predict.")
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if not prompts:
        raise InvalidInput("There is no prompt.", hint="Send one text, or a list of them.")
    columns: dict[str, list[Any]] = {name: prompts}
    for option in _OPTIONS:
        # An option that the model does not know is left out, as other servers do.
        if option in runtime.inputs.names:
            columns[option] = [getattr(asked, option)] * len(prompts)
    return columns


def _choice(text: str, place: int, reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": place, "logprobs": None, "finish_reason": reason}


def _completion(id: str, model: str, clock: Clock, choices: list[dict[str, Any]]) -> dict[str, Any]:
    created = int(clock.now().timestamp())
    return {"id": f"cmpl-{id}", "object": "text_completion", "created": created, "model": model, "choices": choices}


def _json(value: object, status: int = 200) -> Response:
    return Response(to_json(value), status, media_type="application/json")
