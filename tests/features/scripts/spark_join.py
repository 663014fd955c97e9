"""Runs queries in a Spark session: tables (Parquet) and queries by name come from standard input, rows go to standard output."""

import json
import sys

from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # it stands in an environment of its own

asked = json.load(sys.stdin)
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    # For a few rows, compiling costs far more than it brings.
    .config("spark.sql.codegen.wholeStage", "false")
    .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    .config("spark.sql.adaptive.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
for name, path in asked["tables"].items():
    spark.read.parquet(path).createOrReplaceTempView(name)
answers = {}
for name, query in asked["queries"].items():
    frame = spark.sql(query)
    answers[name] = {"columns": frame.columns, "rows": [list(row) for row in frame.collect()]}
spark.stop()
print(json.dumps(answers, default=str))
