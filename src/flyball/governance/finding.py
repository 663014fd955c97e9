"""Finds what has a name: data, features, models, deployments, loops and runs of one project."""

from __future__ import annotations

from flyball.access.projects import Found
from flyball.data.catalog import Catalog
from flyball.tracking.search import RunSearch

_MARKS = str.maketrans("", "", "'%_\\")


def find_things(project: str, words: str, limit: int, *, catalog: Catalog, runs: RunSearch) -> list[Found]:
    """What a project has whose name holds the words.

    Args:
        limit: How many to give, of runs and of all else.
    """
    things = catalog.search(words, limit=limit)
    found = [
        Found(project=project, ref=one.ref, kind=one.kind, title=one.title, note=one.description) for one in things
    ]
    plain = words.strip().translate(_MARKS)
    if plain:
        named = f"attributes.name ILIKE '%{plain}%' AND attributes.parent = ''"
        found += [
            Found(project=project, ref=f"runs:/{run.id}", kind="runs", title=run.name or run.id, note=run.state)
            for run in runs.search(filter=named, limit=limit).runs
        ]
    return found
