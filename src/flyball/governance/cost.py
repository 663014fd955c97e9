"""What work took and what that costs: by run, step, pipeline, loop, person; prices; budgets that raise alerts."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from flyball.errors import InvalidInput, NotFound
from flyball.governance import _store
from flyball.pipelines.usage import StepUsage
from flyball.principals import acting
from flyball.refs import Ref, check_name
from flyball.serialization import convert, to_plain
from flyball.verbs import change, read

if TYPE_CHECKING:
    from flyball.workspace import Workspace

By = Literal["project", "pipeline", "loop", "who", "run", "step"]
Period = Literal["day", "week", "month"]
Scope = Literal["project", "pipeline", "loop", "who"]
_GIB = float(1 << 30)
_MONTH_DAYS = 30.4375
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUANTITIES = ("wall_seconds", "core_seconds", "memory_byte_seconds", "accelerator_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What things cost, in one currency.

    Attributes:
        core_hour: An hour of one processor core.
        memory_gib_hour: A GiB of memory for an hour.
        accelerator_hour: An accelerator for an hour.
        storage_gib_month: A GiB kept for a month of 30.4375 days.
    """

    currency: str = ""
    core_hour: float = 0.0
    memory_gib_hour: float = 0.0
    accelerator_hour: float = 0.0
    storage_gib_month: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What was taken in all by one run, pipeline, loop or person.

    Attributes:
        key: Whose it is; empty where it belongs to none.
        runs: How many runs of pipelines.
        money: At the present prices; None while there are none.
    """

    key: str
    runs: int
    wall_seconds: float
    core_seconds: float
    memory_byte_seconds: float
    accelerator_seconds: float
    money: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What was taken in a stretch of time.

    Attributes:
        rows: The dearest first.
        total: All of it, whatever the rows show.
        storage_bytes: What was kept last; None while nobody has looked.
        storage_byte_days: What was kept, times days.
        storage_money: What that costs.
    """

    by: By
    since: datetime
    until: datetime
    currency: str
    rows: tuple[CostRow, ...]
    total: CostRow
    storage_bytes: int | None
    storage_byte_days: float
    storage_money: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent in a day, a week or a month.

    Attributes:
        scope: What it is for; `name` of a loop, pipeline or person in `key`.
        amount: In the currency of the prices, or in core-hours where there are none.
        warn_at: Share of it at which an alert is opened; at all of it, it becomes critical.
    """

    name: str
    amount: float
    scope: Scope = "project"
    key: str = ""
    period: Period = "month"
    warn_at: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget, and what of it is spent in the present period."""

    budget: Budget
    since: datetime
    spent: float
    share: float = field(default=0.0)


