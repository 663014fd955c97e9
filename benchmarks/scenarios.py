"""How well faults are found, and how seldom quiet windows alarm: `python -m benchmarks scenarios`, or with each rule's scores
`python -m benchmarks.scenarios [--small] [--ours]`.

Ours, Evidently and NannyML are given the same windows. A fault counts as found if one of its windows alarms; the delay is how
many of its windows pass before. Every other window that alarms is a false alarm.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import scenario_data as data
from benchmarks.pairs import Pair, Timing
from benchmarks.peers import peer_or_none
from flyball.monitoring import joint, monitor
from flyball.monitoring.estimation import fit_calibration
from flyball.monitoring.monitor import MonitorSpec
from flyball.monitoring.outcome_reference import fit_outcomes, outcome_table
from flyball.monitoring.profile import Reference
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.tables import Roles, examine_series

_CLIENTS = Path(__file__).parent / "clients"
_MONITORS: tuple[MonitorSpec, ...] = (
    monitor.drift(),
    monitor.multivariate(),
    monitor.quality(),
    monitor.prediction_drift(),
    monitor.target_drift(),
    monitor.performance(),
    monitor.estimate(),
    monitor.freshness("observed_at", max_age="4h"),
)
PEERS = ("evidently", "nannyml")
_PREDICTED = ("prediction", "probability", "truth", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one rule did.

    Attributes:
        found: Fault streams of which a faulty window alarmed, of `faults`.
        false_alarms: Per 100 windows in which nothing was wrong, of quiet streams and before the faults.
        seasonal: Per 100 windows of a harmless weekly season.
        delay: Faulty windows that passed before the alarm, mean over those found.
        missed: Names of the faults that were not found, with the size.
    """

    rule: str
    found: int
    faults: int
    false_alarms: float
    seasonal: float
    delay: float
    missed: tuple[str, ...]


def run() -> Iterator[Pair]:
    """Faults missed, false alarms and delay, beside what is asked for and beside the rules of the peers."""
    mine = run_ours(small=False)
    yield _pair("faults not found", mine.faults - mine.found, 0, "none")
    yield _pair("false alarms per 100 quiet windows, for ms", mine.false_alarms, 1.0, "at most one")
    yield _pair("false alarms per 100 windows of a season, for ms", mine.seasonal, 1.0, "at most one")
    alike = run_ours(small=True)
    for theirs in [found for name in PEERS for found in run_peer(name, small=True)]:
        yield _pair("share of faults missed, for ms", _missed(alike), _missed(theirs), theirs.rule)
        yield _pair("false alarms per 100 windows, for ms", _false(alike), _false(theirs), theirs.rule)
        yield _pair("delay in windows, for ms", alike.delay, theirs.delay, theirs.rule)


def _pair(name: str, mine: float, theirs: float, against: str) -> Pair:
    # Both may be nothing at all, which is as good as it gets.
    ratio = (mine + 1e-9) / (theirs + 1e-9)
    return Pair(
        name=name, ours=Timing(cpu=mine / 1e3, wall=mine / 1e3), theirs=Timing(cpu=theirs / 1e3, wall=theirs / 1e3),
        against=against, ratio=ratio, goal=1.0,
    )  # fmt: skip


def _missed(found: Score) -> float:
    return 1 - found.found / found.faults


def _false(found: Score) -> float:
    """Of quiet and of seasonal windows alike."""
    return (found.false_alarms + found.seasonal) / 2


def streams(*, small: bool) -> Iterator[data.Stream]:
    """The streams that everyone is given."""
    for size in data.SIZES:
        is_large = size >= data.LARGE
        for seed in range(1 if small or is_large else 3):
            for name in data.FAULTS:
                yield data.fault_stream(name, size, seed)
            yield data.quiet_stream(size, 14 if is_large else 42, seed)
            yield data.quiet_stream(size, 7 if is_large else 28, seed, weekly=True)


def ours(stream: data.Stream, reference: Reference) -> list[bool]:
    """Which of the windows alarm."""
    spans = [
        (data.FIRST + place * data.DAY, data.FIRST + (place + 1) * data.DAY) for place in range(len(stream.windows))
    ]
    windows = examine_series(stream.windows, reference, monitors=_MONITORS, roles=Roles(time="at"), spans=spans)
    return [bool(window.causes) for window in windows]


