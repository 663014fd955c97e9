"""Every parser, with bytes that coverage leads to: `python tests/fuzz/scripts/guided.py SECONDS [PARSER]`.

It runs in an environment of its own, with what `pip install atheris` brings beside Flyball's own libraries; atheris changes the
code of what it watches as it is imported. It ends with the first bytes that break a parser, and shows them.
"""

from __future__ import annotations

import os
import subprocess
import sys

import atheris

with atheris.instrument_imports(include=["flyball", "tests.fuzz"]):
    from tests.fuzz.parsers import PARSERS, run


def main() -> int:
    """Tries one parser in this process, or each in one of its own."""
    seconds, names = sys.argv[1], sys.argv[2:3] or list(PARSERS)
    if len(names) == 1 and len(sys.argv) > 2:
        options = [
            sys.argv[0],
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=3000",
            "-print_final_stats=1",
        ]
        atheris.Setup(options, lambda data: run(names[0], data))
        atheris.Fuzz()
    failed = 0
    for name in names:
        done = subprocess.run(
            [sys.executable, __file__, seconds, name], env=os.environ, capture_output=True, text=True, check=False
        )
        units = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{'ok ' if done.returncode == 0 else 'BAD'} {name}: {units} inputs", flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout[-1500:], done.stderr[-1500:], flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