class Cost:
    """Notes what work takes, and says what it costs."""

    def __init__(self, here: Workspace) -> None:
        self._here = here

    @change(audited=False)
    def record(self, run: str, pipeline: str, usage: builtins.list[StepUsage]) -> int:
        """Notes what a pipeline's run took, step by step; gives how many rows. Budgets that it exceeds raise alerts.

        Args:
            run: Id of the pipeline's run.

        Raises:
            InvalidInput: there are too many, or a number is negative.
        """
        if len(usage) > 10_000 or any(getattr(each, name) < 0 for each in usage for name in _QUANTITIES):
            raise InvalidInput("This cannot have been used.", hint="Give at most 10,000 rows, none of them negative.")
        if not usage:
            return 0
        now, who, loop = self._here.time.now(), acting().name, self._loop_of(run)
        rows = [
            {"at": now, "parent": run, "pipeline": pipeline[:200], "loop": loop, "who": who, **_row(each)}
            for each in usage
        ]
        with self._here.database.transaction() as connection:
            connection.execute(sa.insert(_store.usage), rows)
        self._check_budgets()
        return len(rows)

    @read
    def report(
        self,
        by: By = "pipeline",
        since: datetime | None = None,
        until: datetime | None = None,
        loop: str = "",
        pipeline: str = "",
        run: str = "",
        limit: int = 100,
    ) -> CostReport:
        """What was taken, and what it costs at the present prices.

        Args:
            by: What is added up.
            since: From this moment on; 30 days ago by default.
            until: Before this moment; now by default.
            loop: Only of this loop.
            pipeline: Only of this pipeline.
            run: Only of this run of a pipeline.
            limit: At most this many rows, up to 1,000; `total` counts all.
        """
        end = until or self._here.time.now()
        begin = since or end - timedelta(days=30)
        table, prices = _store.usage, self.prices()
        column = {"run": table.c.parent, "step": table.c.step, "project": sa.literal(self._here.settings.name)}.get(
            by, table.c.get(by, table.c.pipeline)
        )
        wanted = [table.c.at >= begin, table.c.at < end]
        wanted += [
            c == value
            for c, value in ((table.c.loop, loop), (table.c.pipeline, pipeline), (table.c.parent, run))
            if value
        ]
        rows = [_priced(row, prices) for row in self._here.database.rows(_sums(column).where(*wanted).group_by(column))]
        rows.sort(key=lambda row: (-(row.money or 0.0), -row.core_seconds, row.key))
        everything = self._here.database.row(_sums(sa.literal("")).where(*wanted))
        assert everything is not None
        kept, byte_days = self._storage(begin, end)
        money = byte_days / _GIB / _MONTH_DAYS * prices.storage_gib_month if prices.currency else None
        return CostReport(
            by=by, since=begin, until=end, currency=prices.currency, rows=tuple(rows[: max(1, min(limit, 1000))]),
            total=_priced(everything, prices), storage_bytes=kept, storage_byte_days=byte_days, storage_money=money,
        )  # fmt: skip

    @read
    def prices(self) -> Prices:
        """What things cost at present; all 0, and no currency, until somebody says so."""
        table = _store.prices
        row = self._here.database.row(sa.select(table.c.prices).order_by(table.c.id.desc()).limit(1))
        return Prices() if row is None else convert(row.prices, Prices)

    @change(role="maintainer")
    def set_prices(self, prices: Prices) -> Prices:
        """Says what things cost from now on; reports of earlier times count with them too.

        Raises:
            InvalidInput: a price is negative, or there is no currency.
        """
        numbers = [value for value in asdict(prices).values() if not isinstance(value, str)]
        if not prices.currency.strip() or len(prices.currency) > 10:
            raise InvalidInput("Prices need a currency.", hint="Such as EUR.")
        if any(not 0 <= value < 1e12 for value in numbers):
            raise InvalidInput("A price is negative, or no number.")
        with self._here.database.transaction() as connection:
            row = {"at": self._here.time.now(), "by": acting().name, "prices": to_plain(prices)}
            connection.execute(sa.insert(_store.prices), [row])
            self._here.events.append(connection, "cost.prices_set", "prices", **to_plain(prices))
        return prices

    @change(role="maintainer")
    def set_budget(self, budget: Budget) -> Budget:
        """Says what may be spent; one of the same name is replaced.

        Raises:
            InvalidInput: the name, amount, share or scope cannot be used.
        """
        check_name(budget.name, "budget")
        if not 0 < budget.amount < 1e15 or not 0 < budget.warn_at <= 1:
            raise InvalidInput("A budget is more than 0, and warns at a share of it up to 1.")
        if (budget.scope == "project") == bool(budget.key):
            raise InvalidInput(
                f"The budget is for {budget.scope}, and its key is '{budget.key}'.",
                hint="Name the loop, pipeline or person in `key`; for the project leave it empty.",
            )
        row = {"budget": to_plain(budget), "by": acting().name, "at": self._here.time.now()}
        with self._here.database.transaction() as connection:
            insert = self._here.database.insert(_store.budgets).values(name=budget.name, **row)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
            self._here.events.append(connection, "cost.budget_set", _ref(budget), **to_plain(budget))
        return budget

    @change(role="maintainer")
    def remove_budget(self, name: str) -> None:
        """Takes a budget away.

        Raises:
            NotFound: there is none of that name.
        """
        table = _store.budgets
        with self._here.database.transaction() as connection:
            if not connection.execute(sa.delete(table).where(table.c.name == name)).rowcount:
                raise NotFound(f"There is no budget '{name[:128]}'.")
            self._here.events.append(connection, "cost.budget_removed", f"budgets:/{name}")

    @read
    def budgets(self) -> builtins.list[BudgetState]:
        """All budgets, and what of each is spent in its present period."""
        rows = self._here.database.rows(sa.select(_store.budgets.c.budget).order_by(_store.budgets.c.name))
        return [self._state(convert(row.budget, Budget)) for row in rows]

    @change
    def sample_storage(self) -> int:
        """Looks how many bytes are kept, and notes it for today; gives the number."""
        total = sum(found.size for found in self._here.store.list(""))
        row = {"day": (self._here.time.now() - _EPOCH).days, "bytes": total}
        table = _store.storage_samples
        with self._here.database.transaction() as connection:
            insert = self._here.database.insert(table).values(**row)
            connection.execute(insert.on_conflict_do_update(index_elements=["day"], set_={"bytes": total}))
        return total

    def _loop_of(self, run: str) -> str:
        try:
            return self._here.loops.get_training(run).loop
        except NotFound:
            return ""

    def _storage(self, begin: datetime, end: datetime) -> tuple[int | None, float]:
        """What is kept, and byte-days: each day counts with the sample before or of it."""
        table = _store.storage_samples
        rows = self._here.database.rows(
            sa.select(table).where(table.c.day <= (end - _EPOCH).days).order_by(table.c.day)
        )
        if not rows:
            return None, 0.0
        first = begin - _EPOCH
        last = (end - _EPOCH) / timedelta(days=1)
        total = 0.0
        for row, following in zip(rows, [*[r.day for r in rows[1:]], last], strict=True):
            days = min(float(following), last) - max(float(row.day), first / timedelta(days=1))
            total += max(0.0, days) * row.bytes
        return rows[-1].bytes, total

    def _state(self, budget: Budget) -> BudgetState:
        now = self._here.time.now()
        since = _begin_of(budget.period, now)
        table = _store.usage
        wanted = [table.c.at >= since]
        if budget.scope != "project":
            wanted.append(table.c[budget.scope] == budget.key)
        row = self._here.database.row(_sums(sa.literal("")).where(*wanted))
        assert row is not None
        prices = self.prices()
        found = _priced(row, prices)
        spent = found.core_seconds / 3600 if found.money is None else found.money
        return BudgetState(budget=budget, since=since, spent=spent, share=spent / budget.amount)

    def _check_budgets(self) -> None:
        currency = ""
        for state in self.budgets():
            budget = state.budget
            if state.share < budget.warn_at:
                continue
            currency = currency or self.prices().currency or "core-hours"
            spent = f"{state.spent:,.4g} of {budget.amount:,.4g} {currency}"
            self._here.alerts.open(
                "critical" if state.share >= 1 else "warning",
                "budget",
                _ref(budget),
                f"spent:{state.since:%Y-%m-%d}",
                f"Of the budget '{budget.name}', {spent} are spent this {budget.period}.",
                facts={"spent": state.spent, "currency": currency, **to_plain(budget)},
            )


