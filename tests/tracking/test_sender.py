"""Sending: in order, in batches, again until it is taken, nothing lost and nothing doubled."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import Conflict, InvalidInput, ServerUnreachable
from flyball.storage.objects import Blobs
from flyball.tracking import records
from flyball.tracking.delivery import Delivery, deliver_leftover
from flyball.tracking.recorder import LiveRun, Recorder
from flyball.tracking.runs import Tracking
from flyball.tracking.spool import Header, Part, Spool, new_header, processes, take
from flyball.tracking.sync import sync
from flyball.workspace import Workspace


class Broken:
    """Services that answer only when they are well, and count what they are asked."""

    def __init__(self, workspace: Workspace) -> None:
        self.error: Exception | None = None
        self.after: Exception | None = None
        self.asked: list[str] = []
        self.blobs: Blobs = workspace.blobs
        self.registry = workspace.registry
        self._tracking = workspace.tracking

    @property
    def tracking(self) -> Tracking:
        return _Watched(self, self._tracking)  # type: ignore[return-value]  # it hands everything on


class _Watched:
    def __init__(self, around: Broken, tracking: Tracking) -> None:
        self._around = around
        self._tracking = tracking

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if self._around.error is not None:
                raise self._around.error
            self._around.asked.append(name)
            answer = getattr(self._tracking, name)(*given, **named)
            if self._around.after is not None:
                raise self._around.after
            return answer

        return call


@pytest.fixture
def services(workspace: Workspace) -> Broken:
    return Broken(workspace)


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    return workspace.settings.workspace / "spool"


@pytest.fixture
def recorder(services: Broken, folder: Path) -> Iterator[Recorder]:
    made = Recorder(folder, lambda: services)
    yield made
    services.error = services.after = None
    made.close(5)


def history(workspace: Workspace, run: str, key: str = "loss") -> list[tuple[int, float | None]]:
    return [(point.step, point.value) for point in workspace.tracking.metric_history(run, key, limit=100_000)]


def wait_for(fact: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


def test_all_that_is_logged_arrives(recorder: Recorder, workspace: Workspace) -> None:
    run = LiveRun(recorder, "prices", name="first", params={"depth": 3}, tags={"who": "Ada"}, user="ada")
    for number in range(2500):
        run.log(loss=float(number))
    run.log(params={"width": 7}, tags={"why": "trying"})
    run.log_text("went well", "notes/end.txt")
    run.log_notes("# Good")
    run.finish()
    found = workspace.tracking.get_run(run.id)
    assert (found.experiment, found.name, found.state, found.notes) == ("prices", "first", "finished", "# Good")
    assert found.params == {"depth": 3, "width": 7}
    assert found.tags == {"who": "Ada", "why": "trying"}
    assert history(workspace, run.id) == [(number, float(number)) for number in range(2500)]
    (artifact,) = workspace.tracking.list_artifacts(run.id)
    assert (artifact.name, workspace.blobs.get(artifact.digest)) == ("notes/end.txt", b"went well")


def test_nothing_is_left_on_the_disk_once_all_is_taken(recorder: Recorder, folder: Path) -> None:
    run = LiveRun(recorder, "prices")
    run.log_text("text", "a.txt")
    run.finish()
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_points_go_in_batches(recorder: Recorder, services: Broken) -> None:
    run = LiveRun(recorder, "prices")
    run.flush()
    for number in range(3000):
        run.log_metrics({"loss": 1.0 * number})
    run.finish()
    assert services.asked.count("append") <= 8


def test_times_are_those_of_the_calls(recorder: Recorder, workspace: Workspace) -> None:
    before = time.time()
    run = LiveRun(recorder, "prices")
    run.log(loss=1.0)
    between = time.time()
    time.sleep(0.4)
    run.finish()
    found = workspace.tracking.get_run(run.id)
    (point,) = workspace.tracking.metric_history(run.id, "loss")
    assert before - 0.001 <= found.started.timestamp() <= point.at.timestamp() <= between
    assert found.ended is not None
    assert found.ended.timestamp() > between


def test_undefined_values_are_kept_as_undefined(recorder: Recorder, workspace: Workspace) -> None:
    run = LiveRun(recorder, "prices")
    run.log(loss=float("nan"))
    run.log(loss=float("inf"))
    run.finish()
    assert history(workspace, run.id) == [(0, None), (1, None)]


def test_work_goes_on_while_nobody_answers(
    recorder: Recorder, services: Broken, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    services.error = ServerUnreachable("No server answers.")
    run = LiveRun(recorder, "prices")
    for number in range(100):
        run.log(loss=float(number))
    wait_for(lambda: recorder.sender.is_failing)
    time.sleep(0.7)
    assert sum("cannot be sent now" in record.message for record in caplog.records) == 1
    services.error = None
    assert run.flush(10)
    assert len(history(workspace, run.id)) == 100
    run.finish()


@pytest.mark.parametrize("error", [TimeoutError("cut"), OSError(28, "No space left on device"), RuntimeError("odd")])
def test_what_was_done_without_an_answer_is_not_doubled(
    recorder: Recorder, services: Broken, workspace: Workspace, error: Exception
) -> None:
    run = LiveRun(recorder, "prices", params={"depth": 3})
    run.flush()
    services.after = error
    for number in range(50):
        run.log(loss=float(number))
    wait_for(lambda: len(history(workspace, run.id)) == 50)
    services.after = None
    run.finish()
    assert len(history(workspace, run.id)) == 50
    assert workspace.tracking.get_run(run.id).attempt == 1


def test_what_the_disk_does_not_take_is_sent_from_memory_in_its_order(
    recorder: Recorder, services: Broken, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Part:
        raise OSError(28, "No space left on device")

    services.error = ServerUnreachable("No server answers.")
    with monkeypatch.context() as patched:
        patched.setattr(Part, "create", full)
        run = LiveRun(recorder, "prices")
        run.log(loss=0.0)
        wait_for(lambda: recorder.sender.is_failing and not recorder.spool.has_held)
    for number in range(1, 50):
        run.log(loss=float(number))
    services.error = None
    run.finish()
    assert history(workspace, run.id) == [(number, float(number)) for number in range(50)]


def test_a_flush_gives_up_in_time(recorder: Recorder, services: Broken) -> None:
    services.error = ServerUnreachable("No server answers.")
    run = LiveRun(recorder, "prices", flush=0.3)
    started = time.monotonic()
    run.finish()
    assert time.monotonic() - started < 3


def test_who_has_not_answered_for_long_is_not_waited_for_again(recorder: Recorder, services: Broken) -> None:
    services.error = ServerUnreachable("No server answers.")
    run = LiveRun(recorder, "prices")
    run.flush(0.2)
    started = time.monotonic()
    assert not run.flush(0.2)
    assert time.monotonic() - started < 2


def test_what_is_refused_is_told_and_kept_and_the_rest_arrives(
    recorder: Recorder, workspace: Workspace, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = LiveRun(recorder, "prices", params={"depth": 3})
    run.log(params={"depth": 4})
    run.log(loss=1.0)
    run.finish()
    assert "cannot become 4" in caplog.text
    assert history(workspace, run.id) == [(0, 1.0)]
    (process,) = processes(folder / "refused")
    kept = take(folder / "refused", process)
    if kept is None:  # it is closed with the sender
        recorder.close(5)
        kept = take(folder / "refused", process)
    assert kept is not None
    (record,) = kept.records()
    kind, code, message, payload = records.decode(record.payload)
    assert (kind, code) == (records.REFUSED, "conflict")
    assert "cannot become 4" in message
    assert records.decode(payload)[:3] == [records.LOG, run.id, {"depth": 4}]
    kept.close()


def test_a_file_that_is_refused_is_kept_until_it_is_taken(workspace: Workspace, folder: Path) -> None:
    recorder = Recorder(folder, lambda: workspace, offline=True)
    file, size = recorder.keep(b"bytes")
    recorder.append(records.artifact("unknown", "a.bin", "file", file, size))
    recorder.close()
    assert sync(workspace, folder).refused == 1
    workspace.tracking.create_run("prices", id="unknown")
    assert sync(workspace, folder, refused_too=True).refused == 0
    (artifact,) = workspace.tracking.list_artifacts("unknown")
    assert workspace.blobs.get(artifact.digest) == b"bytes"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_one_bad_point_does_not_take_the_others_with_it(workspace: Workspace, folder: Path) -> None:
    run = workspace.tracking.create_run("prices").id
    spool = Spool(folder, new_header())
    spool.append(records.points(run, 1, 0, {"loss": 1.0}))
    spool.append(records.points(run, 2, 1, {"": 2.0}))
    spool.append(records.points(run, 3, 2, {"loss": 3.0}))
    spool.append(b"no record")
    spool.append(records.encode((99, run)))
    spool.append(records.points(run, 4, 3, {"loss": 4.0}))
    delivery = Delivery(workspace, folder, "one")
    places = list(delivery.deliver(spool.read((0, 0), 100)))
    assert places[-1] == spool.end
    assert history(workspace, run) == [(0, 1.0), (2, 3.0), (3, 4.0)]
    assert delivery.refusals == 3
    delivery.close()
    spool.close()


def test_points_of_a_run_that_was_deleted_are_refused_and_others_are_not(workspace: Workspace, folder: Path) -> None:
    gone, there = workspace.tracking.create_run("prices").id, workspace.tracking.create_run("prices").id
    workspace.tracking.finish_run(gone)
    workspace.tracking.delete_run(gone)
    spool = Spool(folder, new_header())
    spool.append(records.points(gone, 1, 0, {"loss": 1.0}))
    spool.append(records.points(there, 1, 0, {"loss": 1.0}))
    delivery = Delivery(workspace, folder, "one", patience=0)
    assert list(delivery.deliver(spool.read((0, 0), 100))) == [spool.end]
    assert (delivery.refusals, history(workspace, there)) == (1, [(0, 1.0)])
    delivery.close()
    spool.close()


def test_a_run_is_said_to_be_alive(recorder: Recorder, services: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.tracking.sender.HEARTBEAT", 0.2)
    run = LiveRun(recorder, "prices")
    wait_for(lambda: services.asked.count("heartbeat") >= 3)
    run.finish()
    asked = services.asked.count("heartbeat")
    time.sleep(0.6)
    assert services.asked.count("heartbeat") == asked


def test_what_comes_after_the_end_is_sent_too(recorder: Recorder, workspace: Workspace) -> None:
    run = LiveRun(recorder, "prices")
    run.finish()
    time.sleep(0.3)
    run.log(loss=1.0)
    run.log_text("late", "late.txt")
    wait_for(lambda: history(workspace, run.id) and workspace.tracking.list_artifacts(run.id))
    assert workspace.tracking.get_run(run.id).state == "finished"


def test_a_run_learns_that_it_was_cancelled(
    recorder: Recorder, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flyball.tracking.sender.HEARTBEAT", 0.1)
    run = LiveRun(recorder, "prices")
    run.flush()
    workspace.tracking.finish_run(run.id, state="cancelled")
    wait_for(lambda: run.is_cancelled)
    run.log(loss=1.0)
    run.finish()
    assert workspace.tracking.get_run(run.id).state == "cancelled"
    assert history(workspace, run.id) == [(0, 1.0)]
    assert "was cancelled" in caplog.text


def leave(folder: Path, *payloads: bytes, header: Header | None = None) -> str:
    """What a process leaves that dies after these records."""
    spool = Spool(folder, header or new_header())
    for payload in payloads:
        spool.append(payload)
    spool.close()
    return spool.header.process


BEGUN = {"experiment": "prices", "started": 1_700_000_000_000_000}


def test_what_dead_processes_left_is_sent_by_the_next(recorder: Recorder, workspace: Workspace, folder: Path) -> None:
    leave(folder, records.create("dead", BEGUN, again=False), records.points("dead", 5, 0, {"loss": 0.5}))
    LiveRun(recorder, "prices").finish()
    wait_for(lambda: not processes(folder))
    assert history(workspace, "dead") == [(0, 0.5)]
    assert workspace.tracking.get_run("dead").state == "lost"


def test_a_run_whose_end_was_left_ends_as_it_did(workspace: Workspace, folder: Path) -> None:
    process = leave(
        folder,
        records.create("dead", BEGUN, again=False),
        records.finish("dead", "failed", "it was bad", 1_700_000_001_000_000),
    )
    leftover = take(folder, process)
    assert leftover is not None
    assert deliver_leftover(leftover, workspace, folder) == 0
    found = workspace.tracking.get_run("dead")
    assert found.ended is not None
    assert (found.state, found.error, found.ended.timestamp()) == ("failed", "it was bad", 1_700_000_001)


def test_a_run_of_which_only_the_middle_is_left_is_lost_too(workspace: Workspace, folder: Path) -> None:
    workspace.tracking.create_run("prices", id="dead")
    process = leave(folder, records.still_open(["dead"]), records.points("dead", 5, 0, {"loss": 0.5}))
    leftover = take(folder, process)
    assert leftover is not None
    deliver_leftover(leftover, workspace, folder)
    assert workspace.tracking.get_run("dead").state == "lost"


@pytest.mark.parametrize("header", [{"url": "http://elsewhere:1"}, {"offline": True}])
def test_what_goes_elsewhere_or_waits_for_sync_is_left_alone(
    recorder: Recorder, folder: Path, header: dict[str, Any]
) -> None:
    process = leave(folder, records.create("dead", BEGUN, again=False), header=Header(process="0dead", **header))
    run = LiveRun(recorder, "prices")
    run.finish()
    time.sleep(0.3)
    assert process in processes(folder)


def test_a_run_that_another_process_is_about_to_begin_is_waited_for(
    services: Broken, workspace: Workspace, folder: Path
) -> None:
    recorder = Recorder(folder, lambda: services)
    joined = LiveRun(recorder, "prices", id="shared", join=True)
    joined.log(loss=1.0)
    time.sleep(0.5)
    workspace.tracking.create_run("prices", id="shared")
    joined.finish()
    assert history(workspace, "shared") == [(0, 1.0)]
    assert workspace.tracking.get_run("shared").state == "running"
    recorder.close()


def test_a_call_of_another_rooms_verb_goes_in_order(recorder: Recorder, services: Broken) -> None:
    run = LiveRun(recorder, "prices")
    run.call("registry", "list_models", {})
    run.call("registry", "get_version", {"ref": "models:/none@champion"})
    run.finish()
    assert services.asked[0] == "create_run"


def test_copies_are_of_the_moment_of_the_call(recorder: Recorder, workspace: Workspace, tmp_path: Path) -> None:
    run = LiveRun(recorder, "prices", flush=10)
    path = tmp_path / "model.bin"
    path.write_bytes(b"first")
    run.log_artifact(path)
    with path.open("r+b") as file:  # into the same file, as training loops do
        file.write(b"later")
    run.finish()
    (artifact,) = workspace.tracking.list_artifacts(run.id)
    assert workspace.blobs.get(artifact.digest) == b"first"


def test_many_small_files_go_together(
    recorder: Recorder, services: Broken, workspace: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "many"
    source.mkdir()
    for number in range(60):
        (source / f"{number:02}.txt").write_text(str(number))
    (source / "30.txt").write_bytes(b"x" * 1_500_000)
    services.error = ServerUnreachable("not yet")
    run = LiveRun(recorder, "prices")
    run.log_artifacts(source, "many")
    run.log(loss=1.0)
    services.error = None
    run.finish()
    found = {one.name: workspace.blobs.get(one.digest) for one in workspace.tracking.list_artifacts(run.id, limit=1000)}
    assert found == {f"many/{path.name}": path.read_bytes() for path in source.glob("*.txt")}
    assert services.asked.count("log_artifacts") == 2
    assert services.asked.count("log_artifact") == 1


def test_one_bad_file_does_not_take_the_others_with_it(workspace: Workspace, folder: Path) -> None:
    services = Broken(workspace)
    recorder = Recorder(folder, lambda: services)
    services.error = ServerUnreachable("not yet")
    run = LiveRun(recorder, "prices")
    for name in ("a.txt", "b", "b/c.txt", "d.txt"):  # what is a file cannot be a folder
        run.keep_artifact(name.encode(), name, "file")
    services.error = None
    run.finish()
    recorder.close(5)
    assert [one.name for one in workspace.tracking.list_artifacts(run.id)] == ["a.txt", "b", "d.txt"]
    assert len(list((folder / "refused").iterdir())) == 1


def test_several_threads_log_to_one_run(recorder: Recorder, workspace: Workspace) -> None:
    run = LiveRun(recorder, "prices")

    def work() -> None:
        for _ in range(300):
            run.log(loss=0.5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    assert [step for step, _ in history(workspace, run.id)] == list(range(1200))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "low"}, "Metric 'loss' is 'low'"),
        ({"": 1.0}, "cannot be the name"),
        ({"a\nb": 1.0}, "cannot be the name"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_the_call(recorder: Recorder, wrong: dict[str, Any], message: str) -> None:
    run = LiveRun(recorder, "prices")
    with pytest.raises(InvalidInput, match=message):
        run.log_metrics(wrong)
    with pytest.raises(InvalidInput):
        run.log(step="first", loss=1.0)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InvalidInput):
        run.log(step=1 << 70, loss=1.0)
    with pytest.raises(InvalidInput):
        run.log_text("text", "../up")
    run.finish()


def test_a_run_that_may_not_be_taken_up_says_so(recorder: Recorder, workspace: Workspace) -> None:
    workspace.tracking.create_run("prices", id="old", params={"depth": 3})
    run = LiveRun(recorder, "prices", id="old", params={"depth": 4})
    with pytest.raises(Conflict, match="cannot become 4"):
        run.wait_until_begun(10)


def test_records_are_small(recorder: Recorder) -> None:
    payload = records.points("01m7z2q8wghpe4s5xjgwrm", 1_700_000_000_000_000, 12_345, {"loss": 0.25})
    assert len(payload) < 60
    assert json.dumps(records.decode(payload))


def test_the_log_is_quiet_when_all_is_well(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    run = LiveRun(recorder, "prices")
    run.log(loss=1.0)
    run.finish()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
