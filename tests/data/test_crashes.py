"""Taking snapshots is killed at any point, and done by several at once: nothing is half, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball.clock import FixedClock
from flyball.data.datasets import Data
from flyball.data.manifest import snapshot_files
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.verify import verify_snapshots
from flyball.data.versions import DataVersions
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

pytestmark = pytest.mark.slow

WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
import pyarrow.compute, pyarrow.parquet  # what is slow to import shall not be what is killed
from flyball.clock import SystemClock
from flyball.data.datasets import Data
from flyball.data.snapshot import take_snapshot
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

url, objects, root, name, kind, count = sys.argv[1:]
root = Path(root)
database = Database(url)
blobs = Blobs(LocalObjects(Path(objects), durable=False), root / "blobs")
data = Data(database, blobs, EventLog(database, SystemClock()), SystemClock())
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(count)):
    if kind == "folder":
        (root / "in").mkdir(exist_ok=True)
        for file in range(40):
            if file % 7 == number % 7 or not number:
                (root / "in" / f"{file}.txt").write_text(f"{name} {number} {file}" * 50)
        (root / "in" / "large.csv").write_text("".join(f"{line},{line * 7919 % 10007}\\n" for line in range(20_000 + number)))
        source = root / "in"
    else:
        source = pa.table({"a": list(range(number, 5_000)), "b": [name] * (5_000 - number)})
    take_snapshot(data, blobs, "x", source, root=root, cache=root / "cache")
    print(number, flush=True)
"""


def start(
    database: Database, store: LocalObjects, root: Path, name: str, kind: str, count: int
) -> subprocess.Popen[str]:
    root.mkdir(exist_ok=True)
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WRITER, url, str(store.folder), str(root), name, kind, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("kind", ["folder", "frame"])
def test_a_writer_that_is_killed_leaves_nothing_half(
    database: Database, data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path, kind: str
) -> None:
    for wait in (0.03, 0.1, 0.25):
        with start(database, store, tmp_path / "root", f"w{wait}", kind, 1000) as process:
            go(process)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        recorded = data.list_snapshots("x", limit=1000)
        assert verify_snapshots(blobs, recorded) == []
        assert all(len(snapshot_files(blobs, one)) == one.file_count for one in recorded)
    root = tmp_path / "root"
    if kind == "frame":
        assert all(load_snapshot(blobs, one).num_columns == 2 for one in recorded)
        return
    taken = take_snapshot(data, blobs, "x", root / "in", root=root, cache=root / "cache")
    again = take_snapshot(data, blobs, "y", root / "in", root=root)
    assert taken.id == again.id  # what was cached when it was killed was true


def test_two_writers_follow_each_other(
    database: Database,
    data: Data,
    blobs: Blobs,
    events: EventLog,
    clock: FixedClock,
    store: LocalObjects,
    tmp_path: Path,
) -> None:
    count = 4
    writers = [start(database, store, tmp_path / name, name, "frame", count) for name in ("one", "two")]
    for writer in writers:
        go(writer)
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    recorded = data.list_snapshots("x", limit=1000)
    assert len(recorded) == 2 * count
    assert verify_snapshots(blobs, recorded) == []
    moves = DataVersions(database, blobs, events, clock).history("x")[::-1]
    assert [move.previous for move in moves] == ["", *(move.snapshot for move in moves[:-1])]
    parents = {one.id: one.parent for one in recorded}
    assert all(parents[move.snapshot] == move.previous for move in moves)
    assert {one.id for one in recorded} == {move.snapshot for move in moves}
