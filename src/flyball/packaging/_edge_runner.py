"""Answers with the model beside this file. Needs numpy and onnxruntime, and nothing else.

    python run.py '[{"delay": 3.0}]'          # or a file with rows, or rows on standard input

`predict` takes rows and gives answers; `handler(event, context)` is what function services call.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NUMPY = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(int64)": "int64",
    "tensor(int32)": "int32", "tensor(bool)": "bool", "tensor(string)": "object",
}  # fmt: skip


@lru_cache(maxsize=1)
def _model() -> tuple[dict[str, Any], Any]:
    """What is said of the model, and the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return json.loads((HERE / "model.json").read_text(encoding="utf-8")), session


def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to rows, each a mapping from column to value.

    Raises:
        ValueError: a column is missing, or a value is of another kind.
    """
    about, session = _model()
    columns: dict[str, list[Any]] = {}
    for column in about["columns"]:
        try:
            columns[column["name"]] = [row[column["name"]] for row in rows]
        except (KeyError, TypeError):
            raise ValueError(f"Column '{column['name']}' is missing.") from None
    try:
        given = session.run(None, _feed(session.get_inputs(), columns, len(rows)))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"The rows do not fit: {error}") from None
    return _answers(given, len(rows), about["classes"])


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001  # services give it
    """What a function service calls: `{"rows": [...]}`, as the event itself or as its body."""
    try:
        asked = event
        if "rows" not in asked:
            asked = json.loads(event["body"]) if isinstance(event.get("body"), str) else event.get("body") or {}
        body, status = {"predictions": predict(asked["rows"]), "version": _model()[0]["version"]}, 200
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        body, status = {"error": str(error) or "Send rows."}, 422
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def _feed(inputs: list[Any], columns: dict[str, list[Any]], count: int) -> dict[str, Any]:
    import numpy as np

    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].shape[1] != 1:
        kind = NUMPY[inputs[0].type]
        values = [_array(each, kind) for each in columns.values()]
        return {inputs[0].name: np.column_stack(values) if values else np.zeros((count, 0), kind)}
    return {
        each.name: _array(columns[each.name], NUMPY[each.type]).reshape(-1, *[1] * (len(each.shape) - 1))
        for each in inputs
    }


def _array(values: list[Any], kind: str) -> Any:
    import numpy as np

    if kind == "object":
        return np.array(["" if value is None else str(value) for value in values], object)
    return np.array([np.nan if value is None else value for value in values]).astype(kind)


def _answers(given: list[Any], count: int, classes: list[Any]) -> list[dict[str, Any]]:
    import numpy as np

    first = np.asarray(given[0]).reshape(count, -1)[:, 0]
    chances = given[1] if len(given) > 1 else None
    if isinstance(chances, list):
        chances = np.array([list(row.values()) for row in chances])
    answers = []
    for place in range(count):
        answer = {"prediction": first[place].item() if hasattr(first[place], "item") else first[place]}
        if chances is not None:
            said = np.atleast_1d(chances[place])
            said = said if len(said) > 1 else np.array([1 - said[0], said[0]])
            if classes:
                answer["prediction"] = classes[int(said.argmax())]
            answer["probability"] = float(said[-1])
        answers.append(answer)
    return answers


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
    text = Path(given).read_text(encoding="utf-8") if not given.lstrip().startswith(("[", "{")) else given
    asked = json.loads(text)
    sys.stdout.write(json.dumps(predict(asked["rows"] if isinstance(asked, dict) else asked)) + "\n")
