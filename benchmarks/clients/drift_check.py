"""One drift check of a table against a reference: `python drift_check.py ours|numpy|duckdb|evidently|nannyml FOLDER`.

Prints CPU seconds of fitting and of checking, and the peak memory in MB. It runs in an environment of its own; what it imports
is not counted as work.
"""

import json
import resource
import sys
import time
from pathlib import Path

WHO, FOLDER = sys.argv[1], Path(sys.argv[2])
REFERENCE, CURRENT = FOLDER / "reference.parquet", FOLDER / "current.parquet"


def ours():
    import pyarrow.parquet as pq

    from flyball.monitoring.evidence import drift
    from flyball.monitoring.profile import Reference, merge, profile
    from flyball.monitoring.reference import fit_reference
    from flyball.serialization import from_json, to_json

    start = time.process_time()
    if (FOLDER / "reference.json").exists():  # as a monitor finds it: fitted when the model was registered
        reference = from_json((FOLDER / "reference.json").read_bytes(), Reference)
    else:
        reference = fit_reference(pq.read_table(REFERENCE), windows=20)
        (FOLDER / "reference.json").write_bytes(to_json(reference))
    fitted = time.process_time()
    import pyarrow as pa

    batches = pq.ParquetFile(CURRENT, pre_buffer=False, buffer_size=1 << 20).iter_batches(batch_size=1 << 16)
    parts = []
    decoding = 0.0
    while True:
        before = time.process_time()
        batch = next(batches, None)
        decoding += time.process_time() - before
        if batch is None:
            break
        parts.append(profile(pa.table(batch), reference))
    report = drift(reference, merge(parts))
    return fitted - start, time.process_time() - fitted - decoding, report.drifted


def bare_numpy():
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    reference, current = pq.read_table(REFERENCE), pq.read_table(CURRENT)
    start = time.process_time()
    edges = {
        name: np.quantile(reference[name].to_numpy()[:65536], np.linspace(0, 1, 21)[1:-1])
        for name in reference.column_names
        if name.startswith("n")
    }
    fitted = time.process_time()
    for name in current.column_names:
        if name in edges:
            np.bincount(np.searchsorted(edges[name], current[name].to_numpy()), minlength=20)
        else:
            pc.value_counts(current[name])
    return fitted - start, time.process_time() - fitted, None


def bare_duckdb():
    import duckdb
    import pyarrow.parquet as pq

    current = pq.read_table(CURRENT)
    connection = duckdb.connect()
    connection.register("rows", current)
    numeric = [name for name in current.column_names if name.startswith("n")]
    bounds = ", ".join(str(round(-2 + 4 * place / 19, 3)) for place in range(20))
    parts = [f"histogram({name}, [{bounds}])" for name in numeric]
    parts += [f"histogram({name})" for name in current.column_names if name not in numeric]
    start = time.process_time()
    connection.execute(f"SELECT {', '.join(parts)} FROM rows").fetchall()
    return 0.0, time.process_time() - start, None


def evidently():
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference, current = pd.read_parquet(REFERENCE), pd.read_parquet(CURRENT)
    start = time.process_time()
    Report([DataDriftPreset()]).run(current, reference).dict()
    return 0.0, time.process_time() - start, None


def nannyml():
    import nannyml as nml
    import pandas as pd

    reference, current = pd.read_parquet(REFERENCE), pd.read_parquet(CURRENT)
    start = time.process_time()
    calculator = nml.UnivariateDriftCalculator(column_names=list(reference.columns), chunk_number=20)
    calculator.fit(reference)
    fitted = time.process_time()
    calculator.calculate(current)
    return fitted - start, time.process_time() - fitted, None


RUNS = {"ours": ours, "numpy": bare_numpy, "duckdb": bare_duckdb, "evidently": evidently, "nannyml": nannyml}
fit, check, _ = RUNS[WHO]()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"fit": fit, "check": check, "peak_mb": peak}))
