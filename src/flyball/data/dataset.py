"""What a user says of a dataset: where it lies and what its columns mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flyball.clock import parse_duration
from flyball.data._prefixes import SCHEMES
from flyball.declarations import declare
from flyball.errors import InvalidInput
from flyball.refs import check_name

_PASSWORD = re.compile(r"://[^:/@]*:[^@/]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named table or folder.

    Attributes:
        source: A file, a pattern such as `data/*.parquet`, or a folder, relative to the project's root; or the
            address of a database; or `s3://bucket/prefix`. Empty where the data is always handed over by hand.
        query: The SQL to run, where the source is a database.
        key: Column that names a row.
        time: Column that says when the row's thing happened.
        label: Column that a model shall predict.
        label_time: Column that says when the label became known.
        watch: How often the source is looked at for something new, such as `10m`; empty for never.
    """

    name: str
    source: str = ""
    query: str = ""
    key: str = ""
    time: str = ""
    label: str = ""
    label_time: str = ""
    description: str = ""
    watch: str = ""

    @property
    def roles(self) -> dict[str, str]:
        """The columns with a role, as a `Table` takes them."""
        return {"key": self.key, "time": self.time, "label": self.label, "label_time": self.label_time}


def dataset(
    name: str,
    source: str = "",
    *,
    query: str = "",
    key: str = "",
    time: str = "",
    label: str = "",
    label_time: str = "",
    description: str = "",
    watch: str = "",
) -> Dataset:
    """Declares a dataset; nothing is read yet. The arguments are the attributes of `Dataset`.

    >>> dataset("flights", "data/flights/*.parquet", key="flight_id", time="scheduled_at").roles["time"]
    'scheduled_at'

    Raises:
        InvalidInput: the name, or the mix of source and query, cannot be used.
    """
    declared = Dataset(
        name=name,
        source=str(source),
        query=query,
        key=key,
        time=time,
        label=label,
        label_time=label_time,
        description=description,
        watch=watch,
    )
    check_dataset(declared)
    declare(declared)
    return declared


def check_dataset(declared: Dataset) -> None:
    """Makes sure that a declaration can be used.

    Raises:
        InvalidInput: it cannot; the message says why.
    """
    check_name(declared.name, "dataset")
    is_database = "://" in declared.source and not declared.source.startswith(SCHEMES)
    if declared.watch:
        parse_duration(declared.watch)
        if not declared.source:
            raise InvalidInput(f"Dataset '{declared.name}' has no source that could be watched.", hint="Give it one.")
    if declared.query and not is_database:
        raise InvalidInput(
            f"Dataset '{declared.name}' has a query, and its source is no database.",
            hint="Give the database's address as source, such as postgresql://user@host/name.",
        )
    if is_database and not declared.query:
        raise InvalidInput(
            f"Dataset '{declared.name}' is in a database and has no query.", hint='Add query="SELECT ...".'
        )
    if _PASSWORD.search(declared.source):
        # The declaration is shown to everyone who may see the catalog.
        raise InvalidInput(
            f"The source of dataset '{declared.name}' holds a password.",
            hint="Leave it to the driver (PGPASSWORD, ~/.pgpass), or hand the full address to the snapshot only.",
        )
