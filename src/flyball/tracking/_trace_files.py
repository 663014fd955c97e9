"""Spans that a client kept in a file beside its trace, as MLflow's clients before 3.4 do."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.errors import FlyballError
from flyball.storage.objects import Blobs
from flyball.tracking._store import files
from flyball.tracking._trace_store import folder_of
from flyball.tracking.span_files import spans_in
from flyball.tracking.spans import Span

DATA_FILE = "traces.json"
_LARGEST = 64 << 20


def find_data(connection: sa.Connection, experiment: int, trace: str) -> str:
    """The digest of the file with a trace's spans; empty where there is none that can be read."""
    mine = sa.and_(files.c.folder == folder_of(experiment, trace), files.c.name == DATA_FILE, files.c.size <= _LARGEST)
    return connection.execute(sa.select(files.c.digest).where(mine)).scalar() or ""


def read_data(blobs: Blobs, digest: str, trace: str) -> list[Span]:
    """The spans in a file, roots first; none where it holds anything else."""
    try:
        return spans_in(blobs.get(digest), trace)
    except FlyballError:
        # Anything may stand in a file that a client sent.
        return []
