"""The gRPC face of a model server: the Open Inference Protocol v2, beside HTTP in the same process."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from flyball.clock import Clock, SystemClock
from flyball.errors import FlyballError, InvalidInput, MissingExtra, NotFound, Overloaded
from flyball.serving import grpc_messages as messages
from flyball.serving import open_inference
from flyball.serving import protobuf as pb
from flyball.serving.endpoint import Endpoint
from flyball.serving.follower import Follower
from flyball.serving.inferring import infer
from flyball.serving.manifest import Arm
from flyball.serving.runtime import Runtime
from flyball.telemetry import Telemetry

logger = logging.getLogger(__name__)

_SERVICE = "inference.GRPCInferenceService"
_LARGEST = 64 << 20
_CODES = {
    "invalid_input": "INVALID_ARGUMENT", "not_found": "NOT_FOUND", "overloaded": "UNAVAILABLE", "timed_out": "DEADLINE_EXCEEDED",
}  # fmt: skip


class GrpcServer:
    """Answers gRPC until it is stopped.

    Args:
        address: Where it listens, such as `127.0.0.1:0`.
        threads: Calls that are worked on at a time.
        max_waiting: Calls beside them that wait; who comes then is told that there is no room.
        is_shared: Whether other processes listen on the same port.

    Attributes:
        port: The one that it got.

    Raises:
        MissingExtra: gRPC is not installed.
        InvalidInput: the address cannot be bound.
    """

    def __init__(
        self,
        follower: Follower,
        address: str,
        *,
        clock: Clock | None = None,
        telemetry: Telemetry | None = None,
        threads: int = 1,
        max_waiting: int = 256,
        is_shared: bool = False,
    ) -> None:
        try:
            grpc: Any = importlib.import_module("grpc")  # which brings no types
        except ImportError as error:
            raise MissingExtra("gRPC is not installed.", hint="pip install 'flyball[grpc]'") from error
        self._grpc = grpc
        self._follower = follower
        self._clock = clock or SystemClock()
        self._telemetry = telemetry or Telemetry()
        limits = [("grpc.max_receive_message_length", _LARGEST), ("grpc.so_reuseport", int(is_shared))]
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="grpc")
        self._server = grpc.server(pool, options=limits, maximum_concurrent_rpcs=threads + max_waiting)
        self._server.add_generic_rpc_handlers((self._handlers(),))
        try:
            self.port: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise InvalidInput(f"{address} cannot be bound for gRPC.", hint="Choose another port.") from error
        self._server.start()

    def stop(self, seconds: float = 15.0) -> None:
        """Finishes what runs and takes no more."""
        self._server.stop(seconds).wait()

    def _handlers(self) -> Any:
        calls: dict[str, Callable[[bytes, Any], bytes]] = {
            "ServerLive": lambda _data, _context: pb.number_field(1, 1),
            "ServerReady": lambda _data, _context: pb.number_field(1, not self._follower.waiting_for()),
            "ModelReady": self._model_ready,
            "ServerMetadata": lambda _data, _context: messages.server_message(open_inference.server_metadata()),
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
            "RepositoryIndex": self._index,
        }
        unary, stream = self._grpc.unary_unary_rpc_method_handler, self._grpc.stream_stream_rpc_method_handler
        handlers = {name: unary(self._answering(call)) for name, call in calls.items()}
        handlers["ModelStreamInfer"] = stream(self._stream)
        return self._grpc.method_handlers_generic_handler(_SERVICE, handlers)

    def _answering(self, call: Callable[[bytes, Any], bytes]) -> Callable[[bytes, Any], bytes]:
        def answer(data: bytes, context: Any) -> bytes:
            try:
                return call(data, context)
            except FlyballError as error:
                code, words = _CODES.get(error.code, "INTERNAL"), str(error)
            except Exception as error:  # a model may raise anything
                logger.exception("prediction failed")
                code, words = "INTERNAL", f"The model failed: {type(error).__name__}: {error}"
            context.abort(getattr(self._grpc.StatusCode, code), words[:4000])
            raise AssertionError("aborting raises")

        return answer

    def _infer(self, data: bytes, context: Any) -> bytes:
        start = perf_counter()
        asked = messages.read_infer(data)
        endpoint, runtime, only = self._find(asked.name, asked.version)
        rows, failed = 0, True
        sent = next((value for key, value in context.invocation_metadata() if key == "traceparent"), "")
        try:
            with self._telemetry.request("ModelInfer", sent, **{"flyball.deployment": asked.name}) as trace:
                raw = None if asked.raw is None else memoryview(asked.raw)
                outcome, ids = infer(endpoint, runtime, asked.request, self._clock, binary=raw, only=only, trace=trace)
            version, tensors = open_inference.answer_tensors(runtime, outcome, ids, asked.request.outputs)
            rows, failed = len(ids), False
            return messages.infer_message(asked.name, version, asked.request.id, tensors, in_raw=raw is not None)
        finally:
            endpoint.counters.count(perf_counter() - start, rows, failed=failed)

    def _stream(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for data in requests:
            # One call that fails does not end the stream.
            try:
                yield messages.streamed_message("", self._infer(data, context))
            except FlyballError as error:
                yield messages.streamed_message(str(error), b"")
            except Exception as error:  # a model may raise anything
                logger.exception("prediction failed")
                yield messages.streamed_message(f"The model failed: {type(error).__name__}: {error}", b"")

    def _model_ready(self, data: bytes, _: Any) -> bytes:
        try:
            self._find(*messages.read_name(data))
        except (NotFound, Overloaded):
            return b""
        return pb.number_field(1, 1)

    def _model_metadata(self, data: bytes, _: Any) -> bytes:
        _, runtime, _ = self._find(*messages.read_name(data))
        return messages.model_message(open_inference.model_metadata(runtime))

    def _index(self, data: bytes, _: Any) -> bytes:
        only_ready = any(number == 2 and value for number, value in pb.fields(data))
        endpoints = self._follower.endpoints.values()
        return messages.index_message(open_inference.repository_index(endpoints, only_ready=only_ready))

    def _find(self, name: str, version: str) -> tuple[Endpoint, Runtime, Arm | None]:
        endpoint = self._follower.endpoint(name)
        runtime = endpoint.runtime
        if runtime is None:
            raise Overloaded(f"'{name}' has no model yet. {endpoint.error}".rstrip(), hint="Try again in a moment.")
        is_number = version.isdecimal() and len(version) < 19
        return endpoint, runtime, runtime.version(int(version) if is_number else -1) if version else None
