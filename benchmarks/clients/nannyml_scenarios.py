"""NannyML's alarms by its defaults, for the streams in a folder: `python nannyml_scenarios.py FOLDER`.

It runs in an environment of its own, without Flyball. An error counts as an alarm.
"""

import json
import sys
import warnings
from pathlib import Path

import nannyml as nml
import pandas as pd

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
NUMBERS = ["age", "income", "distance", "balance", "temperature", "humidity"]
CATEGORIES = ["carrier", "city"]
ROLES = {
    "y_pred_proba": "probability", "y_pred": "prediction", "y_true": "truth", "problem_type": "classification_binary",
    "metrics": ["roc_auc", "f1", "accuracy"],
}  # fmt: skip
CHUNKS = {"timestamp_column_name": "at", "chunk_period": "D"}


def read(name):
    rows = pd.read_parquet(FOLDER / name)
    for column in ("prediction", "truth"):
        rows[column] = rows[column].astype(int)
    return rows


def fitted(reference):
    columns = NUMBERS + CATEGORIES
    made = {
        "univariate": nml.UnivariateDriftCalculator(column_names=columns, **CHUNKS),
        "multivariate": nml.DataReconstructionDriftCalculator(column_names=columns, **CHUNKS),
        "missing": nml.MissingValuesCalculator(column_names=columns, **CHUNKS),
        "unseen": nml.UnseenValuesCalculator(column_names=CATEGORIES, **CHUNKS),
        "range": nml.NumericalRangeCalculator(column_names=NUMBERS, **CHUNKS),
        "rows": nml.SummaryStatsRowCountCalculator(**CHUNKS),
        "realised": nml.PerformanceCalculator(**ROLES, **CHUNKS),
        "estimated": nml.CBPE(**ROLES, **CHUNKS),
    }
    for calculator in made.values():
        calculator.fit(reference)
    return made


def alarms(calculator, rows, days):
    try:
        found = (calculator.estimate if hasattr(calculator, "estimate") else calculator.calculate)(rows)
    except Exception as problem:  # noqa: BLE001  # whatever a peer raises counts as its alarm
        sys.stderr.write(f"{type(calculator).__name__}: {str(problem)[:200]}\n")
        return set(days)
    table = found.filter(period="analysis").to_df()
    flags = table.loc[:, [column for column in table.columns if column[-1] == "alert"]].fillna(False).any(axis=1)
    starts = table[next(column for column in table.columns if column[-1] == "start_date")]
    return {start.date() for start, flag in zip(starts, flags, strict=False) if flag}


def main():
    plan = json.loads((FOLDER / "plan.json").read_text())
    made = {}
    answers = {"NannyML, univariate drift": [], "NannyML, multivariate drift": [], "NannyML, everything": []}
    for entry in plan:
        if entry["reference"] not in made:
            made[entry["reference"]] = fitted(read(entry["reference"]))
        rows = read(entry["file"])
        days = rows.groupby("window")["at"].max().dt.date.tolist()
        found = {name: alarms(calculator, rows, days) for name, calculator in made[entry["reference"]].items()}
        together = set().union(*found.values())
        for rule, where in zip(answers, (found["univariate"], found["multivariate"], together), strict=False):
            answers[rule].append([day in where for day in days])
    (FOLDER / "alarms.json").write_text(json.dumps(answers))


main()
