"""What of predictions is logged: how many, and what of a person is made unreadable before anything is written.

Rules are declared on the deployment and travel in its manifest, so the model server itself keeps to them: neither its disk nor the
store ever holds what they hide.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import blake3

from flyball.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

Mask = Literal["drop", "hash", "text"]
_HIDDEN = "***"
# Source of the forms: RFC 5322 as far as it is used; numbers of seven digits and more, as phones, cards and accounts have.
_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\+?\d(?:[ ().-]?\d){6,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRules:
    """What of predictions is logged.

    Attributes:
        sample: Share of the predictions; an id is logged or not, whoever answered it.
        inputs: Whether their inputs are logged, too.
        mask: What happens to a column: `drop` leaves it empty, `hash` gives each value a name that tells it from others and no
            more, `text` hides addresses and long numbers in it. `prediction` is the answer's own.
        salt: Goes into the hashes, so that nobody can try out values.
    """

    sample: float = 1.0
    inputs: bool = True
    mask: dict[str, Mask] = field(default_factory=dict)
    salt: str = ""

    @property
    def keeps_all(self) -> bool:
        """Whether everything is logged as it is."""
        return self.sample >= 1.0 and not self.mask


def check_rules(rules: LogRules) -> LogRules:
    """Gives rules back that can be kept to.

    Raises:
        InvalidInput: the share is none.
    """
    if not 0.0 <= rules.sample <= 1.0:
        raise InvalidInput(f"{rules.sample} is no share.", hint="Give one between 0 and 1, such as 0.1.")
    if any(not name or len(name) > 250 for name in rules.mask):
        raise InvalidInput("A rule names no column.", hint="Write it as column=hash.")
    return rules


def kept_to(rules: LogRules, table: pa.Table, *, key_column: str = "") -> pa.Table:
    """What of a table of the log may be written.

    Args:
        key_column: The input by whose value predictions are routed; what hides it hides the log's `key`, too.
    """
    if rules.sample < 1.0:
        table = _sampled(rules.sample, table)
    for column, mask in rules.mask.items():
        names = ["prediction"] if column == "prediction" else [f"input.{column}"]
        names += ["key"] if column == key_column else []
        for name in names:
            place = table.column_names.index(name) if name in table.column_names else -1
            if place >= 0:
                table = table.set_column(place, name, _masked(table.column(place), mask, rules.salt))
    return table


def _sampled(share: float, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    limit = int(share * 2**32)
    chosen = [zlib.crc32(name.encode()) < limit for name in table.column("prediction_id").to_pylist()]
    return table.filter(pa.array(chosen, pa.bool_()))


def _masked(column: pa.ChunkedArray, mask: Mask, salt: str) -> Any:
    import pyarrow as pa

    if mask == "drop":
        return pa.nulls(len(column), column.type)
    values = column.to_pylist()
    if mask == "text":
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return column
        return pa.array([None if value is None else _PERSONAL.sub(_HIDDEN, value) for value in values], pa.string())
    key = blake3.blake3(salt.encode()).digest()
    names = [
        None if value is None else blake3.blake3(str(value).encode(), key=key).hexdigest()[:24] for value in values
    ]
    return pa.array(names, pa.string())
