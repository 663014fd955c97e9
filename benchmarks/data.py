"""Versions of data: against DVC, `cp`, plain Parquet and bare DuckDB. Run as `python -m benchmarks data`; it takes some minutes.

Both sides are processes of their own where a command is compared, and start with empty stores in every round. What is compared
of a second version is its new bytes: the ratio is new bytes / bytes of the frame, and the times beside it are those of taking it
and of writing the frame as plain Parquet.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.pairs import Pair, middle, timed
from benchmarks.peers import peer_or_none
from flyball.settings import load_settings
from flyball.workspace import Workspace

_FILES = 20_000
_LARGE, _LARGE_FILES = 2 << 30, 8
_ROWS, _FLOATS = 1_000_000, 14
_DIFF_ROWS = 2_000_000
_ROUNDS = 3


def run() -> list[Pair]:
    """All pairs."""
    with tempfile.TemporaryDirectory(prefix="flyball-data-", dir=Path.cwd()) as name:
        folder = Path(name)
        return [*_small_files(folder), *_large_files(folder), *_second_versions(folder), _row_diff(folder)]


def _small_files(folder: Path) -> Iterator[Pair]:
    files = folder / "small"
    source = os.urandom(4 << 20)
    for number in range(_FILES):
        place = files / f"{number % 100:02}"
        place.mkdir(parents=True, exist_ok=True)
        start = number * 97 % (3 << 20)
        (place / f"{number}.bin").write_bytes(source[start : start + 500 + number % 4000] + str(number).encode())
    time.sleep(0.2)  # what was written this moment is not trusted by either
    ours = _Ours(folder / "ours-small", files)
    copies = folder / "copies"
    copy = _process(["cp", "-r", str(files), str(copies)], folder)
    yield _compare(
        f"{_FILES:,} files added", ours.add, copy, "cp -r", 1.0, before=(ours.empty, partial(_remove, copies))
    )
    dvc = peer_or_none("dvc")
    if dvc is None:
        return
    theirs = _Dvc(dvc, folder / "dvc", files)
    yield _compare(
        f"{_FILES:,} files added", ours.add, theirs.add, "dvc add", 0.15,
        before=(ours.empty, theirs.empty), rounds=2,
    )  # fmt: skip
    yield _compare(f"{_FILES:,} files, nothing changed", ours.status, theirs.status, "dvc status", 0.35)
    with _workspace(folder / "ours-small") as here:
        from flyball.data.status import source_status

        def look() -> None:
            source_status(here.data, here.blobs, "files", str(files), root=folder, cache=here.cache)

        yield _compare(
            f"{_FILES:,} files, nothing changed, in a running process", look, theirs.status, "dvc status", 0.1
        )


def _large_files(folder: Path) -> Iterator[Pair]:
    files = folder / "large"
    files.mkdir()
    for number in range(_LARGE_FILES):
        with (files / f"{number}.bin").open("wb") as file:
            for _ in range(_LARGE // _LARGE_FILES >> 24):
                file.write(os.urandom(1 << 24))
    ours = _Ours(folder / "ours-large", files)
    copies = folder / "copies"
    copy = _process(["cp", "-r", str(files), str(copies)], folder)
    yield _compare(
        f"{_LARGE >> 30} GiB in {_LARGE_FILES} files added", ours.add, copy, "cp -r", 1.5,
        before=(ours.empty, partial(_remove, copies)),
    )  # fmt: skip
    for place in (files, copies, folder / "ours-large"):
        _remove(place)


def _second_versions(folder: Path) -> Iterator[Pair]:
    import pyarrow.parquet as pq

    from flyball.data.snapshot import take_snapshot

    first = _frame(_ROWS, seed=1)
    for name, edit in _edits().items():
        second = edit(first)
        place = folder / f"ours-{name}"
        with _workspace(place) as here:
            take_snapshot(here.data, here.blobs, "frame", first, root=place, cache=here.cache)
            size = _bytes(place / "objects")
            taken: list[Any] = []
            ours = timed(
                lambda here=here, second=second, place=place, taken=taken: taken.append(  # type: ignore[misc]  # bound now
                    take_snapshot(here.data, here.blobs, "frame", second, root=place, cache=here.cache)
                )
            )
            new = _bytes(place / "objects") - size
        theirs = timed(partial(pq.write_table, second, folder / "plain.parquet", compression="zstd"))
        yield Pair(
            name=f"new bytes of a second version: {name}", ours=ours, theirs=theirs, against="all of it as Parquet",
            ratio=new / taken[0].size, goal=0.12,
        )  # fmt: skip
        _remove(place)


def _row_diff(folder: Path) -> Pair:
    """The same join and the same counts of changed columns, by hand in DuckDB."""
    import duckdb
    import numpy as np
    import pyarrow as pa

    from flyball.data.diff import diff_snapshots
    from flyball.data.layout import KeptBytes
    from flyball.data.manifest import snapshot_files
    from flyball.data.snapshot import take_snapshot

    before = _frame(_DIFF_ROWS, seed=1)
    values = before["x3"].to_numpy().copy()
    values[::20] += 1
    after = before.set_column(before.column_names.index("x3"), "x3", pa.array(values)).slice(1000)
    place = folder / "ours-diff"
    with _workspace(place) as here:
        taken = [
            take_snapshot(here.data, here.blobs, name, of, root=place) for name, of in (("a", before), ("b", after))
        ]
        paths = [KeptBytes(here.blobs, one.layout).path(snapshot_files(here.blobs, one)[0].digest) for one in taken]
        rest = [name for name in before.column_names if name != "id"]
        hashed = f"hash({', '.join(rest)}) AS h"
        found: dict[str, Any] = {}

        def ours() -> None:
            found["ours"] = diff_snapshots(here.blobs, *taken, key="id", spread=False, examples=1).rows

        def theirs() -> None:
            with duckdb.connect() as connection:
                connection.execute(
                    f"CREATE TEMP TABLE d AS SELECT coalesce(a.id, b.id) AS id, a.h IS NOT NULL AND b.h IS NOT NULL AS c "
                    f"FROM (SELECT id, {hashed} FROM read_parquet('{paths[0]}')) b "
                    f"FULL JOIN (SELECT id, {hashed} FROM read_parquet('{paths[1]}')) a "
                    "ON a.id = b.id WHERE a.h IS DISTINCT FROM b.h"
                )
                counts = ", ".join(f"count(*) FILTER (a.{name} IS DISTINCT FROM b.{name})" for name in rest)
                for name, path in zip(("was", "now"), paths, strict=True):
                    connection.execute(
                        f"CREATE TEMP TABLE {name} AS SELECT * FROM read_parquet('{path}') SEMI JOIN (FROM d WHERE c) USING (id)"
                    )
                found["theirs"] = connection.execute(f"SELECT {counts} FROM was b JOIN now a ON a.id = b.id").fetchone()

        pair = _compare(
            f"row diff of {_DIFF_ROWS // 1_000_000}M x {len(rest) + 1} by key", ours, theirs, "bare DuckDB", 1.3
        )
        assert found["ours"].removed == 1000
        assert (
            found["ours"].columns
            == {"x3": max(found["theirs"])}
            == {"x3": int(np.sum(np.arange(1000, _DIFF_ROWS) % 20 == 0))}
        )
    return pair


def _frame(rows: int, *, seed: int) -> Any:
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {"id": np.arange(rows)}
    columns |= {f"x{number}": random.normal(size=rows) for number in range(_FLOATS)}
    columns |= {f"n{number}": random.integers(0, 1000, rows) for number in range(3)}
    columns["kind"] = random.integers(0, 20, rows).astype(str)
    columns["who"] = np.char.add("user-", random.integers(0, 1 << 40, rows).astype(str))
    return pa.table(columns)


def _edits() -> dict[str, Callable[[Any], Any]]:
    """What people do to a frame: 5 % each."""
    import numpy as np
    import pyarrow as pa

    more = _frame(_ROWS // 20, seed=2)
    more = more.set_column(0, "id", pa.array(np.arange(_ROWS, _ROWS + _ROWS // 20)))

    def update(table: Any) -> Any:
        for name in ("x0", "x1", "n0"):
            values = table[name].to_numpy().copy()
            values[_ROWS // 2 : _ROWS // 2 + _ROWS // 20] += 1
            table = table.set_column(table.column_names.index(name), name, pa.array(values))
        return table

    return {
        "update of 5 %": update,
        "append of 5 %": lambda table: pa.concat_tables([table, more]),
        "insert of 5 %": lambda table: pa.concat_tables([table.slice(0, _ROWS // 3), more, table.slice(_ROWS // 3)]),
        "column added": lambda table: table.append_column("new", pa.array(np.random.default_rng(3).normal(size=_ROWS))),
    }


class _Ours:
    """Flyball's commands on a folder of files."""

    def __init__(self, home: Path, files: Path) -> None:
        self._home = home
        home.mkdir()
        command = [sys.executable, "-m", "flyball.cli", "data"]
        self.add = _process([*command, "snapshot", "files", str(files), "--workspace", str(home)], home)
        self.status = _process([*command, "status", "files", str(files), "--workspace", str(home)], home)

    def empty(self) -> None:
        """Removes all that was kept; the tables stay, as does a repository of DVC."""
        _remove(self._home)
        with _workspace(self._home) as here:
            here.data.list()


