"""Autologging of PyTorch Lightning, Keras (on torch) and the reporter of transformers' Trainer."""

from __future__ import annotations

import logging
import tempfile
import warnings

import mlflow
import torch
from checks import check, same
from mlflow import MlflowClient
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
client = MlflowClient()
experiment = mlflow.set_experiment("autolog torch").experiment_id
torch.manual_seed(0)
torch.set_num_threads(1)
features = torch.randn(64, 4)
target = (features[:, :1] > 0).float()


@check
def lightning_is_logged_epoch_by_epoch() -> None:
    import lightning

    class Small(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

        def training_step(self, batch: list[torch.Tensor], _number: int) -> torch.Tensor:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
            self.log("train_loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    mlflow.pytorch.autolog()
    with mlflow.start_run() as run:
        trainer = lightning.Trainer(
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tempfile.mkdtemp(),
        )
        trainer.fit(Small(), DataLoader(TensorDataset(features, target), batch_size=16))
    mlflow.pytorch.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    same(found.data.params["optimizer_name"], "SGD")
    assert any(name.startswith("train_loss") for name in found.data.metrics), found.data.metrics
    name = next(name for name in found.data.metrics if name.startswith("train_loss_epoch"))
    same(len(client.get_metric_history(run.info.run_id, name)), 3)
    loaded = mlflow.pytorch.load_model(f"runs:/{run.info.run_id}/model")
    same(tuple(loaded(features).shape), (64, 1))


@check
def keras_is_logged_epoch_by_epoch() -> None:
    import keras

    mlflow.keras.autolog()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="sgd", loss="binary_crossentropy")
    with mlflow.start_run() as run:
        model.fit(features.numpy(), target.numpy(), epochs=3, batch_size=16, verbose=0)
    mlflow.keras.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert "loss" in found.data.metrics, found.data.metrics
    assert len(client.get_metric_history(run.info.run_id, "loss")) >= 3
    assert found.data.params


@check
def the_reporter_of_transformers_logs_its_steps() -> None:
    import transformers

    configuration = transformers.BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=2
    )
    rows = [{"input_ids": torch.randint(0, 30, (6,)), "labels": torch.tensor(row % 2)} for row in range(16)]
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(),
        num_train_epochs=1,
        per_device_train_batch_size=4,
        logging_steps=1,
        report_to=["mlflow"],
        disable_tqdm=True,
        save_strategy="no",
        use_cpu=True,
        run_name="trainer",
    )
    trainer = transformers.Trainer(
        transformers.BertForSequenceClassification(configuration), arguments, train_dataset=rows
    )
    trainer.train()
    run = mlflow.last_active_run()
    mlflow.end_run()
    found = client.get_run(run.info.run_id)
    same(found.data.params["num_train_epochs"], "1")
    assert len(client.get_metric_history(run.info.run_id, "loss")) >= 4, found.data.metrics
