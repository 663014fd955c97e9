"""Fetches what a run left behind into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flyball.errors import NotFound
from flyball.storage.objects import Blobs
from flyball.tracking.delivery import Services
from flyball.tracking.limits import check_artifact_name
from flyball.tracking.nouns import Artifact

_PAGE = 1_000
_SMALL = 256 << 10
_TOGETHER = 16 << 20


def download_artifacts(
    services: Services, run: str, to: Path, *, prefix: str = "", tell: Callable[[int, int], object] | None = None
) -> list[Path]:
    """The files that a run left behind, as files in a folder, under their names.

    What stands there under the same name is replaced.

    Args:
        to: The folder; it is made if it is not there.
        prefix: Only the artifact of this name, and what lies below it as a folder.
        tell: Told how many bytes of how many have come, after each part.

    Raises:
        NotFound: there is no such run, or it left nothing of that name behind.
        Corrupt: bytes have changed where they are kept.
    """
    found = list(_listed(services, run, prefix))
    if prefix and not found:
        raise NotFound(f"The run '{run}' left nothing called '{prefix[:300]}' behind.", run=run)
    done, total = 0, sum(one.size for one in found)
    for part in _parts(found):
        _fetch(services.blobs, part, to)
        done += sum(one.size for one in part)
        if tell is not None:
            tell(done, total)
    return [to / one.name for one in found]


def _listed(services: Services, run: str, prefix: str) -> Iterator[Artifact]:
    page = services.tracking.list_artifacts(run, limit=_PAGE, prefix=prefix)
    while page:
        yield from page
        page = services.tracking.list_artifacts(run, limit=_PAGE, prefix=prefix, after=page[-1].name)


def _parts(found: Sequence[Artifact]) -> Iterator[list[Artifact]]:
    """What is fetched at once: small ones together, a large one by itself."""
    part: list[Artifact] = []
    size = 0
    for one in found:
        if one.size > _SMALL:
            yield [one]
            continue
        if len(part) == _PAGE or size + one.size > _TOGETHER:
            yield part
            part, size = [], 0
        part.append(one)
        size += one.size
    if part:
        yield part


def _fetch(blobs: Blobs, part: Sequence[Artifact], to: Path) -> None:
    targets = [to / check_artifact_name(one.name) for one in part]
    for folder in {target.parent for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
    if len(part) == 1:
        blobs.copy_to(part[0].digest, targets[0])
        return
    for target, data in zip(targets, blobs.get_many([one.digest for one in part]), strict=True):
        target.write_bytes(data)
