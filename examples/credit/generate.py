"""Applications for credit, drawn from a seed: `python generate.py [FOLDER]`.

Nobody in it is real. What is known of the process, and therefore what a monitor and a gate ought to find:

- Whether somebody repays depends on income, amount, employment and the *true* history of payment, and on nothing else.
- The bureau that reports the history reports it too low for women, by `BUREAU_GAP`. A model that believes the bureau
  grants women less credit than men who repay as often: it is biased though it never sees the sex.
- From the seventh month on, faults are injected into the weeks of `FAULTS`; all other weeks are as the first half-year was.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2025, 1, 6, tzinfo=UTC)
WEEK = timedelta(days=7)
LEARNED = 24
WEEKS = LEARNED + 32
BUREAU_GAP = 0.9
REGIONS = ("north", "south", "east", "west")
WORK = ("employed", "self-employed", "retired", "none")


@dataclass(frozen=True)
class Fault:
    """What is wrong in some weeks, counted from the first week that is watched.

    Attributes:
        causes: Beginnings of the alerts that name it rightly.
    """

    name: str
    weeks: range
    causes: tuple[str, ...]


FAULTS = (
    Fault("income comes in cents", range(3, 5), ("quality", "drift")),
    Fault("employment is missing in one of twelve", range(7, 9), ("quality",)),
    Fault("a recession: lower incomes, larger amounts", range(11, 13), ("drift", "joint", "prediction-drift")),
    Fault("the north no longer repays", range(15, 18), ("decay", "target-drift", "bias")),
    Fault("the bureau reports women lower still", range(20, 22), ("bias", "drift", "prediction-drift", "joint")),
    Fault("regions are written otherwise", range(24, 26), ("quality",)),
    Fault("a fifth of the applications is sent twice", range(27, 29), ("quality",)),
    Fault("the bureau's reports are days old", range(30, 32), ("freshness",)),
)


def week(number: int, *, rows: int = 1_000, seed: int = 0) -> pa.Table:
    """The applications of a week; the first watched one is number 24.

    Args:
        rows: How many there are, about.
    """
    random = np.random.default_rng([seed, number])
    n = int(random.poisson(rows))
    place = number - LEARNED
    fault = next((each.name for each in FAULTS if place in each.weeks), "")
    woman = random.random(n) < 0.5
    income = np.exp(random.normal(7.6, 0.45, n))
    amount = np.exp(random.normal(8.6, 0.6, n))
    if fault.startswith("a recession"):
        income, amount = income * 0.7, amount * 1.3
    work = random.choice(WORK, n, p=[0.6, 0.2, 0.12, 0.08])
    region = random.choice(REGIONS, n, p=[0.25, 0.35, 0.25, 0.15])
    history = random.normal(0, 1, n)
    gap = BUREAU_GAP + (1.2 if fault.startswith("the bureau reports women") else 0.0)
    reported = history - gap * woman + random.normal(0, 0.3, n)
    odds = 1.1 + 1.2 * history + 0.9 * (np.log(income) - 7.6) - 0.6 * (np.log(amount) - 8.6) - 0.9 * (work == "none")
    if fault.startswith("the north"):
        odds = odds - 3.0 * (region == "north")
    repaid = random.random(n) < 1 / (1 + np.exp(-odds))
    at = np.datetime64((START + number * WEEK).replace(tzinfo=None), "us") + np.sort(
        random.integers(0, 7 * 86_400, n)
    ) * np.timedelta64(1, "s")
    age = random.exponential(20, n) * np.timedelta64(60_000_000, "us")
    if fault.startswith("the bureau's reports"):
        age = np.where(random.random(n) < 0.4, age + np.timedelta64(5, "D"), age)
    columns: dict[str, object] = {
        "application": np.array([f"{number:02d}-{row:05d}" for row in range(n)]),
        "applied_at": at,
        "income": income * (100 if fault.startswith("income") else 1),
        "amount": amount,
        "work": pa.array(work.tolist(), mask=random.random(n) < (1 / 12 if fault.startswith("employment") else 0)),
        "region": np.char.capitalize(region) if fault.startswith("regions") else region,
        "history": reported,
        "reported_at": at - age,
        "sex": np.where(woman, "woman", "man"),
        "repaid": repaid,
        "known_at": at + np.timedelta64(30, "D"),
    }
    table = pa.table(columns)
    if fault.startswith("a fifth"):
        again = table.take(pa.array(random.integers(0, n, n // 4)))
        table = pa.concat_tables([table, again])
    return table


def main(folder: Path) -> None:
    """Writes one file for each week."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(WEEKS):
        pq.write_table(week(number), folder / f"week-{number:02d}.parquet")
    print(f"{WEEKS} weeks of applications are in {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data" / "applications")
