"""What monitoring costs: `python -m benchmarks.monitoring [--rows 1000000] [--rounds 3] [--without-peers]`.

A check of a table against a fitted reference, beside a bare pass of numpy and of DuckDB over the same table and beside the peers;
merging a thousand windows; and the cost of monitoring per served prediction.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import peer_or_none
from flyball.monitoring.evidence import drift
from flyball.monitoring.profile import merge, profile
from flyball.monitoring.reference import fit_reference

_CHECK = Path(__file__).parent / "clients" / "drift_check.py"
_QUIET = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `ratio` is met if it is at most `goal`."""

    work: str
    ours: str
    theirs: str
    ratio: float
    goal: float

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio <= self.goal


def table_of(rows: int, *, seed: int) -> pa.Table:
    """Twenty columns of numbers and ten of categories."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for place in range(20):
        draw = (random.normal, random.standard_exponential, random.random)[place % 3]
        made[f"n{place:02d}"] = draw(size=rows)
    for place in range(10):
        levels = pa.array([f"level-{n}" for n in range(5 + 10 * place)])
        codes = pa.array(random.integers(0, len(levels), rows).astype(np.int32))
        made[f"c{place:02d}"] = pa.DictionaryArray.from_arrays(codes, levels).cast(pa.string())
    return pa.table(made)


def checks(rows: int, *, peers: bool, rounds: int = 3) -> list[Figure]:
    """The drift check, ours against the others, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seed in (("reference", 0), ("current", 1)):
            pq.write_table(table_of(rows, seed=seed), Path(folder) / f"{name}.parquet", row_group_size=1 << 17)
        _run(sys.executable, "ours", folder)  # fits the reference
        ours = [_run(sys.executable, "ours", folder) for _ in range(rounds)]
        against = {name: [_run(sys.executable, name, folder) for _ in range(rounds)] for name in ("numpy", "duckdb")}
        for name in ("nannyml", "evidently") if peers else ():
            python = peer_or_none(name)
            if python is not None:
                against[name] = [_run(str(python), name, folder)]
    mine, peak = _middle(ours, "check"), _middle(ours, "peak_mb")
    limits = {name: _middle(found, "check") for name, found in against.items()}
    bare = max(limits["numpy"], limits["duckdb"])
    size = f"drift check, {rows:,} x 30"
    figures = [
        Figure(
            work=f"{size} / the bare pass", ours=f"{mine:.2f} s", theirs=f"{bare:.2f} s", ratio=mine / bare, goal=1.2
        )
    ]
    for name, times in (("evidently", 75), ("nannyml", 6)):
        if name in against:
            memory = _middle(against[name], "peak_mb")
            figures += [
                Figure(work=f"{size} / {name}", ours=f"{mine:.2f} s", theirs=f"{limits[name]:.2f} s",
                       ratio=mine / limits[name], goal=1 / times),
                Figure(work=f"peak memory / {name}", ours=f"{peak:.0f} MB", theirs=f"{memory:.0f} MB",
                       ratio=peak / memory, goal=0.25),
            ]  # fmt: skip
    figures.append(Figure(work=f"{size} / numpy alone", ours=f"{mine:.2f} s", theirs=f"{limits['numpy']:.2f} s",
                          ratio=mine / limits["numpy"], goal=1.2))  # fmt: skip
    return figures


def merging(windows: int = 1_000) -> Figure:
    """A thousand windows of a wide table added up and tested."""
    table = table_of(20_000, seed=2)
    reference = fit_reference(table, windows=10)
    profiles = [profile(table.slice(20 * place % 19_000, 500), reference) for place in range(windows)]
    start = time.process_time()
    drift(reference, merge(profiles))
    spent = time.process_time() - start
    return Figure(
        work=f"merge {windows:,} windows of 30 columns and test",
        ours=f"{spent:.2f} s",
        theirs="1 s",
        ratio=spent,
        goal=1.0,
    )


def per_prediction(predictions: int = 20_000) -> Figure:
    """What the profile of a day's predictions costs, beside answering them (48 us is the least measured for one request)."""
    table = table_of(predictions, seed=3)
    reference = fit_reference(table, windows=10)
    profile(table, reference)
    spent = []
    for _ in range(5):
        start = time.process_time()
        drift(reference, profile(table, reference))
        spent.append(time.process_time() - start)
    each = statistics.median(spent) / predictions * 1e6
    return Figure(
        work="cost of monitoring per prediction of 30 inputs",
        ours=f"{each:.2f} us",
        theirs="48 us",
        ratio=each / 48,
        goal=0.03,
    )


def report(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| work | ours | beside | ratio | goal | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {each.work} | {each.ours} | {each.theirs} | {each.ratio:.3f} | <= {each.goal:.3f} |"
        f" {'met' if each.is_met else 'MISSED'} |"
        for each in figures
    ]
    return "\n".join(lines)


def _run(python: str, who: str, folder: str) -> dict[str, float]:
    environment = {**os.environ, **_QUIET}
    if who == "ours":
        environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")
    done = subprocess.run([python, _CHECK, who, folder], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{who} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _middle(found: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in found)


def main(arguments: list[str]) -> int:
    """Prints the table; 1 if a goal is missed."""
    rows = int(arguments[arguments.index("--rows") + 1]) if "--rows" in arguments else 1_000_000
    rounds = int(arguments[arguments.index("--rounds") + 1]) if "--rounds" in arguments else 3
    figures = [merging(), per_prediction(), *checks(rows, peers="--without-peers" not in arguments, rounds=rounds)]
    sys.stdout.write(report(figures) + "\n")
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
