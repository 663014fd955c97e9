"""The least that a model server can do: `python -m benchmarks.serving_bare KIND FILE PORT`. What it takes is the floor of ours.

It decodes one tensor of the Open Inference Protocol, asks the model, and answers: no names, no checks, no log, no counters.
`onnx` asks ONNX Runtime in the handler; `sklearn` takes all that queued while the last batch ran, as ours does. `binary` bodies
are told by their header.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Scope = dict[str, Any]


def main(kind: str, file: str, port: int) -> None:
    """Serves until it is ended."""
    import uvicorn

    app = _onnx(file) if kind == "onnx" else _sklearn(file)
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def _decoder() -> Callable[[bytes], Any]:
    import msgspec
    import numpy as np

    tensor = msgspec.defstruct("Tensor", [("name", str), ("shape", list[int]), ("data", list[float])])
    body = msgspec.defstruct("Body", [("inputs", list[tensor])])  # type: ignore[valid-type]  # made at run time
    read = msgspec.json.Decoder(body).decode

    def decode(data: bytes) -> Any:
        first = read(data).inputs[0]  # type: ignore[attr-defined]  # made at run time
        return np.array(first.data, np.float64).reshape(first.shape)

    return decode


def _encode(labels: Any, chances: Any) -> bytes:
    import msgspec

    count = len(labels)
    outputs = [
        {"name": "prediction", "datatype": "INT64", "shape": [count], "data": labels.tolist()},
        {"name": "probability", "datatype": "FP64", "shape": [count], "data": chances.tolist()},
    ]
    return msgspec.json.encode({"model_name": "bare", "outputs": outputs})


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _onnx(file: str) -> Callable[[Scope, Any, Any], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name, decode = session.get_inputs()[0].name, _decoder()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _answer(send, b"{}")
            return
        rows = decode(await _body(receive))
        labels, chances = session.run(None, {name: rows.astype("float32")})
        await _answer(send, _encode(labels, chances[:, -1]))

    return app


def _sklearn(file: str) -> Callable[[Scope, Any, Any], Any]:
    import numpy as np

    model = pickle.loads(Path(file).read_bytes())  # made by the benchmark itself
    decode = _decoder()
    waiting: list[tuple[Any, asyncio.Future[Any]]] = []

    def run() -> None:
        taken = waiting[:]
        waiting.clear()
        chances = model.predict_proba(np.concatenate([rows for rows, _ in taken]))
        labels, start = chances.argmax(axis=1), 0
        for rows, future in taken:
            end = start + len(rows)
            future.set_result((labels[start:end], chances[start:end, -1]))
            start = end

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _answer(send, b"{}")
            return
        rows = decode(await _body(receive))
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not waiting:
            loop.call_soon(run)
        waiting.append((rows, future))
        await _answer(send, _encode(*await future))

    return app


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
