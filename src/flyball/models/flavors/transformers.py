"""Transformers: a text-classification pipeline of Hugging Face, as weights (safetensors), settings and tokenizer.

Reading it runs no code that comes with the model, and downloads nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors.base import Flavor, Predictor, Scores, answer_table, label_array
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 32


class Transformers:
    """Pipelines of Transformers that classify texts."""

    distributions = ("transformers", "safetensors", "tokenizers", "torch")

    def matches(self, model: object) -> bool:
        """Whether it is a pipeline."""
        transformers = sys.modules.get("transformers")
        return transformers is not None and isinstance(model, transformers.Pipeline)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the pipeline."""
        found: Any = model
        if found.task != "text-classification":
            raise InvalidInput(
                f"A pipeline of '{found.task}' cannot be kept.", hint="Write a function that takes a table and asks it."
            )
        found.save_pretrained(str(folder))
        return {"task": found.task}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the pipeline, from its folder alone."""
        try:
            import transformers
        except ImportError as error:
            raise MissingExtra("The model needs Transformers.", hint="pip install transformers torch") from error
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            network = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise Corrupt(f"The pipeline cannot be read: {error}.") from error
        network.eval()
        return _Texts(network, tokenizer)


class _Texts:
    """A classifier of one column of texts."""

    task: Task = "classification"
    columns: tuple[str, ...] = ()

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self._network = network
        self._tokenizer = tokenizer
        names = network.config.id2label
        self.classes: tuple[Label, ...] = tuple(str(names[place]) for place in sorted(names))

    def predict(self, table: pa.Table) -> pa.Table:
        """The most likely class of each text, and the chances of all."""
        import numpy as np
        import torch

        texts = [str(value or "") for value in _text_column(table).to_pylist()]
        found = []
        with torch.no_grad():
            for first in range(0, len(texts), _BATCH):
                batch = self._tokenizer(
                    texts[first : first + _BATCH], padding=True, truncation=True, return_tensors="pt"
                )
                found.append(torch.softmax(self._network(**batch).logits, dim=1).numpy())
        chances = np.concatenate(found).astype(np.float64)
        return answer_table(Scores(prediction=label_array(self.classes)[chances.argmax(axis=1)], chances=chances))


def _text_column(table: pa.Table) -> pa.ChunkedArray:
    import pyarrow.types as t

    names = [
        name for name in table.column_names if t.is_string(table[name].type) or t.is_large_string(table[name].type)
    ]
    if len(names) != 1:
        raise InvalidInput(
            f"The model reads one column of texts, and the table has {len(names)}.", hint="Give one column of texts."
        )
    return table[names[0]]


plugin: Flavor = Transformers()
