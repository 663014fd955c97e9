from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from flyball.executors.base import Resources
from flyball.machine.resources import parse_size, resources
from flyball.machine.shares import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    has = Resources(cores=4.0, memory=1000, gpus=2)
    return Machine(tmp_path / "ledger.json", has, ("0", "1"))


def test_what_fits_is_granted_at_once_and_given_back(machine: Machine) -> None:
    with machine.hold(Resources(cores=3, gpus=1), who="a") as lease:
        assert lease.gpus == ("0",)
        assert [(entry["who"], entry["held"]) for entry in machine.entries()] == [("a", ["0"])]
    assert machine.entries() == []


def test_two_that_hold_a_gpu_have_different_ones(machine: Machine) -> None:
    with machine.hold(Resources(gpus=1), who="a") as one, machine.hold(Resources(gpus=1), who="b") as two:
        assert {*one.gpus, *two.gpus} == {"0", "1"}


def test_what_does_not_fit_waits(machine: Machine) -> None:
    order, waits = [], threading.Event()

    def second() -> None:
        with machine.hold(Resources(cores=2), who="b", on_wait=waits.set):
            order.append("b")

    with machine.hold(Resources(cores=3), who="a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        order.append("a")
    thread.join(10)
    assert order == ["a", "b"]


def test_priority_goes_before_arrival_and_a_small_one_may_not_starve_a_large_one(machine: Machine) -> None:
    order: list[str] = []
    threads = []

    def wait_for(name: str, cores: float, priority: int) -> None:
        waits = threading.Event()

        def work() -> None:
            with machine.hold(Resources(cores=cores), who=name, priority=priority, on_wait=waits.set):
                order.append(name)
                time.sleep(0.1)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        assert waits.wait(10)

    with machine.hold(Resources(cores=2), who="first"):
        wait_for("large", 4, 0)
        wait_for("small", 1, 0)
        wait_for("urgent", 4, 5)
    for thread in threads:
        thread.join(10)
    assert order == ["urgent", "large", "small"]


def test_a_limit_lets_so_many_in(machine: Machine) -> None:
    most = resources(limits={"warehouse": 2})
    with machine.hold(most, who="a"), machine.hold(most, who="b"):
        started = time.monotonic()
        with machine.hold(most, who="c", stopped=lambda: time.monotonic() > started + 0.2):
            assert [entry["who"] for entry in machine.entries() if entry["held"] is None] == ["c"]


def test_what_the_machine_never_has_is_refused(machine: Machine) -> None:
    with pytest.raises(InvalidInput, match="Step 'fit' needs 8 cores; this machine has 4"):
        machine.check(Resources(cores=8), "Step 'fit'")


def test_what_a_killed_process_held_is_free(machine: Machine, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom flyball.machine.shares import Machine\n"
        "from flyball.executors.base import Resources\n"
        "m = Machine(Path(sys.argv[1]), Resources(cores=4.0), ())\n"
        "with m.hold(Resources(cores=4), who='other'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "ledger.json")], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    other.stdout.close()
    with machine.hold(Resources(cores=4), who="me") as lease:
        assert [entry["id"] for entry in machine.entries()] == [lease.id]


def test_a_ledger_that_was_cut_off_is_begun_anew(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text(json.dumps([{"id": "x"}])[:5])
    with machine.hold(Resources(cores=1), who="a"):
        assert len(machine.entries()) == 1


@pytest.mark.parametrize("size", ["", "4 apples", "-1GB", "1e9"])
def test_a_size_that_cannot_be_read_is_refused(size: str) -> None:
    with pytest.raises(InvalidInput, match="is no size"):
        parse_size(size)


def test_negative_resources_are_refused() -> None:
    with pytest.raises(InvalidInput, match="-1 cores"):
        resources(cores=-1)
    with pytest.raises(InvalidInput, match="0 work at once"):
        resources(limits={"x": 0})