def our_reference(size: int, *, weekly: bool) -> Reference:
    """What is learned from the four weeks before."""
    from dataclasses import replace

    windows = data.reference_windows(size, weekly=weekly)
    inputs = [window.drop_columns(list(_PREDICTED)) for window in windows]
    whole = pa.concat_tables(windows)
    fitted = fit_reference(pa.concat_tables(inputs), windows=inputs, joint=joint.USUAL)
    calibration = fit_calibration(whole["probability"].to_numpy(), whole["truth"].to_numpy(zero_copy_only=False))
    outcomes = outcome_table(
        whole["probability"].to_numpy(), whole["truth"].to_numpy(zero_copy_only=False), is_classifier=True
    )
    learned = fit_outcomes(outcomes, times=whole["at"].combine_chunks(), period=data.DAY)
    return replace(fitted, calibration=calibration, outcomes=learned)


def score(rule: str, alarms: Sequence[tuple[data.Stream, Sequence[bool]]]) -> Score:
    """Counts what a rule did with the streams."""
    delays, missed, faults = [], [], 0
    false, quiet, seasonal, season = 0, 0, 0, 0
    for stream, alarmed in alarms:
        calm = [flag for place, flag in enumerate(alarmed) if place not in stream.faulty]
        if stream.name == "weekly season":
            seasonal, season = seasonal + sum(calm), season + len(calm)
            continue
        if stream.faulty:
            faults += 1
            calm = list(alarmed[: data.ONSET])
            order = sorted(stream.faulty)
            first = next((count for count, place in enumerate(order) if alarmed[place]), None)
            if first is None:
                missed.append(f"{stream.name} ({stream.size:,})")
            else:
                delays.append(first)
        false, quiet = false + sum(calm), quiet + len(calm)
    return Score(
        rule=rule, found=len(delays), faults=faults, false_alarms=100 * false / max(1, quiet),
        seasonal=100 * seasonal / max(1, season), delay=mean(delays) if delays else float("nan"),
        missed=tuple(dict.fromkeys(missed)),
    )  # fmt: skip


def run_ours(*, small: bool) -> Score:
    """Our monitors, as they are by default, with labels."""
    references: dict[tuple[int, bool], Reference] = {}
    alarms = []
    for stream in streams(small=small):
        key = (stream.size, stream.name == "weekly season")
        if key not in references:
            references[key] = our_reference(stream.size, weekly=key[1])
        alarms.append((stream, ours(stream, references[key])))
    return score("Flyball", alarms)


def run_peer(name: str, *, small: bool) -> list[Score]:
    """A peer's rules with the same windows; nothing where it cannot be installed."""
    python = peer_or_none(name)
    if python is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        every = list(streams(small=small))
        for size in data.SIZES:
            for weekly in (False, True):
                _write(data.reference_windows(size, weekly=weekly), place / f"reference-{size}-{weekly}.parquet")
        plan = []
        for number, stream in enumerate(every):
            weekly = stream.name == "weekly season"
            _write(stream.windows, place / f"{number}.parquet")
            plan.append({"file": f"{number}.parquet", "reference": f"reference-{stream.size}-{weekly}.parquet"})
        (place / "plan.json").write_text(json.dumps(plan))
        script = _CLIENTS / f"{name}_scenarios.py"
        done = subprocess.run([python, script, place], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-3000:]}")
        answers = json.loads((place / "alarms.json").read_text())
    return [score(rule, list(zip(every, found, strict=True))) for rule, found in answers.items()]


def _write(windows: Sequence[pa.Table], path: Path) -> None:
    numbered = [table.append_column("window", pa.array([n] * table.num_rows)) for n, table in enumerate(windows)]
    pq.write_table(pa.concat_tables(numbered, promote_options="default"), path)


def report(scores: Sequence[Score]) -> str:
    """The scores as a Markdown table."""
    lines = [
        "| rule | faults found | false alarms per 100 quiet windows | per 100 of a harmless season | delay, windows |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.rule} | {each.found} of {each.faults} | {each.false_alarms:.1f} | {each.seasonal:.1f} | {each.delay:.2f} |"
        for each in scores
    ]
    lines += [f"\n{each.rule} missed: {', '.join(each.missed)}" for each in scores if each.missed]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Prints the table; 1 if a goal is missed."""
    small = "--small" in arguments
    mine = run_ours(small=small)
    sys.stdout.write(report([mine]) + "\n")
    if "--ours" in arguments:
        return 0
    peers = [found for name in PEERS for found in run_peer(name, small=small)]
    sys.stdout.write("\n" + report([mine, *peers]) + "\n")
    return 0 if mine.found == mine.faults and mine.false_alarms <= 1 and mine.seasonal <= 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
