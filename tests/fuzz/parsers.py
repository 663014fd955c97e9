"""Everything that reads bytes of others: whatever they are, it gives an answer or one of our own errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyball.clock import parse_duration, parse_time
from flyball.data.checks_file import parse_checks
from flyball.errors import FlyballError
from flyball.labels.formats.coco import read_coco
from flyball.labels.formats.csv_file import read_csv
from flyball.labels.formats.label_studio import read_tasks
from flyball.labels.task import LabelSet
from flyball.models.mlmodel import parse
from flyball.refs import Ref
from flyball.serialization import from_json, unpack_as
from flyball.server.protocols.mlflow import _otlp as otlp
from flyball.server.protocols.openlineage import read_event
from flyball.serving.grpc_messages import read_infer, read_name
from flyball.serving.invocations import read_invocation
from flyball.serving.manifest import Manifest, deployment_of
from flyball.serving.segments import parse_segment
from flyball.storage.backup.nouns import Backup, Kept
from flyball.tracking.filters import parse_filter, parse_order
from flyball.tracking.logged_models import FIELDS
from flyball.tracking.page_tokens import read_offset
from flyball.tracking.span_files import spans_in

LABELS = LabelSet(name="animals", task="classify", classes=("cat", "dog"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


PARSERS: dict[str, Callable[[bytes], Any]] = {
    "filter": lambda data: parse_filter(_text(data), FIELDS),
    "filter of MLflow": lambda data: parse_filter(_text(data), FIELDS, native=False),
    "order": lambda data: parse_order([_text(data)], FIELDS),
    "page token": lambda data: read_offset(_text(data), "x"),
    "duration": lambda data: parse_duration(_text(data)),
    "time": lambda data: parse_time(_text(data)),
    "reference": lambda data: Ref.parse(_text(data)),
    "checks": lambda data: parse_checks(_text(data)),
    "MLmodel": parse,
    "manifest": lambda data: from_json(data, Manifest),
    "backup": lambda data: from_json(data, Backup),
    "list of a backup": lambda data: from_json(data, list[Kept]),
    "MessagePack": lambda data: unpack_as(data, list[bytes]),
    "gRPC request": read_infer,
    "gRPC name": read_name,
    "invocation in JSON": lambda data: read_invocation(data, "application/json", ["x"]),
    "invocation in CSV": lambda data: read_invocation(data, "text/csv", ["x"]),
    "spans in protobuf": otlp.from_protobuf,
    "spans in JSON": otlp.from_json,
    "spans, gzipped": lambda data: otlp.unpacked(data, "gzip"),
    "spans, deflated": lambda data: otlp.unpacked(data, "deflate"),
    "span file": lambda data: spans_in(data, "t" * 32),
    "OpenLineage event": lambda data: read_event(from_json(data, dict)),
    "COCO": read_coco,
    "labels in CSV": lambda data: read_csv(data, LABELS),
    "tasks of Label Studio": lambda data: read_tasks(data, LABELS),
    "segment": lambda data: parse_segment(_text(data)),
    "manifest's key": lambda data: deployment_of(_text(data)),
}


def run(name: str, data: bytes) -> None:
    """Lets a parser read the bytes; its own errors are answers."""
    try:
        PARSERS[name](data)
    except FlyballError:
        return
