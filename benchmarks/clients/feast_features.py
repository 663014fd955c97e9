"""Feast's side of `benchmarks/features.py`; runs in Feast's own environment, in a folder that holds the data.

`join ROWS`: CPU seconds of a historical join. `online`: materialises, then CPU microseconds of reading one key and a hundred.
`apply`: only makes the repository, for its server.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

VIEWS = [f"v{n}" for n in range(3)]
CONFIG = """
project: bench
registry: registry.db
provider: local
offline_store: {type: duckdb}
online_store: {type: sqlite, path: online.db}
entity_key_serialization_version: 3
"""


def store() -> FeatureStore:
    Path("feature_store.yaml").write_text(CONFIG)
    made = FeatureStore(repo_path=".")
    user = Entity(name="user", join_keys=["user"], value_type=ValueType.INT64)
    views = []
    for name in VIEWS:
        source = FileSource(name=f"{name}_source", path=str(Path(f"{name}.parquet").resolve()), timestamp_field="at")
        fields = [Field(name=f"{name}_{n}", dtype=Float64) for n in range(5)]
        views.append(FeatureView(name=name, entities=[user], ttl=timedelta(days=60), schema=fields, source=source))
    made.apply([user, *views])
    return made


def main() -> None:
    made = store()
    features = [f"{name}:{name}_{n}" for name in VIEWS for n in range(5)]
    if sys.argv[1] == "join":
        rows = pd.read_parquet("rows.parquet").rename(columns={"at": "event_timestamp"})
        start = time.process_time(), time.perf_counter()
        joined = made.get_historical_features(entity_df=rows, features=features).to_arrow()
        print(time.process_time() - start[0], time.perf_counter() - start[1], joined.num_rows)
        return
    made.materialize(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
    if sys.argv[1] == "apply":
        return
    for size, count in ((1, 100), (100, 10)):
        asked = [[{"user": (n * size + k) * 7 % 10_000} for k in range(size)] for n in range(count)]
        made.get_online_features(features=features, entity_rows=asked[0]).to_dict()
        start = time.process_time()
        for entities in asked:
            made.get_online_features(features=features, entity_rows=entities).to_dict()
        print((time.process_time() - start) / count)


main()
