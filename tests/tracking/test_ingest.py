from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest
import sqlalchemy as sa

from flyball.clock import FixedClock
from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound, Overloaded
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.experiments import Experiments
from flyball.tracking.ingest import Batch, Ingest, artifact_batch
from flyball.tracking.nouns import Artifact
from flyball.tracking.runs import Run, Series, Tracking
from flyball.workspace import Workspace

T0 = 1_700_000_000_000_000

WRITER = """
import sys
from flyball.clock import SystemClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.tracking.ingest import Batch, Ingest, artifact_batch

url, run, key, count = sys.argv[1:]
database = Database(url)
ingest = Ingest(database, EventLog(database, SystemClock()), SystemClock())
for step in range(int(count)):
    ingest.submit(Batch(run=run, points=[(key, 0.5, step, step), ("shared", 0.5, step, step)], tags={key: str(step)})).result()
    print(step, flush=True)
ingest.close()
"""


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def run(tracking: Tracking) -> Run:
    return tracking.create_run("churn")


@pytest.fixture
def ingest(database: Database, events: EventLog, clock: FixedClock) -> Iterator[Ingest]:
    made = Ingest(database, events, clock)
    yield made
    made.close()


def batch(run: Run | str, *steps: int, key: str = "loss", **others: Any) -> Batch:
    points = [(key, step / 10, step, T0 + step) for step in steps]
    return Batch(run=run if isinstance(run, str) else run.id, points=points, **others)  # type: ignore[arg-type]  # ints


def errors_of(futures: list[Future[None]]) -> list[type[BaseException] | None]:
    wait(futures, timeout=30)
    return [type(error) if (error := future.exception()) is not None else None for future in futures]


def test_a_batch_is_kept_once_it_is_acknowledged(tracking: Tracking, ingest: Ingest, run: Run) -> None:
    series = [Series(key="rate", steps=[0, 1], times=[T0, T0 + 1], values=[0.1, None])]
    ingest.submit(batch(run, 1, 2, params={"p": 1}, tags={"t": "x"}, series=series)).result(30)
    found = tracking.get_run(run.id)
    assert (found.params, found.tags, found.metrics) == ({"p": 1}, {"t": "x"}, {"loss": 0.2, "rate": None})
    assert [point.step for point in tracking.metric_history(run.id, "loss")] == [1, 2]


def test_a_batch_is_awaited(tracking: Tracking, ingest: Ingest, run: Run) -> None:
    async def write() -> None:
        await asyncio.gather(*(ingest.write(batch(run, step)) for step in range(50)))
        with pytest.raises(NotFound):
            await ingest.write(batch("nope", 1))

    asyncio.run(write())
    assert len(tracking.metric_history(run.id, "loss")) == 50


def test_one_wakes_up_once_a_group(database: Database, ingest: Ingest, run: Run) -> None:
    async def write() -> int:
        loop, calls = asyncio.get_running_loop(), 0
        real = loop.call_soon_threadsafe

        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            return real(*arguments, **named)

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]  # it counts the calls
        with database.transaction():  # the writer waits, so that all others gather
            tasks = [asyncio.ensure_future(ingest.write(batch(run, step))) for step in range(100)]
            await asyncio.sleep(0.05)
        await asyncio.gather(*tasks)
        return calls

    assert asyncio.run(write()) <= (3 if database.dialect.name == "sqlite" else 100)


def test_a_wrong_batch_fails_alone(tracking: Tracking, ingest: Ingest, database: Database, run: Run) -> None:
    trashed = tracking.create_run("churn")
    tracking.finish_run(trashed.id)
    tracking.delete_run(trashed.id)
    wrong_series = Series(key="k", steps=[1], times=[], values=[])
    with database.transaction():
        futures = [
            ingest.submit(one)
            for one in (
                batch(run, 0),
                batch("nope", 1),
                batch(run, 2, params={"p": 1}),
                batch(trashed, 3),
                batch(run, 4, params={"p": 2}, tags={"never": "written"}),
                batch(run, 2**63),
                batch(run, 5, tags={"": "x"}),
                Batch(run=run.id, series=[wrong_series]),
                batch(run, 6, tags={"t": "x"}),
                batch(run, 7, params={"q": 1, "p": 1}),
            )
        ]
    refused = [NotFound, NotFound, Conflict, InvalidInput, InvalidInput, InvalidInput]
    assert [error for error in errors_of(futures) if error] == refused
    assert [future.exception() is None for future in futures] == [
        True, False, True, False, False, False, False, False, True, True,
    ]  # fmt: skip
    found = tracking.get_run(run.id)
    assert (found.params, found.tags) == ({"p": 1, "q": 1}, {"t": "x"})
    assert [point.step for point in tracking.metric_history(run.id, "loss")] == [0, 2, 6, 7]


