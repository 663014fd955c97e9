"""The reading half of `Tracking`."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.storage.database import Database
from flyball.tracking import _store, curves, limits
from flyball.tracking._points import no_run
from flyball.tracking._run_rows import below, experiments_of, row_of, runs_of
from flyball.tracking.nouns import Artifact, Axis, Curve, Experiment, MetricPoint, Run
from flyball.verbs import read

MOST_RUNS = 1_000
MOST_CURVES = 1_000
MOST_BUCKETS = 20_000


class RunReads:
    """Reads runs and what they logged."""

    _database: Database

    @read
    def get_run(self, run: str) -> Run:
        """One run, with its params, tags and the latest value of each metric; also one that lies in the trash.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.reading() as connection:
            found = runs_of(connection, _store.runs.c.id == run)
        if not found:
            raise no_run(run)
        return found[0]

    @read
    def get_runs(self, ids: list[str]) -> list[Run]:
        """Runs in the order of the ids, at most 1,000; ids that there are none of are left out.

        Raises:
            InvalidInput: there are too many at once.
        """
        limits.check_count(len(ids), "runs", MOST_RUNS)
        if not ids:
            return []
        with self._database.reading() as connection:
            wanted = list(dict.fromkeys(ids))
            found = {run.id: run for run in runs_of(connection, _store.runs.c.id.in_(wanted), limit=None)}
        return [found[run] for run in wanted if run in found]

    @read
    def list_live(self, kind: str, seconds: float = 10.0) -> list[str]:
        """Ids of the running runs of a kind that gave a sign of life in the last seconds, by the database's own clock."""
        table = _store.runs
        fresh = table.c.heartbeat > self._database.dialect.now - seconds
        wanted = (table.c.state == "running", table.c.kind == kind, table.c.deleted.is_(None), fresh)
        return [row.id for row in self._database.rows(sa.select(table.c.id).where(*wanted))]

    @read
    def list_runs(
        self, experiment: str = "", kind: str = "", state: str = "", parent: str = "", limit: int = 50, before: str = ""
    ) -> list[Run]:
        """Runs, newest first, those in the trash apart.

        Args:
            before: Id of the run that the page before ended with.

        Raises:
            NotFound: there is no run `before`.
        """
        table = _store.runs
        given = ((table.c.kind, kind), (table.c.state, state), (table.c.parent, parent))
        wanted = [table.c.deleted.is_(None), *(column == value for column, value in given if value)]
        with self._database.reading() as connection:
            if experiment:
                wanted.append(_store.experiments.c.name == experiment)
            if before:
                last = row_of(connection, before)
                earlier = sa.and_(table.c.started == last.started, table.c.number < last.number)
                wanted.append(sa.or_(table.c.started < last.started, earlier))
            return runs_of(connection, *wanted, limit=max(1, min(limit, 1000)))

    @read
    def metric_history(
        self, run: str, key: str, limit: int = 1000, after_step: int | None = None, page_token: str = ""
    ) -> list[MetricPoint]:
        """The points of a metric by step and time.

        Args:
            limit: At most this many, up to 100,000.
            after_step: Only points of a later step.
            page_token: `place_of` the point that the page before ended with: only points after it.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the token is none.
        """
        after = curves.after_step(after_step) if after_step is not None else None
        if page_token:
            after = curves.read_place(page_token)
        with self._database.reading() as connection:
            number, metric = row_of(connection, run).number, curves.key_number(connection, key)
            if metric is None:
                return []
            page = curves.history(connection, number, metric, max(1, min(limit, 100_000)), after)
        return [
            MetricPoint(key=key, value=None if undefined else value, step=step, at=limits.from_micros(at))
            for step, at, value, undefined in page.places
        ]

    @read
    def metric_histories(self, runs: list[str], keys: list[str], limit: int = 1000) -> list[Curve]:
        """The points of several metrics of several runs, by step and time: a curve for each that has any.

        Args:
            limit: At most this many of each, up to 100,000.

        Raises:
            NotFound: there is no such run.
            InvalidInput: more than 1,000 curves are asked for at once.
        """
        limits.check_count(len(runs) * len(keys), "curves", MOST_CURVES)
        found = []
        with self._database.reading() as connection:
            numbers = {key: curves.key_number(connection, key) for key in keys}
            for run in runs:
                number = row_of(connection, run).number
                for key, metric in numbers.items():
                    if metric is not None:
                        page = curves.history(connection, number, metric, max(1, min(limit, 100_000)))
                        found.append(curves.curve_of(run, key, page))
        return [curve for curve in found if curve.steps]

    @read
    def chart(
        self,
        runs: list[str],
        key: str,
        buckets: int = 1000,
        axis: Axis = "step",
        first: int | None = None,
        last: int | None = None,
    ) -> list[Curve]:
        """A metric of runs, thinned out to what a chart of so many points across can show.

        Of each bucket the first, last, least and greatest value are kept; where there are few points, all.

        Args:
            buckets: Into how many parts the axis is cut, up to 20,000.
            axis: `step`; `time`; or `relative`, the time since the run's start.
            first: Where the axis begins: a step, or microseconds.
            last: Where it ends.

        Raises:
            NotFound: there is no such run.
            InvalidInput: too many runs or buckets are asked for.
        """
        limits.check_count(len(runs), "runs", MOST_CURVES)
        if not 1 <= buckets <= MOST_BUCKETS:
            raise InvalidInput(f"{buckets} buckets were asked for.", hint=f"Ask for 1 to {MOST_BUCKETS}.")
        with self._database.reading() as connection:
            return [curves.chart(connection, row_of(connection, run), key, buckets, axis, first, last) for run in runs]

    @read
    def list_artifacts(self, run: str, limit: int = 1000, after: str = "", prefix: str = "") -> list[Artifact]:
        """What a run left behind, by name.

        Args:
            limit: At most this many, up to 10,000.
            after: Only names after this one.
            prefix: Only the one of this name, and what lies below it as a folder.

        Raises:
            NotFound: there is no such run.
        """
        table = _store.artifacts
        with self._database.reading() as connection:
            number = row_of(connection, run).number
            wanted: Sequence[sa.ColumnElement[bool]] = (table.c.run == number, table.c.name > after)
            query = (
                sa.select(table)
                .where(*wanted, below(table.c.name, prefix, self._database.dialect.name))
                .order_by(table.c.name)
            )
            rows = connection.execute(query.limit(max(1, min(limit, 10_000)))).all()
        return [Artifact(**{**row._mapping, "run": run}) for row in rows]

    @read
    def list_experiments(self, limit: int = 100, after: str = "") -> list[Experiment]:
        """Experiments by name, those in the trash apart."""
        table = _store.experiments
        wanted = (table.c.name > after, table.c.deleted.is_(None))
        with self._database.reading() as connection:
            return experiments_of(connection, *wanted, limit=max(1, min(limit, 1000)))
