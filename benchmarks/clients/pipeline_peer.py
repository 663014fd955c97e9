"""Runs a pipeline of so many small steps, each on what the one before gave. Arguments: the library, how many, a folder."""

import os
import sys
from pathlib import Path

library, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def prefect():
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "180"
    from prefect import flow, task

    @task
    def add(value: int) -> int:
        return value + 1

    @flow
    def whole() -> int:
        value = 0
        for _ in range(count):
            value = add(value)
        return value

    assert whole() == count


def dagster():
    os.environ["DAGSTER_HOME"] = str(folder)
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    from dagster import DagsterInstance, job, op

    @op
    def begin() -> int:
        return 0

    @op
    def add(value: int) -> int:
        return value + 1

    @job
    def whole():
        value = begin()
        for _ in range(count):
            value = add(value)

    assert whole.execute_in_process(instance=DagsterInstance.get()).success


def zenml():
    os.environ["ZENML_CONFIG_PATH"] = str(folder / "zenml")
    os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
    os.environ["ZENML_LOGGING_VERBOSITY"] = "ERROR"
    from zenml import pipeline, step

    @step(enable_cache=False)
    def begin() -> int:
        return 0

    @step(enable_cache=False)
    def add(value: int) -> int:
        return value + 1

    @pipeline(enable_cache=False)
    def whole():
        value = begin()
        for _ in range(count):
            value = add(value)

    whole()


{"prefect": prefect, "dagster": dagster, "zenml": zenml}[library]()
