"""Fits networks and keeps them, or reads them back and asks them. Arguments: `fit` or `ask`, a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from flyball.errors import InvalidInput
from flyball.models.package import ModelPackage, load_model, save_model
from flyball.serialization import from_json, to_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

what, folder = sys.argv[1], Path(sys.argv[2])
blobs = Blobs(LocalObjects(folder / "objects", durable=False))
random = np.random.default_rng(0)
ROWS = pa.table({"x": random.random(20), "z": random.random(20)})
MATRIX = np.column_stack([ROWS["x"].to_numpy(), ROWS["z"].to_numpy()]).astype(np.float32)
TEXTS = pa.table({"word": ["alpha", "omega", "beta", "zulu"]})


def torch_models():
    import nets
    import torch

    torch.manual_seed(0)
    module = nets.Small(3)
    module.eval()
    with torch.no_grad():
        said = module(torch.from_numpy(MATRIX))[:, 0].tolist()
    refused = ""
    try:
        save_model(nets.Forgetful(2), blobs, example=ROWS)
    except InvalidInput as error:
        refused = f"{error.message} {error.hint}"
    yield "torch-module", module, ROWS, said, None, {"refused": refused}
    batch = torch.export.Dim("rows", min=1, max=100_000)
    program = torch.export.export(module, (torch.from_numpy(MATRIX[:2]),), dynamic_shapes=({0: batch},))
    yield "torch-program", program, ROWS, said, None, {}
    letters = nets.Letters()
    letters.eval()
    answer = letters.predict(TEXTS)
    yield "torch-predict", letters, TEXTS, answer["prediction"], answer["probability"], {}


def keras_model():
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy")
    model.fit(MATRIX, (MATRIX[:, 0] * 3).astype(int), verbose=0)
    chances = np.asarray(model.predict_on_batch(MATRIX))
    yield "keras", model, ROWS, chances.argmax(axis=1).tolist(), chances[:, -1].tolist(), {}


def jax_model():
    import jax
    import jax.numpy as jnp

    weights = jnp.asarray([[2.0], [-1.0]], dtype=jnp.float32)

    def predict(rows):
        return jnp.tanh(rows @ weights)[:, 0]

    (rows,) = jax.export.symbolic_shape("rows")
    program = jax.export.export(jax.jit(predict))(jax.ShapeDtypeStruct((rows, 2), "float32"))
    yield "jax", program, ROWS, np.asarray(predict(MATRIX)).tolist(), None, {}


def transformers_model():
    import torch
    import transformers

    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "alpha", "beta", "omega", "zulu"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(words)})
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=2, id2label={0: "good", 1: "bad"}, label2id={"good": 0, "bad": 1},
    )  # fmt: skip
    network = transformers.BertForSequenceClassification(config).eval()
    pipe = transformers.pipeline("text-classification", model=network, tokenizer=tokenizer)
    found = pipe(TEXTS["word"].to_pylist(), top_k=None)
    chances = [{one["label"]: one["score"] for one in each} for each in found]
    labels = [max(each, key=each.get) for each in chances]
    yield "transformers", pipe, TEXTS, labels, [each["bad"] for each in chances], {}


def main():
    told = {}
    if what == "fit":
        for make in (torch_models, keras_model, jax_model, transformers_model):
            for name, model, rows, prediction, probability, more in make():
                package = save_model(model, blobs, example=rows.slice(0, 4))
                (folder / f"{name}.package").write_bytes(to_json(package))
                safe = "trusted_only" not in package.flavor_settings
                told[name] = {"prediction": prediction, "probability": probability, "is_safe": safe, **more}
    else:
        for place in sorted(folder.glob("*.package")):
            model = load_model(from_json(place.read_bytes(), ModelPackage), blobs)
            rows = TEXTS if model.signature.inputs.names == ("word",) else ROWS
            answer = model.predict(rows).to_pydict()
            told[place.stem] = {"prediction": answer["prediction"], "probability": answer.get("probability")}
    print(json.dumps(told))


main()