def _ref(budget: Budget) -> str:
    return str(Ref(kind="budgets", name=budget.name))


def _row(usage: StepUsage) -> dict[str, Any]:
    return {
        "run": usage.run[:128],
        "step": usage.step[:200],
        **{name: float(getattr(usage, name)) for name in _QUANTITIES},
    }


def _sums(key: sa.ColumnElement[Any]) -> sa.Select[Any]:
    table = _store.usage
    # The time of a run is that of its own row: its steps may have run at the same time.
    is_counted = sa.true() if key is table.c.step else table.c.step == ""
    took = {"wall_seconds": sa.case((is_counted, table.c.wall_seconds), else_=0.0)}
    sums: Iterable[sa.ColumnElement[Any]] = (
        sa.func.coalesce(sa.func.sum(took.get(name, table.c[name])), 0.0).label(name) for name in _QUANTITIES
    )
    return sa.select(key.label("key"), sa.func.count(sa.distinct(table.c.parent)).label("runs"), *sums)


def _priced(row: sa.Row[Any], prices: Prices) -> CostRow:
    found = {name: float(getattr(row, name)) for name in _QUANTITIES}
    hours = (
        found["core_seconds"] * prices.core_hour
        + found["memory_byte_seconds"] / _GIB * prices.memory_gib_hour
        + found["accelerator_seconds"] * prices.accelerator_hour
    )
    return CostRow(key=str(row.key or ""), runs=int(row.runs), money=hours / 3600 if prices.currency else None, **found)


def _begin_of(period: Period, now: datetime) -> datetime:
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day
