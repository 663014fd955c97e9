"""NannyML's estimates by its defaults: `python nannyml_estimates.py FOLDER binary|classes|values ROWS METRIC ...`.

It runs in an environment of its own, without Flyball. Prints the estimate of each metric for each chunk of so many rows.
"""

import json
import sys
import warnings
from pathlib import Path

import nannyml as nml
import pandas as pd

warnings.filterwarnings("ignore")
FOLDER, TASK, ROWS, METRICS = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
reference, windows = (pd.read_parquet(FOLDER / f"{name}.parquet") for name in ("reference", "windows"))
if TASK == "values":
    features = [column for column in reference.columns if column.startswith("x")]
    estimator = nml.DLE(features, y_pred="prediction", y_true="truth", metrics=METRICS, chunk_size=ROWS)
elif TASK == "binary":
    estimator = nml.CBPE(METRICS, "probability", "truth", "classification_binary", y_pred="prediction", chunk_size=ROWS)
else:
    chances = {place: f"p{place}" for place in range(3)}
    estimator = nml.CBPE(METRICS, chances, "truth", "classification_multiclass", y_pred="prediction", chunk_size=ROWS)
estimator.fit(reference)
found = estimator.estimate(windows.drop(columns=["truth"])).filter(period="analysis").to_df()
print(json.dumps({name: found[(name, "value")].tolist() for name in METRICS}))
