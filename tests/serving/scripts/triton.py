"""Triton's own client, over HTTP and gRPC, against a model server: prints what it was answered."""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

ROWS = np.array([[1.5, 3.0], [-1.5, 4.0]])


def ask(kind, client, *, name="shop", rows=ROWS, datatype="FP64", binary=True, **options):
    """Asks for what the model says, all tensors in binary or in JSON."""
    how = {"binary_data": binary} if kind is tritonclient.http else {}
    tensor = kind.InferInput("input", list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows, **how)
    names = ("prediction", "probability", "prediction_id")
    wanted = [kind.InferRequestedOutput(each, **how) for each in names]
    return client.infer(name, [tensor], outputs=wanted, request_id="q1", **options)


def shown(answer):
    """An answer as JSON can say it."""
    labels = [each.decode() if isinstance(each, bytes) else each for each in answer.as_numpy("prediction").tolist()]
    return [labels, answer.as_numpy("probability").tolist(), len(set(answer.as_numpy("prediction_id").tolist()))]


def refused(kind, client, **options):
    """How the server says no."""
    try:
        ask(kind, client, **options)
    except InferenceServerException as error:
        return str(error.status())
    return "answered"


def checked(kind, client):
    """What one protocol's client got."""
    is_http = kind is tritonclient.http
    index = client.get_model_repository_index()
    metadata = client.get_model_metadata("shop")
    codings = ("gzip", "deflate")
    return {
        "ready": [
            client.is_server_live(), client.is_server_ready(), client.is_model_ready("shop"),
            client.is_model_ready("shop", "1"), client.is_model_ready("shop", "7"), client.is_model_ready("nothing"),
        ],
        "server": client.get_server_metadata()["name"] if is_http else client.get_server_metadata().name,
        "inputs": [each["name"] for each in metadata["inputs"]] if is_http else [each.name for each in metadata.inputs],
        "index": [each["state"] for each in index] if is_http else [each.state for each in index.models],
        "answers": [
            shown(ask(kind, client)), shown(ask(kind, client, model_version="1")),
            shown(ask(kind, client, rows=ROWS.astype(np.float32), datatype="FP32")),
            *([shown(ask(kind, client, binary=False))] if is_http else []),
            *([shown(ask(kind, client, request_compression_algorithm=each)) for each in codings] if is_http else []),
        ],
        "refusals": [
            refused(kind, client, rows=ROWS[:, :1]), refused(kind, client, name="nothing"),
            refused(kind, client, model_version="7"), refused(kind, client, datatype="FP64", rows=np.zeros((2, 3))),
        ],
    }  # fmt: skip


def streamed(address):
    """A stream goes on after a call that failed."""
    found = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(address) as client:
        client.start_stream(lambda result, error: found.put((result, error)))
        for name in ("shop", "nothing", "shop"):
            tensor = tritonclient.grpc.InferInput("input", [2, 2], "FP64")
            tensor.set_data_from_numpy(ROWS)
            client.async_stream_infer(name, [tensor])
        answers = [found.get(timeout=30) for _ in range(3)]
        client.stop_stream()
    return [str(error) if error else len(result.as_numpy("prediction")) for result, error in answers]


def main(http, grpc):
    """Prints what both clients got."""
    with tritonclient.http.InferenceServerClient(http) as one, tritonclient.grpc.InferenceServerClient(grpc) as other:
        found = {"http": checked(tritonclient.http, one), "grpc": checked(tritonclient.grpc, other)}
    print(json.dumps({**found, "stream": streamed(grpc)}))


main(*sys.argv[1:])
