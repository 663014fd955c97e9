"""Fits FLAML or AutoGluon on rows of a file for so many seconds, and writes what it says of the rows of another.

python automl_fit.py flaml|autogluon TRAIN TEST LABEL classification|regression METRIC SECONDS OUT
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

FLAML = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "rmse"}
AUTOGLUON = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


def flaml(train, test, label, task, metric, seconds):
    from flaml import AutoML

    model = AutoML()
    model.fit(
        dataframe=train, label=label, task=task, metric=FLAML[metric], time_budget=seconds, seed=0, n_jobs=1, verbose=0
    )
    inputs = test.drop(columns=label)
    if task == "regression":
        return model.predict(inputs).tolist()
    return model.predict_proba(inputs).tolist()


def autogluon(train, test, label, task, metric, seconds):
    from autogluon.tabular import TabularPredictor

    with tempfile.TemporaryDirectory() as folder:
        kind = "regression" if task == "regression" else "multiclass" if train[label].nunique() > 2 else "binary"
        model = TabularPredictor(label, problem_type=kind, eval_metric=AUTOGLUON[metric], path=folder, verbosity=0)
        model.fit(train, time_limit=seconds, num_cpus=1, num_gpus=0)
        inputs = test.drop(columns=label)
        if task == "regression":
            return model.predict(inputs).tolist()
        return model.predict_proba(inputs).to_numpy().tolist()


def main():
    library, train, test, label, task, metric, seconds, out = sys.argv[1:]
    fit = {"flaml": flaml, "autogluon": autogluon}[library]
    said = fit(pd.read_parquet(train), pd.read_parquet(test), label, task, metric, float(seconds))
    Path(out).write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main()
