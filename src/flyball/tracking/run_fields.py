"""What may be asked of runs and of experiments: MLflow's names for it and our own."""

from __future__ import annotations

from flyball.tracking.filters import LIST, NULL, NUMBER, TEXT, TEXT_OR_LIST, Field, Fields, Group

_TEXT = Field(kind="text", operators=TEXT_OR_LIST)
_TIME = Field(kind="time", operators=NUMBER)

RUN_FIELDS = Fields(
    what="run",
    groups=(
        Group(
            name="attribute",
            aliases=("attributes", "attr", "run"),
            keys={
                **dict.fromkeys(
                    (
                        "id",
                        "name",
                        "user",
                        "status",
                        "artifact_uri",
                        "state",
                        "kind",
                        "parent",
                        "code",
                        "notes",
                        "error",
                    ),
                    _TEXT,
                ),
                **dict.fromkeys(("experiment", "experiment_id"), _TEXT),
                "started": _TIME,
                "ended": Field(kind="time", operators=NUMBER, native=NULL),
                "seconds": Field(kind="number", operators=NUMBER, native=NULL),
                "attempt": Field(kind="number", operators=NUMBER),
            },
            key_aliases={
                **dict.fromkeys(("start_time", "created", "Created"), "started"),
                **dict.fromkeys(("run_name", "run name", "Run name", "Run Name"), "name"),
                "end_time": "ended",
                "run_id": "id",
                "user_id": "user",
            },
        ),
        Group(name="metric", aliases=("metrics",), any_key=Field(kind="number", operators=NUMBER, native=NULL)),
        Group(
            name="parameter",
            aliases=("params", "parameters", "param"),
            any_key=Field(
                kind="text",
                operators=(*TEXT, *NULL),
                native=(*NUMBER[2:], *LIST),
                native_kind="text or number",
            ),
        ),
        Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=(*TEXT, *NULL), native=LIST)),
        Group(
            name="dataset",
            aliases=("datasets",),
            keys=dict.fromkeys(
                ("name", "digest", "context"), Field(kind="text", operators=TEXT_OR_LIST, sortable=False)
            ),
        ),
    ),
)
"""Params are compared as texts; natively also with numbers, by those that are numbers."""

EXPERIMENT_FIELDS = Fields(
    what="experiment",
    groups=(
        Group(
            name="attribute",
            aliases=("attributes",),
            keys={
                "name": _TEXT,
                "experiment_id": Field(kind="text", operators=("=", "!=", *LIST)),
                "created": _TIME,
                "updated": _TIME,
            },
            key_aliases={"creation_time": "created", "last_update_time": "updated", "id": "experiment_id"},
        ),
        Group(
            name="tag",
            aliases=("tags",),
            any_key=Field(kind="text", operators=(*TEXT, *NULL), native=LIST, sortable=False),
        ),
    ),
)
