"""Trainings with the libraries of deep learning, run by a process of their own beside an environment that has them.

Arguments: the folder of that environment's packages. What both environments have comes from ours.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from importlib import import_module
from typing import Any

import numpy as np

import flyball as fb
from flyball.tracking.autologging.lightning import logger_for

sys.path.append(sys.argv[1])
warnings.simplefilter("ignore")

keras: Any = import_module("keras")
torch: Any = import_module("torch")
transformers: Any = import_module("transformers")
lightning: Any = import_module("lightning.pytorch")
torch.set_num_threads(1)
X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("float32")


class Line(lightning.LightningModule):  # type: ignore[misc]  # known at run time only
    """A line, for Lightning."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch: Any, number: int) -> Any:
        """One batch."""
        loss = torch.nn.functional.mse_loss(self.layer(batch[0])[:, 0], batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=self.hparams.rate)


class Plain(torch.nn.Module):  # type: ignore[misc]  # known at run time only
    """A line, for transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x: Any, labels: Any = None) -> dict[str, Any]:
        """The loss and what was found."""
        found = self.layer(x)[:, 0]
        return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}


def with_lightning() -> None:
    """Three epochs."""
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=3, enable_model_summary=False, **quiet)
    trainer.fit(Line(), torch.utils.data.DataLoader(rows, batch_size=50))


def with_keras() -> None:
    """Three epochs, with rows put aside."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.05), loss="mse", metrics=["mae"])
    model.fit(X, Y, epochs=3, batch_size=50, validation_split=0.2, verbose=0)


def with_transformers() -> None:
    """Four steps."""
    rows = [{"x": torch.tensor(x), "labels": float(y)} for x, y in zip(X, Y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(), max_steps=4, logging_steps=1, report_to=[], use_cpu=True, save_strategy="no",
        disable_tqdm=True,
    )  # fmt: skip
    transformers.Trainer(model=Plain(), args=arguments, train_dataset=rows).train()


for train in (with_lightning, with_keras, with_transformers):
    with fb.autolog():
        train()
with fb.run(name="by the logger") as run:
    logger = logger_for(run)
    logger.log_hyperparams({"rate": 0.1})
    logger.log_metrics({"loss": 0.5}, step=7)
    assert logger.version == run.id
print({name: sys.modules[name].__version__ for name in ("torch", "keras", "transformers")})
