"""The quality of data: 45 checks and a profile of 5 million rows of 20 columns, against a plain pass over the same file.

Each goes in a process of its own, so that CPU seconds are of the work alone. The start of Python and the imports count.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pairs import Pair, compare, python

_ROWS = 5_000_000
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
report = examine(path, checks).report if sys.argv[2] == "both" else validate(path, checks)
assert report.passed, report
"""
_READ = """
import sys, pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1], memory_map=False) as file:
    for group in range(file.num_row_groups):
        file.read_row_group(group, use_threads=False)
"""


def run() -> list[Pair]:
    """Checks, and checks with a profile, each against reading the file once with pyarrow."""
    with tempfile.TemporaryDirectory(prefix="flyball-quality-") as name:
        path = str(Path(name) / "flights.parquet")
        subprocess.run([sys.executable, "-c", _MAKE, path, str(_ROWS)], check=True)
        return [
            compare(
                f"{what} of {_ROWS:,} x 20",
                python("-c", _OURS, path, how),
                python("-c", _READ, path),
                against="one pass of pyarrow",
                rounds=_ROUNDS,
            )
            for what, how in (("45 checks", "checks"), ("45 checks and profile", "both"))
        ]