class _Dvc:
    """DVC's commands on the same files, in a folder of its own."""

    def __init__(self, python: Path, home: Path, files: Path) -> None:
        self._python, self._home, self._files = python, home, files
        self._quiet = {"DVC_NO_ANALYTICS": "true"}
        self.add = _process([str(python), "-m", "dvc", "add", "-q", "files"], home, self._quiet)
        self.status = _process([str(python), "-m", "dvc", "status", "-q"], home, self._quiet)

    def empty(self) -> None:
        """Makes a new repository with a copy of the files, since DVC takes only what lies inside."""
        _remove(self._home)
        self._home.mkdir()
        _process([str(self._python), "-m", "dvc", "init", "-q", "--no-scm"], self._home, self._quiet)()
        subprocess.run(["cp", "-r", str(self._files), str(self._home / "files")], check=True)


def _compare(
    name: str, ours: Callable[[], Any], theirs: Callable[[], Any], against: str, goal: float,
    *, before: Sequence[Callable[[], None]] = (), rounds: int = _ROUNDS,
) -> Pair:  # fmt: skip
    """Times two callables in turn; what `before` does is not counted."""
    sys.stderr.write(f"  {name}, against {against}\n")
    taken = []
    for _ in range(rounds):
        for prepare in before:
            prepare()
        taken.append((timed(ours), timed(theirs)))
    return Pair(
        name=name, ours=middle([a for a, _ in taken]), theirs=middle([b for _, b in taken]), against=against,
        ratio=statistics.median(a.cpu / max(b.cpu, 1e-9) for a, b in taken), goal=goal,
    )  # fmt: skip


def _process(command: list[str], folder: Path, settings: dict[str, str] | None = None) -> Callable[[], None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")} | (
        settings or {}
    )

    def start() -> None:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command} failed: {done.stderr[-2000:]}")

    return start


@contextmanager
def _workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(load_settings({"workspace": str(home)}, environment={})) as here:
        yield here


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
