"""The registry and loops, asked for anything in any order: what must always hold holds after each step."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flyball.clock import FixedClock
from flyball.errors import FlyballError
from flyball.loops.loop import loop
from flyball.loops.loops import Loops
from flyball.models.package import save_model
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.registry.constant import always_seven

TEMPLATE: list[Path] = []
ALIASES = st.sampled_from(["champion", "challenger", "blue", "latest", "a b", ""])
STAGES = st.sampled_from(["candidate", "challenger", "champion", "archived", "retired"])
VERSIONS = st.integers(0, 6)


class Machine(RuleBasedStateMachine):
    """A workspace's rooms, anew for each run."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="flyball-machine-"))
        shutil.copyfile(TEMPLATE[0], self.folder / "flyball.db")
        self.database = Database(f"sqlite:///{self.folder / 'flyball.db'}", connections=2)
        sa.event.listen(
            self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF")
        )
        self.clock = FixedClock()
        self.blobs = Blobs(LocalObjects(self.folder / "objects", durable=False))
        self.events = EventLog(self.database, self.clock)
        self.told = 0

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """What is refused changes nothing, and tells nothing."""
        before = len(self.events.list(limit=10_000))
        try:
            yield
        except FlyballError:
            assert len(self.events.list(limit=10_000)) == before

    @invariant()
    def events_are_in_order_and_stay(self) -> None:
        ids = [event.id for event in self.events.list(limit=10_000)]
        assert ids == sorted(set(ids))
        assert len(ids) >= self.told
        self.told = len(ids)


class RegistryMachine(Machine):
    """Versions of one model."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry(self.database, self.blobs, self.events, self.clock)
        self.given: set[int] = set()

    @initialize()
    def make(self) -> None:
        self.package = save_model(always_seven, self.blobs, example=pa.table({"age": [1.0, 2.0]}))

    @rule()
    def register(self) -> None:
        version = self.registry.register("churn", self.package).version
        assert version not in self.given, "a number was given twice"
        self.given.add(version)

    @rule(version=VERSIONS)
    def promote(self, version: int) -> None:
        with self.asked():
            self.registry.promote("churn", version)
            assert self.registry.get_version("models:/churn@champion").version == version

    @rule(version=VERSIONS, stage=STAGES)
    def set_stage(self, version: int, stage: Any) -> None:
        with self.asked():
            assert self.registry.set_stage("churn", version, stage).stage == stage

    @rule(alias=ALIASES, version=VERSIONS, expected=st.none() | VERSIONS)
    def set_alias(self, alias: str, version: int, expected: int | None) -> None:
        with self.asked():
            self.registry.set_alias("churn", alias, version, expected)
            assert self.registry.get_version(f"models:/churn@{alias}").version == version

    @rule(alias=ALIASES)
    def delete_alias(self, alias: str) -> None:
        with self.asked():
            self.registry.delete_alias("churn", alias)

    @rule(version=VERSIONS)
    def delete_version(self, version: int) -> None:
        with self.asked():
            self.registry.delete_version("churn", version)

    @precondition(lambda self: self.given)
    @invariant()
    def there_is_one_champion_at_most_and_aliases_lead_somewhere(self) -> None:
        versions = self.registry.list_versions("churn")
        champions = [one.version for one in versions if one.stage == "champion"]
        assert len(champions) <= 1
        assert {one.version for one in versions} <= self.given
        for one in versions:
            for alias in one.aliases:
                assert self.registry.get_version(f"models:/churn@{alias}").version == one.version


class _Pipeline:
    name = "train"

    def bind(self, params: dict[str, Any]) -> None: ...


class LoopsMachine(Machine):
    """One loop, applied, paused, triggered and removed."""

    def __init__(self) -> None:
        super().__init__()
        self.loops = Loops(self.database, self.blobs, self.events, self.clock)

    @rule(most=st.integers(1, 3))
    def apply(self, most: int) -> None:
        with self.asked():
            self.loops.apply(loop("churn", _Pipeline(), cooldown="1d", max_trainings_per_week=most))

    @rule(reason=st.sampled_from(["by hand", "", "x" * 3000]))
    def pause(self, reason: str) -> None:
        with self.asked():
            self.loops.pause("churn", reason)
            assert self.loops.get("churn").state == "paused"

    @rule()
    def resume(self) -> None:
        with self.asked():
            assert self.loops.resume("churn").paused == ""

    @rule(reason=st.sampled_from(["because", ""]))
    def trigger(self, reason: str) -> None:
        with self.asked():
            self.loops.trigger("churn", reason)

    @rule()
    def remove(self) -> None:
        with self.asked():
            self.loops.remove("churn")

    @invariant()
    def one_training_at_most_is_under_way_and_no_cause_is_there_twice(self) -> None:
        for state in self.loops.list():
            trainings = self.loops.list_trainings(state.loop.name, limit=1000)
            assert sum(one.state in ("pending", "running") for one in trainings) <= 1
            causes = [one.cause for one in trainings]
            assert len(causes) == len(set(causes))


@pytest.fixture(autouse=True)
def template(sqlite_template: Path) -> None:
    TEMPLATE[:] = [sqlite_template]


def tried(machine: type[Machine], examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.parametrize("machine", [RegistryMachine, LoopsMachine])
def test_what_must_always_hold_holds(machine: type[Machine]) -> None:
    tried(machine, 8, 12)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("machine", [RegistryMachine, LoopsMachine])
def test_what_must_always_hold_holds_for_long(machine: type[Machine], rounds: int) -> None:
    tried(machine, 10 * rounds, 40)
