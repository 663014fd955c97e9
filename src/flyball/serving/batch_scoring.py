"""Scores whole files: piece by piece, in several processes, going on where a run that was cut off left."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, WorkFailed
from flyball.models.package import LoadedModel, ModelPackage, load_model
from flyball.serialization import canonical_json, digest
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 65_536
"""Rows that are scored at once, and are lost at most when a run is cut off, for each process."""

_loaded: list[LoadedModel] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchScore:
    """What came of a run.

    Attributes:
        rows: Of the whole output.
        resumed: Those of them that a former run had scored.
    """

    rows: int
    resumed: int


def parquet_files(source: Path) -> list[Path]:
    """The Parquet files at a path: one, or those of a folder; empty where there is something else."""
    if source.is_dir():
        found = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
        return found if all(path.suffix == ".parquet" for path in found) else []
    return [source] if source.suffix == ".parquet" and source.is_file() else []


def stream_parquet(files: Sequence[Path], columns: Sequence[str]) -> tuple[Iterator[pa.Table], int]:
    """The rows of Parquet files in pieces, only the columns that there are of those named; and the number of all rows.

    Raises:
        InvalidInput: a file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def pieces() -> Iterator[pa.Table]:
        for path in files:
            with pq.ParquetFile(path) as file:
                wanted = [name for name in file.schema_arrow.names if name in columns]
                for batch in file.iter_batches(PIECE, columns=wanted):
                    yield pa.Table.from_batches([batch])

    try:
        count = sum(pq.read_metadata(path).num_rows for path in files)
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInput(f"The input is no Parquet: {error}.") from error
    return pieces(), count


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table in pieces."""
    for start in range(0, table.num_rows, PIECE):
        yield table.slice(start, PIECE)


def score_to_file(
    package: ModelPackage,
    blobs: Blobs,
    pieces: Iterator[pa.Table],
    target: Path,
    *,
    keep: Sequence[str] = (),
    source: str,
    workers: int = 1,
    tell: Callable[[int], None] = lambda _: None,
) -> BatchScore:
    """Scores pieces of a table into a Parquet or CSV file, which is there only when it is whole.

    What is scored stands beside the target until then; the same call after one that was cut off goes on from there.

    Args:
        keep: Columns of the input that stand before the predictions.
        source: What tells this input from another: what was kept of another is thrown away.
        workers: Processes that score.
        tell: Called with the number of rows that are done.

    Raises:
        InvalidInput: the target is no name for predictions, or rows do not fit the model.
        WorkFailed: a process ended, as it does where memory is short.
    """
    if target.suffix not in (".parquet", ".csv"):
        raise InvalidInput(f"'{target}' is no name for predictions.", hint="Give a .parquet or .csv file.")
    parts = _begin(target, digest(canonical_json([package.id, list(keep), source, PIECE])))
    with contextlib.ExitStack() as stack:
        score = stack.enter_context(_scorers(package, blobs, workers))
        resumed, done, waiting, count = 0, 0, set[Future[int]](), 0
        for place, piece in enumerate(pieces):
            count = place + 1
            part = parts / f"{place:08d}.parquet"
            if part.exists():
                resumed += piece.num_rows
                done += piece.num_rows
            else:
                waiting.add(score(piece, part, tuple(keep)))
            # Two pieces for each process: one that it works on, one that it finds when it is done.
            if len(waiting) >= 2 * workers:
                done, waiting = _settle(waiting, done, FIRST_COMPLETED)
            tell(done)
        done, _ = _settle(waiting, done, "ALL_COMPLETED")
        tell(done)
        if not count:
            score(_no_rows(package), parts / "00000000.parquet", ()).result()
            count = 1
    _join([parts / f"{place:08d}.parquet" for place in range(count)], target)
    shutil.rmtree(parts)
    return BatchScore(rows=done, resumed=resumed)


def _begin(target: Path, plan: str) -> Path:
    """The folder of finished parts; emptied if they are of another run."""
    parts = target.with_name(f"{target.name}.parts")
    mark = parts / "plan"
    if not mark.exists() or mark.read_text(encoding="utf-8") != plan:
        shutil.rmtree(parts, ignore_errors=True)
        try:
            parts.mkdir()
        except OSError as error:
            raise InvalidInput(f"'{target}' cannot be written: {error.strerror}.") from error
        mark.write_text(plan, encoding="utf-8")
    return parts


def _settle(waiting: set[Future[int]], done: int, until: Any) -> tuple[int, set[Future[int]]]:
    finished, left = wait(waiting, return_when=until)
    try:
        return done + sum(each.result() for each in finished), set(left)
    except BrokenProcessPool as error:
        raise WorkFailed(
            "A process that scored has ended.", hint="Run it again to go on; use fewer --workers if memory is short."
        ) from error


@contextlib.contextmanager
def _scorers(
    package: ModelPackage, blobs: Blobs, workers: int
) -> Iterator[Callable[[pa.Table, Path, tuple[str, ...]], Future[int]]]:
    if workers <= 1:
        model = load_model(package, blobs)

        def here(piece: pa.Table, part: Path, keep: tuple[str, ...]) -> Future[int]:
            future: Future[int] = Future()
            future.set_result(_score(model, piece, part, keep))
            return future

        yield here
        return
    with tempfile.TemporaryDirectory(prefix="flyball-scoring-") as folder:
        own = Blobs(LocalObjects(Path(folder), durable=False))
        for blob in {*package.files.values(), *filter(None, [package.input_example])}:
            own.put(blobs.get(blob))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_load, initargs=(package, folder)) as pool:

            def elsewhere(piece: pa.Table, part: Path, keep: tuple[str, ...]) -> Future[int]:
                return pool.submit(_score_in_process, _packed(piece), str(part), keep)

            yield elsewhere


def _load(package: ModelPackage, folder: str) -> None:
    # As many processes as there are processors: threads of each beside them would only be in the way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _loaded.append(load_model(package, Blobs(LocalObjects(Path(folder))), threads=1))


def _score_in_process(packed: bytes, part: str, keep: tuple[str, ...]) -> int:
    import pyarrow as pa

    with pa.ipc.open_stream(packed) as reader:
        return _score(_loaded[0], reader.read_all(), Path(part), keep)


def _score(model: LoadedModel, piece: pa.Table, part: Path, keep: tuple[str, ...]) -> int:
    import pyarrow.parquet as pq

    scored = model.predict(piece)
    for place, name in enumerate(keep):
        scored = scored.add_column(place, name, piece[name])
    fresh = part.with_suffix(".part")
    pq.write_table(scored, fresh)
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())
    fresh.replace(part)
    return int(piece.num_rows)


def _packed(piece: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema) as writer:
        writer.write_table(piece)
    return bytes(sink.getvalue().to_pybytes())


def _no_rows(package: ModelPackage) -> pa.Table:
    return package.signature.inputs.to_arrow().empty_table()


def _join(parts: Sequence[Path], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    fresh = target.with_name(target.name + ".part")
    schema = pa.unify_schemas([pq.read_schema(part) for part in parts], promote_options="permissive")
    opened = pq.ParquetWriter(fresh, schema) if target.suffix == ".parquet" else csv.CSVWriter(fresh, schema)
    with opened as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).cast(schema))
    fresh.replace(target)
