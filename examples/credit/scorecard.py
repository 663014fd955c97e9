"""What the credit loop's monitors find of the faults that were injected: `python scorecard.py [SEED]`.

A model learns from the first half-year. It is asked by the gate whether it treats women and men alike, once as it is and once
with a threshold for each; then the fair one answers for eight months while faults come and go. Every week that alarms without
a fault is a false alarm. Nothing is known to the monitors but the first half-year.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import generate
import numpy as np
import pyarrow as pa
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import flyball as fb
from flyball.evaluation.fair import assess
from flyball.evaluation.group_thresholds import GroupThresholdClassifier
from flyball.evaluation.mitigation import group_thresholds
from flyball.monitoring import joint
from flyball.monitoring.estimation import fit_calibration
from flyball.monitoring.learned import with_outcomes
from flyball.monitoring.outcome_reference import outcome_table
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.tables import Roles, examine_series
from flyball.monitoring.windows import Window

WATCHED = ["income", "amount", "history", "work", "region"]
HELD_OUT = 12  # of the weeks learned from, the last ones judge
MONITORS = [
    fb.monitor.drift(),
    fb.monitor.multivariate(),
    fb.monitor.quality(),
    fb.monitor.freshness("reported_at", max_age="1d"),
    fb.monitor.prediction_drift(),
    fb.monitor.target_drift(),
    fb.monitor.performance("roc_auc", "brier"),
    fb.monitor.estimate("roc_auc", "brier"),
    fb.monitor.bias("sex", metric="disparate_impact", windows=2),
]


@dataclass(frozen=True)
class Line:
    """What became of one fault: the weeks until it was told, None if never, and by which alerts."""

    fault: str
    weeks: int
    delay: int | None
    causes: tuple[str, ...]
    named_rightly: bool


@dataclass(frozen=True)
class Card:
    """The whole: fairness before and after the thresholds, and what was found."""

    unfair: str
    fair: str
    unfair_held: bool
    fair_held: bool
    lines: tuple[Line, ...]
    quiet_weeks: int
    false_alarms: tuple[tuple[int, tuple[str, ...]], ...]


def scorecard(*, seed: int = 0, rows: int = 1_000) -> Card:
    """Learns, watches, and counts."""
    weeks = [generate.week(number, rows=rows, seed=seed) for number in range(generate.WEEKS)]
    past, held = weeks[: generate.LEARNED - HELD_OUT], weeks[generate.LEARNED - HELD_OUT : generate.LEARNED]
    plain = _train(pa.concat_tables(past))
    tuned = pa.concat_tables(held[: HELD_OUT // 2])
    limits = group_thresholds(_said(plain, tuned), _truth(tuned), tuned["sex"].to_pylist())
    model = GroupThresholdClassifier(plain, "sex", limits)
    judged = pa.concat_tables(held[HELD_OUT // 2 :])
    before, after = (_fairness(each, judged) for each in (plain, model))
    reference = _reference(model, weeks[: generate.LEARNED], pa.concat_tables(held))
    watched = [_scored(model, week) for week in weeks[generate.LEARNED :]]
    spans = [
        (generate.START + number * generate.WEEK, generate.START + (number + 1) * generate.WEEK)
        for number in range(generate.LEARNED, generate.WEEKS)
    ]
    windows = examine_series(
        watched,
        reference,
        monitors=MONITORS,
        name="credit",
        roles=Roles(truth="repaid", time="applied_at"),
        spans=spans,
    )
    faulty = {place for fault in generate.FAULTS for place in fault.weeks}
    quiet = [place for place in range(len(windows)) if place not in faulty and place - 1 not in faulty]
    return Card(
        unfair=before.sentence, fair=after.sentence, unfair_held=before.is_unfair, fair_held=after.is_unfair,
        lines=tuple(_line(fault, windows) for fault in generate.FAULTS),
        quiet_weeks=len(quiet),
        false_alarms=tuple((place, windows[place].causes) for place in quiet if windows[place].causes),
    )  # fmt: skip


def _line(fault: generate.Fault, windows: list[Window]) -> Line:
    told = [place for place in fault.weeks if windows[place].causes]
    causes = tuple(dict.fromkeys(cause for place in told for cause in windows[place].causes))
    return Line(
        fault=fault.name,
        weeks=len(fault.weeks),
        delay=told[0] - fault.weeks[0] if told else None,
        causes=causes,
        named_rightly=any(cause.startswith(right) for cause in causes for right in fault.causes),
    )


def _train(rows: pa.Table):
    frame = rows.select(WATCHED).to_pandas()
    encode = make_column_transformer(
        (StandardScaler(), ["income", "amount", "history"]),
        (OneHotEncoder(handle_unknown="ignore"), ["work", "region"]),
    )
    return make_pipeline(encode, LogisticRegression()).fit(frame, _truth(rows))


def _said(model, rows: pa.Table) -> np.ndarray:
    return model.predict_proba(rows.select([*WATCHED, "sex"]).to_pandas())[:, 1]


def _truth(rows: pa.Table) -> np.ndarray:
    return rows["repaid"].to_numpy(zero_copy_only=False).astype(int)


def _fairness(model, rows: pa.Table):
    said = model.predict_proba(rows.select([*WATCHED, "sex"]).to_pandas())[:, 1]
    (found,) = assess(_truth(rows), said, {"sex": rows["sex"].to_pylist()}, measures=["disparate_impact"])
    return found


def _reference(model, weeks: list[pa.Table], held: pa.Table):
    inputs = [week.select(WATCHED) for week in weeks]
    fitted = fit_reference(pa.concat_tables(inputs), windows=inputs, joint=joint.USUAL)
    said, truth = _said(model, held), _truth(held)
    fitted = replace(fitted, calibration=fit_calibration(said, truth))
    return with_outcomes(
        fitted, held.select(WATCHED), outcome_table(said, truth, is_classifier=True), is_classifier=True,
        times=held["applied_at"], period=generate.WEEK,
    )  # fmt: skip


def _scored(model, week: pa.Table) -> pa.Table:
    said = _said(model, week)
    kept = week.select([*WATCHED, "reported_at", "sex", "applied_at", "repaid"])
    return kept.append_column("probability", pa.array(said)).append_column("prediction", pa.array(said >= 0.5))


def show(card: Card) -> None:
    """Prints the card."""
    print(f"as it learned:          {card.unfair}: {'held back' if card.unfair_held else 'passes'}")
    print(f"with two thresholds:    {card.fair}: {'held back' if card.fair_held else 'passes'}")
    print()
    for line in card.lines:
        told = (
            "NOT FOUND" if line.delay is None else f"found after {line.delay} weeks" if line.delay else "found at once"
        )
        print(
            f"{line.fault:<45} {told:<20} {', '.join(line.causes)}{'' if line.named_rightly else '  (another cause named)'}"
        )
    print()
    print(f"{len(card.false_alarms)} of {card.quiet_weeks} quiet weeks alarmed: {list(card.false_alarms) or 'none'}")


if __name__ == "__main__":
    show(scorecard(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0))
