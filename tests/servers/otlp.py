"""A receiver of OpenTelemetry's traces by OTLP/HTTP, which reads what comes with OpenTelemetry's own schema."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """What a receiver was told."""

    url: str = ""
    spans: list[dict[str, Any]] = field(default_factory=list)

    def wait_for(self, *names: str, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The spans, once there is one of each name."""
        deadline = time.monotonic() + seconds
        while not set(names) <= {span["name"] for span in self.spans}:
            assert time.monotonic() < deadline, f"only {[span['name'] for span in self.spans]} came"
            time.sleep(0.02)
        return list(self.spans)


@contextmanager
def otlp_receiver() -> Iterator[Received]:
    """A receiver on loopback."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
                received.spans += [
                    {
                        "name": span.name, "trace": span.trace_id.hex(), "id": span.span_id.hex(), "service": service,
                        "parent": span.parent_span_id.hex(), "start": span.start_time_unix_nano, "kind": span.kind,
                        "end": span.end_time_unix_nano,
                        "attributes": {each.key: _value(each.value) for each in span.attributes},
                    }
                    for scope in resource.scope_spans for span in scope.spans
                ]  # fmt: skip
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        received.url = f"http://127.0.0.1:{server.server_port}"
        yield received
        server.shutdown()
        thread.join()


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
