"""Where a project lies: its own places beside those of the workspace, or in a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from flyball.access.stores import Store
from flyball.settings import PROJECTS, Settings

_HIDDEN = f".{PROJECTS}"
"""Where the objects of projects lie in the store of the workspace. No key begins with a dot, so no key leads there."""


def settings_of(home: Settings, name: str, store: Store | None) -> Settings:
    """The settings of a project: its own database, objects, online features and folder beside those of the workspace."""
    folder, schema = home.workspace / PROJECTS / name, f"{_schema(home.database)}_{name}"
    given = store or Store(name="")
    own = sa.make_url(given.database or home.database)
    if own.get_backend_name() == "sqlite":
        at = Path(own.database or "").parent / PROJECTS / name if given.database else folder
        database = f"sqlite:///{at / 'flyball.db'}"
    else:
        database = own.update_query_dict({"schema": schema}).render_as_string(hide_password=False)
    elsewhere = bool(given.objects)
    return replace(
        home,
        project=name,
        home=home,
        workspace=folder,
        database=database,
        objects=f"{(given.objects or home.objects).rstrip('/')}/{_HIDDEN}/{name}",
        online=_online(home.online, folder, schema),
        s3_endpoint=given.s3_endpoint if elsewhere else home.s3_endpoint,
        s3_region=given.s3_region if elsewhere and given.s3_region else home.s3_region,
    )


def _schema(database: str) -> str:
    named = sa.make_url(database).query.get("schema", "")
    return str(named) or "flyball"


def _online(online: str, folder: Path, schema: str) -> str:
    scheme = online.partition(":")[0].partition("+")[0]
    if scheme == "sqlite":
        return f"sqlite:///{folder / 'online.db'}"
    if scheme == "lmdb":
        return f"lmdb:///{folder / 'online'}"
    return f"{online}{'&' if '?' in online else '?'}schema={schema}"
