"""Removes all that a project held: objects, database, features for serving, folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from flyball.errors import InvalidInput
from flyball.settings import PROJECTS, Settings
from flyball.storage.objects import open_objects
from flyball.storage.upgrades import remove


def remove_places(home: Settings, own: Settings) -> None:
    """Removes what lies in the places of a project. It may be done again after it was broken off.

    Raises:
        InvalidInput: a place is the workspace's own.
    """
    if own.home is None or own.workspace == home.workspace or own.workspace.parent.name != PROJECTS:
        raise InvalidInput(f"{own.workspace} is no folder of a project.")
    _remove_objects(own)
    remove(own.database)
    if own.online.startswith("postgres"):
        remove(own.online)
    shutil.rmtree(own.workspace, ignore_errors=True)
    beside = Path(own.database.removeprefix("sqlite:///")).parent
    if own.database.startswith("sqlite:") and beside.name == own.project and beside.parent.name == PROJECTS:
        shutil.rmtree(beside, ignore_errors=True)  # where a store names a folder of its own


def _remove_objects(own: Settings) -> None:
    if "://" not in own.objects:
        shutil.rmtree(Path(own.objects), ignore_errors=True)
        return
    store = open_objects(own.objects, s3_endpoint=own.s3_endpoint, s3_region=own.s3_region)
    for item in store.list(""):
        store.delete(item.key)
