"""A database of the first release goes on with this one, with all that was in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from flyball.clock import FixedClock
from flyball.deployment.deployments import Deployments
from flyball.errors import InvalidInput
from flyball.registry.holds import holders_of
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.storage.upgrades import HEAD, config, downgrade, prepare, revision, upgrade
from flyball.tracking.experiments import Experiments
from flyball.tracking.runs import Tracking
from flyball.tracking.search import RunSearch

AT = 1_700_000_000_000_000
FIRST = (
    f"INSERT INTO experiments (number, name, created) VALUES (1, 'churn', {AT})",
    f"""INSERT INTO runs (number, id, experiment, name, kind, state, parent, attempt, code, environment, error, notes, started,
        ended, heartbeat) VALUES (1, 'r1', 1, 'first', 'training', 'finished', '', 1, '', '{{}}', '', 'kept', {AT}, {AT}, 0.0)""",
    "INSERT INTO metric_keys (number, name) VALUES (1, 'auc')",
    f"INSERT INTO metric_points (run, key, step, at, value, undefined) VALUES (1, 1, 0, {AT}, 0.7, 0), (1, 1, 1, {AT}, 0.8, 0)",
    f"INSERT INTO metric_latest (run, key, step, at, value) VALUES (1, 1, 1, {AT}, 0.8)",
    "INSERT INTO run_params (run, key, value) VALUES (1, 'depth', '5')",
    "INSERT INTO run_tags (run, key, value) VALUES (1, 'team', 'blue')",
    f"INSERT INTO run_artifacts (run, name, digest, size, kind, created) VALUES (1, 'a.txt', '{'0' * 64}', 3, 'file', {AT})",
    f"""INSERT INTO deployments (name, model, champion, generation, sticky_key, removed, created, updated)
        VALUES ('churn', 'churn', 3, 1, '', %(no)s, {AT}, {AT}), ('gone', 'churn', 2, 1, '', %(yes)s, {AT}, {AT})""",
    f"""INSERT INTO alerts (id, severity, kind, subject, owner, cause, title, detail, facts, state, opened, last_seen, count,
        acknowledged_by, resolution)
        VALUES ('a1', 'info', 'drift', 'loops:/churn', 'churn', 'c', 't', '', '{{}}', 'open', {AT}, {AT}, 1, '', '')""",
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of the first release with one of most things."""
    url = f"sqlite:///{tmp_path}/first.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(url)
    truth = {"no": "0", "yes": "1"} if made.dialect.name == "sqlite" else {"no": "false", "yes": "true"}
    with made.transaction() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        for statement in FIRST:
            connection.exec_driver_sql(statement.replace("%(no)s", truth["no"]).replace("%(yes)s", truth["yes"]))
        if made.dialect.name == "postgresql":
            for table in ("experiments", "runs", "metric_keys"):
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), 1)")
    yield made
    made.close()


def test_runs_experiments_and_deployments_go_on(
    first: Database, blobs: Blobs, clock: FixedClock, tmp_path: Path
) -> None:
    assert upgrade(first) == "0001"
    prepare(first)
    room = (first, blobs, EventLog(first, clock), clock)
    tracking = Tracking(*room)
    run = tracking.get_run("r1")
    assert (run.experiment, run.name, run.notes, run.params, run.tags) == (
        "churn",
        "first",
        "kept",
        {"depth": 5},
        {"team": "blue"},
    )
    assert run.metrics == {"auc": 0.8}
    assert run.started == datetime.fromtimestamp(AT / 1e6, UTC)
    assert [point.value for point in tracking.metric_history("r1", "auc")] == [0.7, 0.8]
    assert [artifact.name for artifact in tracking.list_artifacts("r1")] == ["a.txt"]
    assert {found.name: found.runs for found in Experiments(*room).list()}["churn"] == 1
    search = RunSearch(*room)
    assert [found.id for found in search.search("params.depth = '5'").runs] == ["r1"]
    assert [found.id for found in search.search("tags.team = 'blue' AND metrics.auc > 0.7").runs] == ["r1"]
    assert tracking.create_run("churn", "next").experiment == "churn"
    assert [found.name for found in Deployments(*room).list()] == ["churn"]
    with first.reading() as connection:
        assert holders_of(connection, "churn", 3) == ("deployments:/churn",)
        assert holders_of(connection, "churn", 2) == ()
        assert connection.execute(sa.text("SELECT assigned_to FROM alerts")).scalar_one() == ""


def test_what_was_upgraded_can_be_taken_back(first: Database) -> None:
    upgrade(first)
    assert downgrade(first, "0001") == HEAD
    with first.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM metric_points")).scalar_one() == 2
        assert connection.execute(sa.text("SELECT notes FROM runs")).scalar_one() == "kept"
    assert upgrade(first) == "0001"


@pytest.mark.parametrize("to", ["0000", "9999", HEAD, ""])
def test_a_database_is_taken_back_to_earlier_revisions_only(first: Database, to: str) -> None:
    upgrade(first)
    with pytest.raises(InvalidInput, match="no revision before"):
        downgrade(first, to)
    assert revision(first) == HEAD
