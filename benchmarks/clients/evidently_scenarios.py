"""Evidently's alarms by its defaults, for the streams in a folder: `python evidently_scenarios.py FOLDER`.

It runs in an environment of its own, without Flyball. An error counts as an alarm.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
NUMBERS = ["age", "income", "distance", "balance", "temperature", "humidity"]
CATEGORIES = ["carrier", "city"]
ROLES = BinaryClassification(target="truth", prediction_labels="prediction", prediction_probas="probability")
MOST_REFERENCE = 100_000


def dataset(rows, presets):
    given = rows[[column for column in NUMBERS + CATEGORIES if column in rows.columns]]
    if presets == "quality":
        rows = rows[[*given.columns, "prediction", "probability", "truth"]]
        definition = DataDefinition(
            numerical_columns=[c for c in NUMBERS if c in rows.columns],
            categorical_columns=CATEGORIES,
            classification=[ROLES],
        )
        return Dataset.from_pandas(rows, definition)
    definition = DataDefinition(
        numerical_columns=[c for c in NUMBERS if c in given.columns], categorical_columns=CATEGORIES
    )
    return Dataset.from_pandas(given, definition)


def failed(presets, reference, rows, kind):
    try:
        done = Report(presets, include_tests=True).run(dataset(rows, kind), dataset(reference, kind)).dict()
    except Exception as problem:  # noqa: BLE001  # whatever a peer raises counts as its alarm
        sys.stderr.write(f"{kind}: {str(problem)[:200]}\n")
        return ["an error"]
    return [test["name"] for test in done["tests"] if str(test["status"]).endswith(("FAIL", "ERROR"))]


def main():
    plan = json.loads((FOLDER / "plan.json").read_text())
    references = {}
    answers = {
        "Evidently, share of drifted columns": [],
        "Evidently, any drifted column": [],
        "Evidently, all generated tests": [],
    }
    for entry in plan:
        if entry["reference"] not in references:
            rows = pd.read_parquet(FOLDER / entry["reference"])
            # A window's rows are compared with the reference's own number of them, so it is given one window's worth for that.
            size = int(rows.groupby("window").size().mean())
            drawn = rows.sample(min(len(rows), MOST_REFERENCE), random_state=0)
            references[entry["reference"]] = (drawn, rows.sample(size, random_state=0))
        whole, alike = references[entry["reference"]]
        rows = pd.read_parquet(FOLDER / entry["file"])
        flags = {rule: [] for rule in answers}
        for number in sorted(rows["window"].unique()):
            window = rows[rows["window"] == number].dropna(axis=1, how="all")
            drift = failed([DataDriftPreset()], whole, window, "drift")
            rest = failed([DataSummaryPreset(), ClassificationPreset()], alike, window, "quality")
            flags["Evidently, share of drifted columns"].append(
                any("Share of Drifted" in t or t == "an error" for t in drift)
            )
            flags["Evidently, any drifted column"].append(bool(drift))
            flags["Evidently, all generated tests"].append(bool(drift or rest))
        for rule, found in flags.items():
            answers[rule].append(found)
    (FOLDER / "alarms.json").write_text(json.dumps(answers))


main()
