"""Where an artifact's path leads: to a run's artifacts, to other files, or to a tree that some module shows.

A path is what follows `mlflow-artifacts:/`. `<experiment>/<run>/artifacts/<name>` is an artifact of that run, natively as
well. Whatever else is brought is kept as a file in a folder, which is the text before `/artifacts/`, so
`1/models/m-1/artifacts/MLmodel` is the file `MLmodel` in the folder `1/models/m-1`.

A module can show a read-only tree of its own, whose files are made or kept elsewhere:

    trees["flyball/models"] = ModelTree()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool

from flyball.server.protocols.mlflow._checks import check_path
from flyball.server.protocols.mlflow.conversions import below, location
from flyball.server.protocols.mlflow.wire import MlflowError
from flyball.tracking.ingest import artifact_batch
from flyball.tracking.nouns import Artifact
from flyball.tracking.places import file_of_run, in_the_way, names_with_escapes, place_of_run

if TYPE_CHECKING:
    from flyball.storage.database import Database
    from flyball.tracking.files import File
    from flyball.workspace import Workspace

_PAGE = 10_000
_LOOSE = "loose"
"""The folder of files that stand in none."""

# A run stays in its experiment, and an experiment's place stays as it is: what was found once is not asked for again.
_known_roots: WeakKeyDictionary[Database, set[tuple[str, str]]] = WeakKeyDictionary()
_MOST_ROOTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file: its name below the place that was asked for, and its bytes, by digest or as they are."""

    name: str
    size: int
    digest: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a listing."""

    name: str
    is_folder: bool
    size: int = 0


class Tree(Protocol):
    """A read-only tree of files."""

    def files(self, workspace: Workspace, path: str) -> Iterable[StoredFile]:
        """Every file at or below that path; names and path count from the root of the tree."""
        ...


trees: dict[str, Tree] = {}
"""The trees that modules show, by the path of their root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a path leads: exactly one of `run`, `folder` and `tree` is not empty; `name` counts from there."""

    path: str
    name: str
    run: str = ""
    folder: str = ""
    tree: str = ""


def find_place(workspace: Workspace, given: str) -> Place:
    """Where a path leads.

    Raises:
        MlflowError: the path cannot be used.
    """
    parts = [part for part in check_path(given).split("/") if part not in ("", ".")]
    path = "/".join(parts)
    for root in trees:
        if path == root or path.startswith(f"{root}/"):
            return Place(path=path, name=path[len(root) + 1 :], tree=root)
    marks = [place for place, part in enumerate(parts) if part == "artifacts" and place]
    for mark in marks:
        run, root = parts[mark - 1], "/".join(parts[:mark])
        if _is_root_of(workspace, run, root):
            return Place(path=path, name="/".join(parts[mark + 1 :]), run=run)
    if marks:
        return Place(path=path, name="/".join(parts[marks[0] + 1 :]), folder="/".join(parts[: marks[0]]))
    return Place(path=path, name=path, folder=_LOOSE)


def files_below(workspace: Workspace, uri: str) -> list[StoredFile]:
    """Every file at or below an address such as `mlflow-artifacts:/1/<run>/artifacts/model`, named from there.

    Raises:
        MlflowError: it is no such address, or cannot be used.
    """
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts":
        raise MlflowError(f"{uri[:200]!r} is not kept by this server.")
    place = find_place(workspace, parts.path.lstrip("/"))
    return list(_below(workspace, place))


def find_file(workspace: Workspace, place: Place) -> StoredFile:
    """The file that stands there.

    Raises:
        MlflowError: there is none, or it is a folder.
    """
    kept = file_of_run(workspace.database, place.run, place.name) if place.run else None
    if kept is not None:
        return StoredFile(name="", digest=kept[0], size=kept[1])
    for file in _below(workspace, place, page=1):
        if file.name == "":
            return file
        raise MlflowError(f"Artifact path refers to a directory, not a file: '{place.path[:300]}'")
    raise MlflowError(f"No such artifact: '{place.path[:300]}'", "RESOURCE_DOES_NOT_EXIST")


def list_entries(workspace: Workspace, place: Place) -> list[Entry]:
    """What stands directly in a folder, by name; nothing if it is a file or is not there."""
    found: dict[str, Entry] = {}
    for file in _below(workspace, place):
        first, slash, _ = file.name.partition("/")
        if first:
            found[first] = Entry(name=first, is_folder=bool(slash), size=0 if slash else file.size)
    return [found[name] for name in sorted(found)]


def known_place(workspace: Workspace, given: str) -> Place | None:
    """Where a path leads, if that can be told without asking the database; else None.

    Raises:
        MlflowError: the path cannot be used.
    """
    parts = [part for part in check_path(given).split("/") if part not in ("", ".")]
    known = _known_roots.get(workspace.database, set())
    for mark in (place for place, part in enumerate(parts) if part == "artifacts" and place):
        run, root = parts[mark - 1], "/".join(parts[:mark])
        found = (run, root) in known
        return Place(path="/".join(parts), name="/".join(parts[mark + 1 :]), run=run) if found else None
    return None


async def note_file(workspace: Workspace, place: Place, digest: str, size: int) -> None:
    """Does what `keep_file` does, together with all who note files at this moment.

    Raises:
        MlflowError: nothing can be written there.
    """
    if not (place.run and place.name):
        await run_in_threadpool(keep_file, workspace, place, digest, size)
        return
    now = workspace.time.now() if workspace.settings.clock == "system" else await run_in_threadpool(workspace.time.now)
    artifact = Artifact(run=place.run, name=place.name, digest=digest, size=size, kind="file", created=now)
    await workspace.ingest.write(artifact_batch(artifact))


def keep_file(workspace: Workspace, place: Place, digest: str, size: int) -> None:
    """Notes a file whose bytes are kept already; one of the same name is replaced.

    Raises:
        MlflowError: nothing can be written there.
    """
    check_writable(place)
    if not place.name:
        raise MlflowError("Artifact path must include a filename.")
    _check_no_folder(workspace, place)
    if place.run:
        workspace.tracking.log_artifact(place.run, place.name, digest, size)
    else:
        workspace.files.put(place.folder, place.name, digest, size)


def delete_files(workspace: Workspace, place: Place) -> None:
    """Removes the file that stands there, or all below it; nothing happens if there is none.

    Raises:
        MlflowError: nothing can be removed there.
    """
    check_writable(place)
    if place.run:
        workspace.tracking.delete_artifacts(place.run, place.name)
    else:
        workspace.files.delete(place.folder, place.name)


def _check_no_folder(workspace: Workspace, place: Place) -> None:
    """Makes sure that what is a file is no folder as well: nobody could download both."""
    found = in_the_way(workspace.database, place.name, run=place.run, folder=place.folder)
    if found:
        is_above = place.name.startswith(f"{found}/")
        kind, name = ("file", found) if is_above else ("folder", place.name)
        raise MlflowError(f"There is a {kind} '{name[:300]}' already.")


def _below(workspace: Workspace, place: Place, page: int = _PAGE) -> Iterator[StoredFile]:
    """Every file at the place (its name is then empty) or below it, by name."""
    start, is_empty = f"{place.name}/" if place.name else "", True
    for file in _stored(workspace, place, page):
        if file.name == place.name:
            is_empty = False
            yield replace(file, name="")
        elif file.name.startswith(start):
            is_empty = False
            yield replace(file, name=file.name[len(start) :])
    if is_empty and place.name and not place.tree:
        yield from _escaped_below(workspace, place)


def _escaped_below(workspace: Workspace, place: Place) -> Iterator[StoredFile]:
    """The same of files whose names only read as the place's: a client cannot ask for `%41.txt` but by `A.txt`."""
    for name in names_with_escapes(workspace.database, run=place.run, folder=place.folder):
        try:
            plain = check_path(name)
        except MlflowError:
            continue
        if plain == place.name or plain.startswith(f"{place.name}/"):
            exact = replace(place, name=name)
            yield from (
                replace(file, name=plain[len(place.name) + 1 :])
                for file in _stored(workspace, exact, 1)
                if file.name == name
            )


