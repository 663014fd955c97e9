"""Copies a version of a model, or a snapshot of data, from one project to another: the same bytes, and where they come from.

So a model is promoted from development to staging to production where these are projects. It is done at the caller, who must be
able to read in the one and to write in the other; nothing else is asked. The project it comes to judges it with gates of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flyball.data.external import external_ref
from flyball.data.layout import KeptBytes
from flyball.data.manifest import BY_REFERENCE, Snapshot, snapshot_files
from flyball.errors import InvalidInput, NotFound
from flyball.refs import Ref
from flyball.serialization import from_json

if TYPE_CHECKING:
    from flyball.registry.versions import ModelVersion
    from flyball.storage.objects import Blobs

ORIGIN = "flyball.origin"
"""Tag of a version that says which one it is a copy of, as `projects:/<project>/models/<name>/<version>`."""

_RELATION = "copied_to"
_DIGEST = 64

Progress = Callable[[int, int], None]
"""Is told how many files of how many are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy came to.

    Attributes:
        origin: What was copied.
        ref: What it is now.
        files: How many files it takes; `sent` of them were not there before.
        is_new: Whether it was not there before.
    """

    origin: str
    ref: str
    files: int
    sent: int
    is_new: bool


def copy_version(
    source: Any, target: Any, ref: str, *, model: str = "", with_data: bool = False, progress: Progress | None = None
) -> Copied:
    """Registers a version of another project's model here, candidate as any new one. Done again, it changes nothing.

    Args:
        source: The workspace of the project that it comes from, local or remote.
        target: The workspace of the project that it comes to.
        ref: Such as `churn@champion` or `models:/churn/3`.
        model: What it is called here; by default as there.
        with_data: Whether the snapshots that it was made from come along.

    Raises:
        NotFound: there is no such version, or bytes of it are not kept.
        Corrupt: bytes are not those that were stored.
        InvalidInput: both are one project.
    """
    there = _check_two(source, target)
    version: ModelVersion = source.registry.get_version(ref)
    name = model or version.model
    origin = f"projects:/{there}/models/{version.model}/{version.version}"
    known = next(
        (one for one in target.registry.list_versions(name, limit=1000) if one.tags.get(ORIGIN) == origin), None
    )
    if with_data:
        for text in version.snapshots:
            copy_snapshot(source, target, text)
    digests = _digests_of(version, source.blobs)
    sent = _send(source.blobs, target.blobs, digests, progress)
    made = known or target.registry.register(
        name, version.package, evaluation=version.evaluation, holdout=version.holdout, label=version.label,
        slices=version.slices, reference=version.reference, snapshots=version.snapshots if with_data else (),
        code=version.code, params=version.params, description=version.description,
        tags={**version.tags, ORIGIN: origin},
    )  # fmt: skip
    here = str(Ref(kind="models", name=made.model, version=str(made.version)))
    target.lineage.link(_ref_of(there, f"models/{version.model}/{version.version}"), here, _RELATION)
    return Copied(origin=origin, ref=here, files=len(digests), sent=sent, is_new=known is None)


def copy_snapshot(source: Any, target: Any, ref: str, *, branch: str = "", progress: Progress | None = None) -> Copied:
    """Takes a snapshot of another project's dataset over; its id stays the same. Done again, it changes nothing.

    Args:
        source: The workspace of the project that it comes from, local or remote.
        target: The workspace of the project that it comes to.
        ref: Such as `flights`, `flights@v1`, `snapshots:/flights/3f2a`.
        branch: The branch here that it is put on; by default the one that is meant where none is named.

    Raises:
        NotFound: there is no such snapshot, or bytes of it are not kept.
        InvalidInput: both are one project, or the table's files are kept by others and not here.
    """
    there = _check_two(source, target)
    snapshot: Snapshot = source.data.find_snapshot(ref)
    if snapshot.format in BY_REFERENCE:
        raise InvalidInput(
            f"The files of '{snapshot.dataset}' are kept by others: there is nothing to copy.",
            hint="Declare the same source in the other project and take a snapshot there.",
        )
    digests = _digests_in(snapshot, source.blobs)
    sent = _send(source.blobs, target.blobs, digests, progress)
    exact = str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id))
    known = _is_there(target.data.find_snapshot, exact)
    if not known and not _is_there(target.data.get, snapshot.dataset):
        # What it means comes along; where it is taken from is a matter of the project that takes it.
        target.data.declare(replace(source.data.get(snapshot.dataset), source="", query="", watch=""))
    named = {"branch": branch} if branch else {}
    recorded = target.data.record_snapshot(snapshot, **named)
    here = str(Ref(kind="snapshots", name=recorded.dataset, version=recorded.id))
    target.lineage.link(_ref_of(there, f"snapshots/{snapshot.dataset}/{snapshot.id}"), here, _RELATION)
    origin = f"projects:/{there}/snapshots/{snapshot.dataset}/{snapshot.id}"
    return Copied(origin=origin, ref=here, files=len(digests), sent=sent, is_new=not known)


def _check_two(source: Any, target: Any) -> str:
    there: str = source.settings.project
    if (source.settings.url, there) == (target.settings.url, target.settings.project) and (
        source.settings.url or source.settings.database == target.settings.database
    ):
        raise InvalidInput(f"It is in the project '{there}' already.", hint="Name another one with --to.")
    return there


def _ref_of(project: str, what: str) -> str:
    return external_ref("external", f"projects/{project}", what)


def _is_there(find: Callable[[str], object], name: str) -> bool:
    try:
        find(name)
    except NotFound:
        return False
    return True


def _digests_of(version: ModelVersion, blobs: Blobs) -> list[str]:
    package = version.package
    beside = (package.input_example, package.twin.file if package.twin else "", version.holdout, version.reference)
    code: list[str] = []
    if len(version.code) == _DIGEST and blobs.has(version.code):  # else the name of a commit, or no longer kept
        code = [version.code, *from_json(blobs.get(version.code), dict[str, str]).values()]
    return sorted({*package.files.values(), *code, *filter(None, beside)})


def _digests_in(snapshot: Snapshot, blobs: Blobs) -> list[str]:
    kept = KeptBytes(blobs, snapshot.layout)
    packs = [name for pack in kept.layout.packs for name in (pack.pack, pack.index)]
    elsewhere = kept.places.keys() | kept.recipes.keys()
    whole = [file.digest for file in snapshot_files(blobs, snapshot) if file.digest not in elsewhere]
    lists = (snapshot.id, snapshot.layout, *kept.layout.recipes, *kept.layout.whole)
    return sorted({*packs, *whole, *filter(None, lists)})


def _send(source: Blobs, target: Blobs, digests: Iterable[str], progress: Progress | None) -> int:
    """Brings the bytes over that are not there; each is checked against its digest on the way."""
    names = list(digests)
    sent = 0
    for place, name in enumerate(names, 1):
        if not target.has(name):
            target.put_file(source.path(name), expected=name)
            sent += 1
        if progress is not None:
            progress(place, len(names))
    return sent
