"""The same checks, or a profile, of one Parquet file: `python quality_work.py gx|ydata FILE`, each in its peer's environment.

Prints CPU seconds, seconds, and peak memory in MB. The imports are not counted as work.
"""

import resource
import sys
import time
import warnings

import pandas as pd

WHO, FILE = sys.argv[1], sys.argv[2]
WHOLE, NUMBERS = [f"whole{n}" for n in range(5)], [f"number{n}" for n in range(10)]
warnings.simplefilter("ignore")


def checks() -> None:
    """45 expectations as `flyball.data.expect` has them."""
    import great_expectations as gx
    from great_expectations import expectations as e

    start = begin()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    rows = pd.read_parquet(FILE)
    asset = context.data_sources.add_pandas("here").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    names = ["id", "origin", "carrier", "tail", "late", *WHOLE, *NUMBERS]
    wanted = [e.ExpectColumnValuesToNotBeNull(column=name) for name in names]
    wanted += [
        e.ExpectColumnValuesToBeBetween(column=name, min_value=-1e6, max_value=1e6) for name in (*WHOLE, *NUMBERS)
    ]
    wanted += [
        e.ExpectColumnValuesToBeUnique(column="id"),
        e.ExpectColumnValuesToBeInSet(column="origin", value_set=["EWR", "JFK", "LGA"]),
        e.ExpectColumnValuesToBeInSet(column="carrier", value_set=["AA", "B6", "DL", "UA"]),
        e.ExpectColumnValuesToMatchRegex(column="tail", regex="^N[0-9]{5}$"),
        e.ExpectTableRowCountToBeBetween(min_value=1),
        e.ExpectColumnMeanToBeBetween(column="number0", min_value=90, max_value=110),
        e.ExpectColumnQuantileValuesToBeBetween(
            column="number1", quantile_ranges={"quantiles": [0.5], "value_ranges": [[90, 110]]}
        ),
        e.ExpectColumnValuesToBeOfType(column="late", type_="bool"),
        e.ExpectColumnMinToBeBetween(column="whole0", min_value=0),
        e.ExpectColumnValuesToBeInSet(column="late", value_set=[True, False]),
    ]
    assert len(wanted) == 45
    found = batch.validate(gx.ExpectationSuite(name="all", expectations=wanted))
    assert found.success, found
    end(start)


def profile() -> None:
    """A report with its overview, statistics and histograms; without what grows with the square of the columns."""
    from ydata_profiling import ProfileReport

    start = begin()
    report = ProfileReport(pd.read_parquet(FILE), minimal=True, progress_bar=False)
    report.get_description()
    end(start)


def begin() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def end(start: tuple[float, float]) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"\n{time.process_time() - start[0]:.3f} {time.perf_counter() - start[1]:.3f} {peak:.0f}\n")


{"gx": checks, "ydata": profile}[WHO]()