def _stored(workspace: Workspace, place: Place, size: int) -> Iterator[StoredFile]:
    if place.tree:
        yield from trees[place.tree].files(workspace, place.name)
        return
    after = ""
    while True:
        page: list[Artifact] | list[File]
        if place.run:
            page = workspace.tracking.list_artifacts(place.run, limit=size, after=after, prefix=place.name)
        else:
            page = workspace.files.list(place.folder, prefix=place.name, limit=size, after=after)
        for file in page:
            yield StoredFile(name=file.name, size=file.size, digest=file.digest)
        if len(page) < size:
            return
        after = page[-1].name


def _is_root_of(workspace: Workspace, run: str, root: str) -> bool:
    known = _known_roots.setdefault(workspace.database, set())
    if (run, root) in known:
        return True
    found = place_of_run(workspace.database, run)
    if found is None:
        return False
    parts = urlsplit(below(location(found), run))
    is_root = parts.scheme == "mlflow-artifacts" and parts.path.strip("/") == root
    if is_root:
        if len(known) >= _MOST_ROOTS:
            known.clear()
        known.add((run, root))
    return is_root


def check_writable(place: Place) -> None:
    """Makes sure that something may be written there.

    Raises:
        MlflowError: it may not.
    """
    if place.tree:
        raise MlflowError(f"'{place.path[:300]}' is shown by Flyball and cannot be changed.", "PERMISSION_DENIED")