def test_the_last_tag_of_a_group_stays(tracking: Tracking, ingest: Ingest, run: Run) -> None:
    futures = [ingest.submit(batch(run, tags={"t": str(place)})) for place in range(200)]
    wait(futures)
    assert tracking.get_run(run.id).tags == {"t": "199"}


def test_a_group_that_cannot_be_written_is_written_one_by_one(
    tracking: Tracking, ingest: Ingest, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ingest._writer
    real = writer.write

    def fragile(connection: sa.Connection, batches: Any) -> list[FlyballError | None]:
        if any(one.tags.get("broken") for one in batches):
            raise RuntimeError("no")
        return real(connection, batches)

    monkeypatch.setattr(writer, "write", fragile)
    futures = [
        ingest.submit(batch(run, 1)),
        ingest.submit(batch(run, tags={"broken": "1"})),
        ingest.submit(batch(run, 2)),
    ]
    assert errors_of(futures) == [None, RuntimeError, None]
    assert len(tracking.metric_history(run.id, "loss")) == 2


def test_too_much_at_once_is_refused(database: Database, events: EventLog, clock: FixedClock, run: Run) -> None:
    small = Ingest(database, events, clock, most_waiting=10)
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE runs SET name = 'held'"))
        while small.waiting < 10:
            small.submit(batch(run, 1))
        with pytest.raises(Overloaded):
            small.submit(batch(run, 1))
    small.close()


def test_too_many_points_at_once_are_refused(
    ingest: Ingest, database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.tracking.ingest.MOST_POINTS_WAITING", 1000)
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE runs SET name = 'held'"))
        kept = [ingest.submit(batch(run, 1))]
        while ingest.waiting:  # until the writer has it in hand
            threading.Event().wait(0.01)
        kept += [ingest.submit(batch(run, *range(start, start + 400))) for start in (800, 1200)]
        with pytest.raises(Overloaded, match="points wait"):
            ingest.submit(batch(run, *range(400)))
    assert set(errors_of(kept)) == {None}
    assert errors_of([ingest.submit(batch(run, *range(900)))]) == [None]


@pytest.mark.postgres
def test_a_cut_connection_is_made_again(postgres_tables_url: str, clock: FixedClock) -> None:
    database = Database(postgres_tables_url)
    events = EventLog(database, clock)
    run = Tracking(database, None, events, clock).create_run("churn")  # type: ignore[arg-type]  # no bytes here
    ingest = Ingest(database, events, clock)
    for step in range(3):
        ingest.submit(batch(run, step)).result(30)
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        database.row(sa.text(f"{others} AND datname = current_database()"))
    ingest.submit(batch(run, 3)).result(30)
    ingest.close()
    assert len(Tracking(database, None, events, clock).metric_history(run.id, "loss")) == 4  # type: ignore[arg-type]  # no bytes here
    database.close()


def test_closing_writes_what_waits(tracking: Tracking, ingest: Ingest, run: Run) -> None:
    futures = [ingest.submit(batch(run, step)) for step in range(500)]
    ingest.close()
    assert all(future.done() for future in futures)
    assert len(tracking.metric_history(run.id, "loss")) == 500
    with pytest.raises(Conflict, match="closed"):
        ingest.submit(batch(run, 1))


def test_many_threads_write_at_once(tracking: Tracking, ingest: Ingest) -> None:
    runs = [tracking.create_run("churn") for _ in range(8)]

    def write(run: Run) -> None:
        for step in range(50):
            ingest.submit(batch(run, step)).result(30)

    threads = [threading.Thread(target=write, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(tracking.metric_history(run.id, "loss")) for run in runs] == [50] * 8


def test_a_lost_run_that_writes_is_running(tracking: Tracking, ingest: Ingest, events: EventLog, run: Run) -> None:
    tracking.mark_lost(older_than_seconds=-60)
    ingest.submit(batch(run, 1)).result(30)
    assert tracking.get_run(run.id).state == "running"
    assert events.list(subject=f"runs:/{run.id}")[-1].kind == "tracking.run_found"


def test_a_run_made_after_it_was_missed_is_found(tracking: Tracking, ingest: Ingest) -> None:
    assert errors_of([ingest.submit(batch("r1", 1))]) == [NotFound]
    tracking.create_run("churn", id="r1")
    assert errors_of([ingest.submit(batch("r1", 1))]) == [None]


def test_two_processes_write_to_one_run(database_url: str, tracking: Tracking, run: Run) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), database_url, run.id]
    writers = [
        subprocess.Popen([*command, key, "100"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for key in ("a", "b")
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    assert [len(tracking.metric_history(run.id, key)) for key in ("a", "b", "shared")] == [100, 100, 100]
    assert tracking.get_run(run.id).tags == {"a": "99", "b": "99"}


def test_what_was_acknowledged_outlives_the_writer(database_url: str, tracking: Tracking, run: Run) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), database_url, run.id, "loss", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(30)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split()]
    kept = {point.step for point in tracking.metric_history(run.id, "loss", limit=100_000)}
    assert set(acknowledged) <= kept


def test_rows_become_chunks_when_nobody_waits(tracking: Tracking, ingest: Ingest, database: Database, run: Run) -> None:
    for start in range(0, 3000, 60):
        ingest.submit(batch(run, *range(start, start + 60))).result(30)
    deadline = threading.Event()
    for _ in range(100):
        if database.row(sa.text("SELECT count(*) FROM metric_points"))[0] < 2048:  # type: ignore[index]  # there is a row
            break
        deadline.wait(0.1)
    assert database.row(sa.text("SELECT sum(count) FROM metric_chunks"))[0] >= 2048  # type: ignore[index]  # there is a row
    assert [point.step for point in tracking.metric_history(run.id, "loss", limit=10_000)] == list(range(3000))


def test_a_workspace_closes_its_ingest(workspace: Workspace) -> None:
    run = workspace.tracking.create_run("churn")
    future = workspace.ingest.submit(batch(run, 1))
    workspace.close()
    assert future.done()


def test_no_experiment_is_made_by_writing(ingest: Ingest, database: Database, blobs: Blobs, events: EventLog) -> None:
    errors_of([ingest.submit(batch("nope", 1))])
    assert [found.name for found in Experiments(database, blobs, events, FixedClock()).list()] == ["Default"]


def file(run: Run, name: str, mark: str = "a") -> Batch:
    return artifact_batch(Artifact(run=run.id, name=name, digest=mark * 64, size=3, kind="file", created=run.started))


def test_artifacts_are_noted_together_and_the_last_of_a_name_stays(
    ingest: Ingest, tracking: Tracking, run: Run
) -> None:
    wait([ingest.submit(file(run, f"plots/{place}.png")) for place in range(50)])
    ingest.submit(file(run, "plots/7.png", "b")).result()

    found = {one.name: one.digest for one in tracking.list_artifacts(run.id)}
    assert found == {f"plots/{place}.png": ("b" if place == 7 else "a") * 64 for place in range(50)}


def test_two_artifacts_of_one_name_in_one_batch_are_kept_once(ingest: Ingest, tracking: Tracking, run: Run) -> None:
    rows = [*file(run, "a.bin").artifacts, *file(run, "a.bin", "b").artifacts]
    ingest.submit(Batch(run=run.id, artifacts=rows)).result()

    assert [one.digest for one in tracking.list_artifacts(run.id)] == ["b" * 64]


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("a", "a/b/c")])
@pytest.mark.parametrize("at_once", [True, False])
def test_no_name_is_a_file_and_a_folder(
    ingest: Ingest, tracking: Tracking, run: Run, first: str, second: str, at_once: bool
) -> None:
    kept = ingest.submit(file(run, first))
    if not at_once:
        kept.result()
    refused = ingest.submit(file(run, second))

    with pytest.raises(Conflict, match=r"There is a (file|folder) 'a(/b)?' already"):
        refused.result()
    assert [one.name for one in tracking.list_artifacts(run.id)] == [first]


def test_names_beside_a_folder_are_no_part_of_it(ingest: Ingest, tracking: Tracking, run: Run) -> None:
    for name in ("a/b", "a-b", "a.b", "a0", "aB"):
        ingest.submit(file(run, name)).result()

    assert len(tracking.list_artifacts(run.id)) == 5
