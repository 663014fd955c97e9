"""Will an applicant repay? A loop that watches, and gates, how groups are treated.

The sex of an applicant is known to the platform and not to the model: groups can only be compared where they are known.
"""

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import flyball as fb

applications = fb.dataset(
    "applications",
    "data/applications/*.parquet",
    key="application",
    time="applied_at",
    label="repaid",
    label_time="known_at",
)

# What an average application brings in, in euros: interest if it is granted and repaid, the loss if it is not.
PROFIT = fb.metric("profit", "avg(case when prediction and truth then 300.0 when prediction then -900.0 else 0 end)")


@fb.step
def train(rows: fb.Table) -> fb.Model:
    """A logistic regression on what the applicant and the bureau say, without the sex."""
    x, y = rows.xy()
    encode = make_column_transformer(
        (StandardScaler(), ["income", "amount", "history"]),
        (OneHotEncoder(handle_unknown="ignore"), ["work", "region"]),
    )
    return make_pipeline(encode, LogisticRegression()).fit(x, y)


@fb.pipeline
def credit(constraint: str = "demographic_parity"):
    """Learns from half a year, gives each group its threshold, and is judged on the last four weeks."""
    rows = fb.training_set(applications)
    past, recent = fb.split(rows, holdout="28d")
    learn, tune = fb.split(past, holdout="28d")
    model = fb.fair_thresholds(train(learn), tune, column="sex", constraint=constraint)
    scored = fb.evaluate(
        model, recent, slices=["region"], fairness=["sex"], metrics=["roc_auc", "accuracy", "brier", PROFIT]
    )
    return fb.register("credit", model, scored, reference=past, window="7d")


fb.loop(
    "credit",
    credit,
    retrain=[fb.on.drift(), fb.on.decay("roc_auc", by=0.02), fb.on.schedule("0 4 * * 1")],
    gates=[
        fb.gate.fair("sex", "disparate_impact"),
        fb.gate.beats_champion("roc_auc", alpha=0.05),
        fb.gate.schema(),
    ],
    rollout=fb.immediate(),
    window="7d",
    label_delay="30d",
    monitors=[
        fb.monitor.drift(columns=["income", "amount", "history", "work", "region"]),
        fb.monitor.multivariate(),
        fb.monitor.quality(),
        fb.monitor.freshness("reported_at", max_age="1d"),
        fb.monitor.prediction_drift(),
        fb.monitor.target_drift(),
        fb.monitor.performance("roc_auc", "brier"),
        fb.monitor.estimate(),
        fb.monitor.bias("sex", metric="disparate_impact", windows=2),
    ],
)
