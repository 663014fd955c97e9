"""The seam of the clean report: a table in, findings out, each with the line of code that mends it.

One file for each kind of finding, which ends with `plugin: Cleaner = Name()`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from flyball.data._shown import shown
from flyball.data.pii import mask_value
from flyball.data.profile import ColumnProfile, TableProfile
from flyball.plugins import PluginGroup
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.data.table import Table

EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanFinding:
    """One thing that is wrong with a table, or may be.

    Attributes:
        kind: The plug-in that found it.
        column: What it is about; empty for the whole table.
        found: The finding, in one sentence.
        rows: How many rows it is about.
        confidence: From 0 to 1: how sure it is that this is a fault.
        examples: Values or rows; masked where they are personal.
        fix: A line of Python that mends it, with `rows` as the table; empty where people must decide.
    """

    kind: str
    found: str
    rows: int
    confidence: float
    column: str = ""
    examples: tuple[JsonValue, ...] = ()
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The table that is looked at.

    Attributes:
        table: Its rows, or a sample of them, with their roles.
        profile: Of all rows.
        test: Rows that a model is judged on; None if they are not known.
        groups: Columns whose groups shall be treated alike; by default all with few values.
        personal: Kind of personal data by column.
    """

    table: Table
    profile: TableProfile
    test: Table | None = None
    groups: tuple[str, ...] = ()
    personal: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> list[ColumnProfile]:
        """The columns without a role."""
        roles = set(self.table.roles.values())
        return [column for column in self.profile.columns if column.column not in roles]

    def of_type(self, *types: str) -> list[ColumnProfile]:
        """The columns of some types, the label and times apart."""
        return [column for column in self.inputs if column.type in types]

    def show(self, column: str, values: Sequence[object]) -> tuple[JsonValue, ...]:
        """Examples of the values of a column."""
        kind = self.personal.get(column)
        some = list(dict.fromkeys(map(str, values)))[:EXAMPLES] if values else []
        return tuple(mask_value(value, kind) if kind else shown(value) for value in some)

    def show_rows(self, places: Sequence[int]) -> tuple[JsonValue, ...]:
        """Examples of rows."""
        import pyarrow as pa

        from flyball.data.pii import PiiFlag, check_kind, masked

        flags = [PiiFlag(column=c, kind=check_kind(k), confidence=1, reason="") for c, k in self.personal.items()]
        taken = masked(self.table.arrow.take(pa.array(list(places)[:EXAMPLES], pa.int64())), flags)
        return tuple({name: shown(value) for name, value in row.items()} for row in taken.to_pylist())


class Cleaner(Protocol):
    """One kind of finding."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """What is found in the table."""
        ...


def numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The values as doubles, NaN where they are missing or infinite."""
    import numpy as np
    import pyarrow as pa

    values: npt.NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


CLEANERS: PluginGroup[Cleaner] = PluginGroup("cleaner", "flyball.data.cleaning")
