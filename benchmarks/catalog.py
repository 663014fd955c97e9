"""The catalog: words looked for in 3,000 data sets of 20 columns, against the bare full-text table."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.pairs import Pair, compare
from flyball.data.dataset import Dataset
from flyball.data.snapshot import take_snapshot
from flyball.settings import load_settings
from flyball.workspace import Workspace

_SETS = 3_000
_KINDS = 20
_WORDS = ("flight", "delay", "weather", "gate", "crew", "fuel", "seat", "meal", "bag", "ticket")


def run() -> Iterator[Pair]:
    """A search by two words."""
    with tempfile.TemporaryDirectory(prefix="flyball-catalog-") as name:
        settings = load_settings({"workspace": name}, environment={}, start=Path(name))
        with Workspace(settings, durable=False) as here:
            texts = list(_fill(here, Path(name)))
            bare = sqlite3.connect(":memory:")
            bare.execute(
                "CREATE VIRTUAL TABLE things USING fts5(name, words, tokenize='unicode61 remove_diacritics 2')"
            )
            bare.executemany("INSERT INTO things VALUES (?, ?)", texts)

            def ours() -> None:
                assert len(here.catalog.search("weather del")) == 20

            def theirs() -> None:
                query = (
                    "SELECT name, bm25(things) FROM things WHERE things MATCH 'weather AND del*' ORDER BY 2 LIMIT 20"
                )
                assert len(bare.execute(query).fetchall()) == 20

            yield compare(f"two words among {_SETS:,} data sets", ours, theirs, against="bare FTS5 in memory")
            bare.close()


def _fill(here: Workspace, folder: Path) -> Iterator[tuple[str, str]]:
    for number in range(_SETS):
        words = [_WORDS[(number + step * step) % len(_WORDS)] for step in range(4)]
        name = f"{words[0]}-{number}"
        here.data.declare(Dataset(name=name, source=f"{name}.parquet", description=" ".join(words)))
        if number < _KINDS:
            table = pa.table({f"{word}_{n}": [n] for n, word in enumerate(_WORDS * 2)})
            take_snapshot(here.data, here.blobs, name, table, root=folder)
        yield name, " ".join(words)
