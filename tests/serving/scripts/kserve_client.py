"""KServe's own client, over REST and gRPC, against a model server: prints what it was answered."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig


def request(*, binary):
    """Two rows as one tensor."""
    tensor = InferInput("input", [2, 2], "FP64")
    tensor.set_data_from_numpy(np.array([[1.5, 3.0], [-1.5, 4.0]]), binary_data=binary)
    return InferRequest("shop", [tensor])


def shown(answer):
    """Probabilities, which are the second output."""
    return answer.outputs[1].as_numpy().tolist()


async def main(http, grpc):
    """Prints what both clients got."""
    rest, other = InferenceRESTClient(RESTConfig(protocol="v2")), InferenceGRPCClient(grpc)
    url = f"http://{http}"
    found = {
        "ready": [
            await rest.is_server_live(url), await rest.is_server_ready(url), await rest.is_model_ready(url, "shop"),
            await other.is_server_live(), await other.is_server_ready(), await other.is_model_ready("shop"),
        ],
        "answers": [
            shown(await rest.infer(url, request(binary=False), model_name="shop")),
            shown(await rest.infer(url, request(binary=True), model_name="shop")),
            shown(await other.infer(request(binary=True))), shown(await other.infer(request(binary=False))),
        ],
    }  # fmt: skip
    await rest.close()
    await other.close()
    print(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))
