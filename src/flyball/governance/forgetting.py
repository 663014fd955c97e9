"""Forgets a person everywhere: in the versions of a dataset, and in what other rooms copied out of them.

Outputs of steps that are kept, held-out rows of model versions, rows that were pushed to feature views and what is served of
them, things to be labelled and logs of predictions are looked through for the same value in a column of the same name. What cannot
be looked into without running it, such as a pickled output, goes if it came of a version that was purged. Like the purge of the
dataset, it can be asked for again at any time and then does what is left.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.forget import Forgotten, ForgottenCopy, forget, rows_of
from flyball.data.table import Table, read_table, write_table
from flyball.errors import FlyballError
from flyball.features.definition import FeatureView
from flyball.features.writing import keys_of_cells
from flyball.models.package import read_example
from flyball.refs import Ref
from flyball.serving.segments import INPUT, parquet, segments_of
from flyball.storage.references import referred_to

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.pipelines.cache import CachedStep

_PAGE = 1000
_EVERY = 1 << 40
_REASON = "a person's rows were purged"


@dataclass(frozen=True, slots=True)
class _Person:
    """Whom to forget: the rows whose column has a value, as text."""

    column: str
    value: str

    def rows(self, table: pa.Table) -> int:
        """How many rows of a table are theirs."""
        return rows_of(table, self.column, self.value)[0]

    def without(self, table: pa.Table) -> pa.Table:
        """The others."""
        import pyarrow.compute as pc

        count, theirs = rows_of(table, self.column, self.value)
        return table.filter(pc.invert(theirs)) if count else table


@dataclass(frozen=True, slots=True)
class _Found:
    """A copy that was found, how it is purged, and the blobs that held it."""

    copy: ForgottenCopy
    purge: Callable[[], object] = lambda: None
    blobs: tuple[str, ...] = ()


def forget_everywhere(
    workspace: Any, dataset: str, value: str, *, column: str = "", dry_run: bool = False, cache: Path | None = None
) -> Forgotten:
    """Purges a person's rows from all versions of a dataset and from what was copied out of it.

    The arguments are those of `flyball.data.forget.forget`. Exports and backups are not found: a backup that is
    restored holds the rows again, and the purge is to be asked for anew. What models learned stays learned: `models` names them.

    Raises:
        InvalidInput: there is no column to look in, or the workspace is on a server.
        NotFound: there is no such dataset.
    """
    done = forget(workspace, dataset, value, column=column, dry_run=dry_run, cache=cache)
    person = _Person(column or workspace.data.get(dataset).key, value)
    found = [
        *_step_outputs(workspace, dataset, person, set(done.rows)),
        *_held_out(workspace, person),
        *_features(workspace, person),
        *_label_items(workspace, person),
        *_predictions(workspace, person),
        *_other_datasets(workspace, dataset, person),
    ]
    copies = tuple(one.copy for one in found)
    if dry_run or not copies:
        return replace(done, copies=copies)
    for one in found:
        one.purge()
    removed = _remove(workspace, {digest for one in found for digest in one.blobs})
    counts: dict[str, int] = {}
    for copy in copies:
        if copy.is_purged:
            counts[copy.what] = counts.get(copy.what, 0) + 1
    with workspace.database.transaction() as connection:
        subject = Ref(kind="datasets", name=dataset)
        workspace.events.append(connection, "data.copies_forgotten", subject, purged=counts, blobs=removed)
    return replace(done, copies=copies, removed=done.removed + removed)


def _step_outputs(workspace: Any, dataset: str, person: _Person, purged: set[str]) -> Iterator[_Found]:
    """Results of steps that hold such rows, and those that came of them or of a purged version and cannot be looked into."""
    steps: list[CachedStep] = []
    while page := workspace.step_cache.list(_PAGE, steps[-1].key if steps else ""):
        steps += page
    current = {
        each.id for each in _pages(lambda after: workspace.data.list_snapshots(dataset, before=after), "id")
    } - purged
    counts = {step.key: _rows_given(workspace.blobs, step, person) for step in steps}
    tainted: set[str] = set()  # digests of outputs that may hold such rows
    left = list(steps)
    while left:
        reached = [step for step in left if counts[step.key] or _came_of(step, dataset, current, tainted)]
        if not reached:
            break
        left = [step for step in left if step not in reached]
        for step in reached:
            tainted |= {artifact.digest for artifact in step.artifacts}
            yield _Found(
                ForgottenCopy(where=f"steps:/{step.pipeline}/{step.step}", what="step output", rows=counts[step.key]),
                partial(workspace.step_cache.forget, key=step.key),
                tuple(artifact.digest for artifact in step.artifacts if not artifact.inline),
            )


def _came_of(step: CachedStep, dataset: str, current: set[str], tainted: set[str]) -> bool:
    used = [ref for text in step.snapshots if (ref := Ref.parse(text)).name == dataset]
    if any(ref.version not in current for ref in used):
        return True
    return any(identity.partition(":")[0] in tainted for identity in step.inputs.values())


def _rows_given(blobs: Any, step: CachedStep, person: _Person) -> int | None:
    """Rows of the person among the outputs of a step that are tables; None where none is."""
    found: int | None = None
    for artifact in step.artifacts:
        if artifact.kind in ("table", "arrow") and blobs.has(artifact.digest):
            found = (found or 0) + person.rows(_parquet(blobs.get(artifact.digest)))
    return found


def _held_out(workspace: Any, person: _Person) -> Iterator[_Found]:
    for model in _pages(lambda after: workspace.registry.list_models(limit=_PAGE, after=after), "name"):
        for version in _versions(workspace, model.name):
            ref = f"{version.model}/{version.version}"
            kept = _table(workspace.blobs, version.holdout)
            if kept is not None and (count := person.rows(kept.arrow)):
                yield _Found(
                    ForgottenCopy(where=f"models:/{ref}", what="held-out rows", rows=count),
                    partial(_replace_holdout, workspace, ref, Table(person.without(kept.arrow), **kept.roles)),
                    (version.holdout,),
                )
            example = read_example(version.package, workspace.blobs)
            if example is not None and (count := person.rows(example)):
                # It is part of what was signed, so it is for people to decide about the version.
                yield _Found(ForgottenCopy(where=f"models:/{ref}", what="input example", rows=count, is_purged=False))


def _replace_holdout(workspace: Any, ref: str, rows: Table) -> None:
    kept = workspace.blobs.put(write_table(rows)) if rows.arrow.num_rows else ""
    workspace.lifecycle.replace_holdout(ref, kept, _REASON)


def _features(workspace: Any, person: _Person) -> Iterator[_Found]:
    for view in _pages(lambda after: workspace.features.list(limit=_PAGE, after=after), "name"):
        for push in workspace.features.pushes(view.name):
            rows = _parquet(workspace.blobs.get(push.digest))
            if count := person.rows(rows):
                yield _Found(
                    ForgottenCopy(where=f"features:/{view.name}", what="pushed rows", rows=count),
                    partial(_rewrite_push, workspace, view, push.id, person.without(rows)),
                    (push.digest,),
                )
        for version in workspace.features.history(view.name):
            yield from _served(workspace, version.view, version.schema, person)


def _rewrite_push(workspace: Any, view: FeatureView, number: int, rows: pa.Table) -> None:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd")
    workspace.features.rewrite_push(view.name, number, workspace.blobs.put(sink.getvalue()), rows.num_rows, _REASON)


def _served(workspace: Any, view: FeatureView, schema: Any, person: _Person) -> Iterator[_Found]:
    store = workspace.features_online.store
    slot = store.find(view.label)
    if slot is None or schema is None or person.column not in schema.names:
        return
    keys = keys_of_cells(schema, view, store.scan(slot, _EVERY), person.column, person.value)
    if keys:
        yield _Found(
            ForgottenCopy(where=f"features:/{view.label}", what="served values", rows=len(keys)),
            partial(store.delete, slot, keys),
        )


def _label_items(workspace: Any, person: _Person) -> Iterator[_Found]:
    for labels in _pages(lambda after: workspace.labels.list(limit=_PAGE, after=after), "name"):
        keys: list[str] = []
        after = 0
        while page := workspace.labels.list_items(labels.name, _PAGE, after):
            after = page[-1].order
            keys += [item.key for item in page if person.value in (item.key, str(item.data.get(person.column, "")))]
        for start in range(0, len(keys), _PAGE):
            part = keys[start : start + _PAGE]
            yield _Found(
                ForgottenCopy(where=f"labels:/{labels.name}", what="label item", rows=len(part)),
                partial(workspace.labels.remove_items, labels.name, part, _REASON),
            )


def _predictions(workspace: Any, person: _Person) -> Iterator[_Found]:
    """Segments of prediction logs with inputs of theirs; what a model server holds back for its next segment is not in them yet."""
    store, asked = workspace.store, replace(person, column=f"{INPUT}{person.column}")
    for deployment in _pages(lambda after: workspace.deployments.list(limit=_PAGE, after=after), "name"):
        for segment in segments_of(store, deployment.name):
            rows = _parquet(store.get(segment.key))
            if count := asked.rows(rows):
                yield _Found(
                    ForgottenCopy(where=f"deployments:/{deployment.name}", what="logged predictions", rows=count),
                    partial(_rewrite_segment, store, segment.key, asked.without(rows)),
                )


def _rewrite_segment(store: Any, key: str, rows: pa.Table) -> None:
    # Under its old name, so that whoever has read it does not read it again.
    if rows.num_rows:
        store.put(key, parquet(rows))
    else:
        store.delete(key)


def _other_datasets(workspace: Any, dataset: str, person: _Person) -> Iterator[_Found]:
    """Other datasets that know the person too: each is purged by its own command, as its owner may have to keep the rows."""
    for other in _pages(lambda after: workspace.data.list(limit=_PAGE, after=after), "name"):
        if other.name == dataset:
            continue
        rows = 0
        try:
            rows = sum(forget(workspace, other.name, person.value, column=person.column, dry_run=True).rows.values())
        except FlyballError:
            continue  # none of its versions has such a column
        if rows:
            yield _Found(ForgottenCopy(where=f"datasets:/{other.name}", what="dataset", rows=rows, is_purged=False))


def _remove(workspace: Any, digests: set[str]) -> int:
    """Removes blobs that nothing names any more."""
    held = sorted(digest for digest in digests if digest and workspace.blobs.has(digest))
    with workspace.database.reading() as connection:
        named = referred_to(connection, workspace.blobs, held) if held else set()
    for digest in held:
        if digest not in named:
            workspace.blobs.delete(digest)
    for digest in digests - named:
        if digest:
            workspace.blobs.forget_copy(digest)
    return len(held) - len(named)


def _table(blobs: Any, digest: str) -> Table | None:
    return read_table(blobs.get(digest)) if digest and blobs.has(digest) else None


def _parquet(data: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(data))


def _pages(read: Callable[[str], Sequence[Any]], name: str) -> Iterator[Any]:
    after = ""
    while page := read(after):
        yield from page
        after = getattr(page[-1], name)


def _versions(workspace: Any, model: str) -> Iterator[Any]:
    before = 0
    while page := workspace.registry.list_versions(model, limit=_PAGE, before=before):
        yield from page
        before = page[-1].version
