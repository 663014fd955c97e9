"""The quality of data: 45 checks and a profile of 5 million rows of 20 columns, against a plain pass over the same file.

Each goes in a process of its own, so that CPU seconds are of the work alone; beside a plain pass the start of Python and the
imports count. Great Expectations and ydata-profiling do the same on a tenth of the rows, in environments of their own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Pair, Timing, compare, middle, python
from benchmarks.peers import peer_or_none

_ROWS = 5_000_000
_FEWER = 500_000
_CLIENT = Path(__file__).parent / "clients" / "quality_work.py"
_ROUNDS = 3
_MAKE = """
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
rows, rng = int(sys.argv[2]), np.random.default_rng(0)
pick = lambda values: pa.array(np.array(values)[rng.integers(0, len(values), rows)])
columns = {"id": pa.array(np.arange(rows)), "origin": pick(["EWR", "JFK", "LGA"]), "carrier": pick(["AA", "B6", "DL", "UA"]),
           "tail": pick([f"N{number:05}" for number in range(4000)]), "late": pa.array(rng.random(rows) < 0.3)}
columns |= {f"whole{number}": pa.array(rng.integers(0, 5000, rows)) for number in range(5)}
columns |= {f"number{number}": pa.array(rng.normal(100, 20, rows)) for number in range(10)}
pq.write_table(pa.table(columns), sys.argv[1], row_group_size=1 << 17)
"""
_OURS = """
import sys
from pathlib import Path
from flyball.data import expect
from flyball.data.profile_table import examine
from flyball.data.validate import validate
whole, numbers = [f"whole{n}" for n in range(5)], [f"number{n}" for n in range(10)]
names = ["id", "origin", "carrier", "tail", "late", *whole, *numbers]
checks = [expect.not_null(name) for name in names] + [expect.in_range(name, -1e6, 1e6) for name in (*whole, *numbers)]
checks += [expect.unique("id"), expect.in_set("origin", ["EWR", "JFK", "LGA"]), expect.in_set("carrier", ["AA", "B6", "DL", "UA"]),
           expect.matches("tail", "N[0-9]{5}"), expect.row_count(1), expect.mean("number0", 90, 110),
           expect.quantile("number1", 0.5, 90, 110), expect.column_type("late", "bool"), expect.sql("whole0 < 0"),
           expect.in_set("late", [True, False])]
assert len(checks) == 45
path = Path(sys.argv[1])
import duckdb, resource, time
start = time.process_time(), time.perf_counter()
report = examine(path, checks).report if sys.argv[2] == "both" else validate(path, checks)
assert report.passed, report
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.process_time() - start[0], time.perf_counter() - start[1], peak)
"""
_READ = """
import sys, pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1], memory_map=False) as file:
    for group in range(file.num_row_groups):
        file.read_row_group(group, use_threads=False)
"""


def run() -> list[Pair]:
    """Checks, and checks with a profile: each against reading the file once with pyarrow, and against a peer on a tenth of it."""
    with tempfile.TemporaryDirectory(prefix="flyball-quality-") as name:
        large, small = str(Path(name) / "flights.parquet"), str(Path(name) / "fewer.parquet")
        for path, rows in ((large, _ROWS), (small, _FEWER)):
            subprocess.run([sys.executable, "-c", _MAKE, path, str(rows)], check=True)
        return [*_against_a_pass(large), *_against_peers(small)]


def _against_a_pass(path: str) -> Iterator[Pair]:
    for what, how, goal in (("45 checks", "checks", 2.5), ("45 checks and profile", "both", 6.0)):
        peak = _worked([sys.executable, "-c", _OURS, path, how])[1]
        yield compare(
            f"{what} of {_ROWS:,} x 20, peak {peak:,.0f} MB",
            python("-c", _OURS, path, how),
            python("-c", _READ, path),
            against="one pass of pyarrow",
            goal=goal,
            rounds=_ROUNDS,
        )


def _against_peers(path: str) -> Iterator[Pair]:
    """On both sides the imports are not counted."""
    for what, how, peer, who, goal in (
        ("45 checks", "checks", "great-expectations", "gx", 0.5),
        ("45 checks and profile", "both", "ydata-profiling", "ydata", 0.5),
    ):
        interpreter = peer_or_none(peer)
        if interpreter is None:
            continue
        taken = [
            (_worked([sys.executable, "-c", _OURS, path, how]), _worked([str(interpreter), str(_CLIENT), who, path]))
            for _ in range(_ROUNDS)
        ]
        peaks = [max(side[place][1] for side in taken) for place in (0, 1)]
        yield Pair(
            name=f"{what} of {_FEWER:,} x 20, peak {peaks[0]:,.0f} MB",
            ours=middle([one[0] for one, _ in taken]),
            theirs=middle([other[0] for _, other in taken]),
            against=f"{peer}, peak {peaks[1]:,.0f} MB",
            ratio=statistics.median(one[0].cpu / other[0].cpu for one, other in taken),
            goal=goal,
        )


def _worked(command: list[str]) -> tuple[Timing, float]:
    """What a program says that its work took, and its peak memory in MB: its last line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
    cpu, wall, peak = map(float, done.stdout.split()[-3:])
    return Timing(cpu=cpu, wall=wall), peak
