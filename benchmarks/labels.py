"""Labels: things of a long queue handed out and labelled one by one, against the bare statements; agreement against statsmodels."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks.pairs import Pair, compare
from flyball.labels.task import LabelSet, NewItem, NewLabel
from flyball.settings import load_settings
from flyball.workspace import Workspace

_ITEMS = 100_000
_TURNS = 100
_AT_ONCE = 10_000
_JUDGED = 20_000
_CLASSES = ("cat", "dog", "fox")


def run() -> Iterator[Pair]:
    """A turn of an annotator, and the agreement of three."""
    with tempfile.TemporaryDirectory(prefix="flyball-labels-") as name:
        settings = load_settings({"workspace": name}, environment={}, start=Path(name))
        with Workspace(settings, durable=False) as here:
            _fill(here, "pets", _ITEMS)
            yield _turns(here, Path(name))
            _fill(here, "judged", _JUDGED)
            yield _agreement(here)


def _fill(here: Workspace, name: str, items: int) -> None:
    here.labels.declare(LabelSet(name=name, task="classify", classes=_CLASSES, overlap=3))
    chance = random.Random(1)
    for start in range(0, items, _AT_ONCE):
        made = [
            NewItem(key=f"{place}", data={"text": f"thing {place}"}, priority=chance.random())
            for place in range(start, min(start + _AT_ONCE, items))
        ]
        here.labels.add_items(name, made)


def _turns(here: Workspace, folder: Path) -> Pair:
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=OFF")
    bare.execute("CREATE TABLE items (number INTEGER PRIMARY KEY, data TEXT, priority REAL, open INTEGER)")
    bare.execute("CREATE TABLE labels (number INTEGER PRIMARY KEY, item INTEGER, who TEXT, value TEXT)")
    bare.execute("CREATE INDEX queue ON items (open, priority DESC, number)")
    chance = random.Random(1)
    rows = [(f'{{"text": "thing {place}"}}', chance.random()) for place in range(_ITEMS)]
    bare.executemany("INSERT INTO items (data, priority, open) VALUES (?, ?, 1)", rows)
    people = count()

    def ours() -> None:
        who = f"annotator {next(people)}"
        for _ in range(_TURNS):
            (item,) = here.labels.next("pets", who)
            here.labels.label("pets", item.key, "cat", who)

    def theirs() -> None:
        for _ in range(_TURNS):
            bare.execute("BEGIN IMMEDIATE")
            query = "SELECT number, data FROM items WHERE open = 1 ORDER BY priority DESC, number LIMIT 1"
            number = bare.execute(query).fetchone()[0]
            bare.execute("UPDATE items SET open = 2 WHERE number = ?", (number,))
            bare.execute("COMMIT")
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO labels (item, who, value) VALUES (?, 'me', '\"cat\"')", (number,))
            bare.execute("UPDATE items SET open = 0 WHERE number = ?", (number,))
            bare.execute("COMMIT")

    pair = compare(
        f"{_TURNS} of {_ITEMS:,} things handed out and labelled", ours, theirs, against="bare SQLite", rounds=5
    )
    bare.close()
    return pair


def _agreement(here: Workspace) -> Pair:
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    chance = random.Random(2)
    said = [[chance.choice(_CLASSES) for _ in range(3)] for _ in range(_JUDGED)]
    for who in range(3):
        for start in range(0, _JUDGED, _AT_ONCE):
            here.labels.add_labels(
                "judged",
                [
                    NewLabel(item=f"{place}", value=said[place][who], annotator=f"annotator {who}")
                    for place in range(start, min(start + _AT_ONCE, _JUDGED))
                ],
            )
    found: dict[str, float] = {}

    def ours() -> None:
        found["ours"] = here.labels.agreement("judged").fleiss or 0.0

    def theirs() -> None:
        found["theirs"] = fleiss_kappa(aggregate_raters(said)[0])

    pair = compare(
        f"agreement of 3 annotators on {_JUDGED:,} things, read from the database", ours, theirs,
        against="statsmodels on rows in memory", rounds=3,
    )  # fmt: skip
    assert abs(found["ours"] - found["theirs"]) < 1e-9, found
    return pair
