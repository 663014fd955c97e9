"""Writes an estimator as ONNX: run by a Python that has skl2onnx, which need not be ours and knows nothing of Flyball.

python _onnx_worker.py MODEL.pickle GRAPH.onnx COLUMNS float|double
"""

import importlib
import pickle
import sys
from pathlib import Path


def main(source: str, target: str, columns: int, kind: str) -> None:
    """Converts; whatever goes wrong ends the process with its message."""
    types = importlib.import_module("skl2onnx.common.data_types")
    model = pickle.loads(Path(source).read_bytes())  # noqa: S301  # the model that is being registered, by who fitted it
    tensor = types.DoubleTensorType if kind == "double" else types.FloatTensorType
    options = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    graph = importlib.import_module("skl2onnx").to_onnx(
        model, initial_types=[("rows", tensor([None, columns]))], options=options or None
    )
    Path(target).write_bytes(graph.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
