from __future__ import annotations

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import flyball as fb


@fb.step
def load(path: str) -> pd.DataFrame:
    rows = pd.read_csv(path)
    return rows.dropna()


@fb.step
def prepare(rows: pd.DataFrame, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    train = rows.sample(frac=share, random_state=0)
    return train, rows.drop(train.index)


@fb.step
def fit(train: pd.DataFrame, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, max_iter=1000)
    return model.fit(train.drop(columns="late"), train["late"])


@fb.step
def score(model: LogisticRegression, test: pd.DataFrame) -> float:
    predicted = model.predict_proba(test.drop(columns="late"))[:, 1]
    return float(roc_auc_score(test["late"], predicted))


@fb.pipeline
def main(path: str = "flights.csv", share: float = 0.8, strength: float = 1.0) -> float:
    train, test = prepare(load(path), share)
    model = fit(train, strength)
    return score(model, test)
