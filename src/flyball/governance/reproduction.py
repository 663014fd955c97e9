"""Whether a version of a model can be made again, and what is in the way if not: the nouns, and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flyball.data.pinned import PinnedData
from flyball.data.table import read_table
from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage, load_model
from flyball.refs import Ref
from flyball.registry.versions import ModelVersion
from flyball.serialization import canonical_json, digest
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from flyball.data.manifest import Snapshot

Outcome = Literal["identical", "equal", "different"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """A model that was trained again.

    Attributes:
        run: Id of the run that did it.
        environment: Where it did, with all that the first training stood on.
        metrics: How good it is on the held-out rows.
    """

    package: ModelPackage
    run: str
    environment: Environment
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two models of one kind differ.

    Attributes:
        outcome: `identical`: the same files, or the same bits of every prediction; `equal`: predictions within the tolerance.
        is_same_content: Whether the files are the same, byte for byte.
        predictions: Digest of what each predicts on the same rows.
        largest_difference: Largest absolute difference of two predictions; None for labels, or without rows.
        changed: How many rows get another prediction.
        rows: How many rows both were asked about.
    """

    outcome: Outcome
    is_same_content: bool
    predictions: tuple[str, str]
    largest_difference: float | None
    changed: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of training a version again.

    Attributes:
        version: Reference of the version.
        comparison: The version against the first model trained again.
        reasons: What differed, in sentences; empty if nothing did.
        environment: What is different now from then: packages, Python, machine, variables.
        runs: The runs that trained again.
        metrics: How good it was then, and is now, by metric.
    """

    version: str
    outcome: Outcome
    comparison: Comparison
    reasons: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    metrics: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


class Recorder:
    """Stands for the registry while a model is trained again: takes what would be registered, and writes nothing.

    Attributes:
        taken: What was to be registered, as the arguments of `Registry.register`.
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self.taken: list[dict[str, Any]] = []

    def register(self, **given: Any) -> ModelVersion:
        """Takes a version; gives it back as if it had been registered, with the number 0."""
        self.taken.append(given)
        known = ModelVersion.__dataclass_fields__
        facts = {name: value for name, value in given.items() if name in known}
        return ModelVersion(version=0, stage="candidate", created=_epoch(), **facts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


class Silent:
    """A service whose named verbs do nothing: they give their first argument back.

    Args:
        service: The service itself, which answers all others.
        verbs: Names of the verbs that would write.
    """

    def __init__(self, service: Any, *verbs: str) -> None:
        self._service = service
        self._verbs = verbs

    def __getattr__(self, name: str) -> Any:
        if name in self._verbs:
            return lambda *given, **_: given[0] if given else None
        return getattr(self._service, name)


def pinned_data(version: ModelVersion, data: Any) -> PinnedData:
    """The datasets as the version's run read them.

    Raises:
        NotFound: a snapshot is no longer recorded.
    """
    found: dict[str, Snapshot] = {}
    for text in version.snapshots:
        ref = Ref.parse(text)
        if ref.kind == "snapshots":
            found[ref.name] = data.get_snapshot(ref.name, ref.version)
    return PinnedData(data, found)


def check_can_be_remade(version: ModelVersion, tracking: Any) -> Any:
    """The run that made a version, where enough of it is recorded to run it again.

    Raises:
        InvalidInput: the version was not made by a pipeline whose code was kept.
        NotFound: its run is no longer there.
    """
    ref = f"models:/{version.model}/{version.version}"
    if not version.package.files:
        raise InvalidInput(f"The files of {ref} are kept elsewhere, so it cannot be compared with anything.")
    if not version.run or not version.code:
        raise InvalidInput(
            f"{ref} was not made by a pipeline whose code was kept.",
            hint="Train it by a pipeline: `flyball run`, or a loop.",
        )
    try:
        run = tracking.get_run(version.run)
    except NotFound as error:
        raise NotFound(
            f"The run that made {ref} is no longer there.", hint="It may have been deleted for good."
        ) from error
    if "pipeline" not in run.tags:
        raise InvalidInput(f"{ref} was made by the run '{run.id}', which is no run of a pipeline.")
    return run


def compare_models(
    one: ModelPackage, other: ModelPackage, blobs: Blobs, rows: pa.Table | None, *, tolerance: float
) -> Comparison:
    """How two models differ, by their files and by what they predict on the same rows.

    Args:
        rows: Rows to ask both about; their input examples by default.
        tolerance: Up to this absolute difference, predictions are equal.
    """
    models = [load_model(package, blobs) for package in (one, other)]
    asked = rows if rows is not None else models[0].example
    if asked is None:
        raise InvalidInput("There are no rows to ask both models about.")
    # Twice asked, twice answered: a model that answers in other bits each time is no reason to call two models different.
    said = [model.predict(asked) for model in models]
    columns = ["probability" if "probability" in answer.column_names else "prediction" for answer in said]
    first, second = (
        answer[column].to_numpy(zero_copy_only=False) for answer, column in zip(said, columns, strict=True)
    )
    same_content = (one.files, one.flavor, one.flavor_settings) == (other.files, other.flavor, other.flavor_settings)
    digests = (_digest_of(first), _digest_of(second))
    largest, changed = _difference(first, second)
    is_equal = columns[0] == columns[1] and (changed == 0 or (largest is not None and largest <= tolerance))
    outcome: Outcome = "identical" if same_content or digests[0] == digests[1] else "equal" if is_equal else "different"
    return Comparison(
        outcome=outcome,
        is_same_content=same_content,
        predictions=digests,
        largest_difference=largest,
        changed=changed,
        rows=asked.num_rows,
    )


def environment_changes(then: Environment, now: Environment) -> list[str]:
    """What is different between two environments, a sentence each; what is imported only now does not count."""
    said = []
    if then.python != now.python:
        said.append(f"Python went from {then.python} to {now.python}")
    for name, version in then.packages.items():
        present = now.packages.get(name)
        if present != version:
            said.append(
                f"{name} went from {version} to {present}" if present else f"{name} {version} is not installed now"
            )
    for what, before, after in (
        ("the platform", then.platform, now.platform),
        ("the processor", then.processor, now.processor),
        ("the number of cores", then.cores or "", now.cores or ""),
    ):
        if before and before != after:
            said.append(f"{what} went from {before} to {after}")
    for name in sorted(then.variables.keys() | now.variables.keys()):
        before, after = then.variables.get(name, "unset"), now.variables.get(name, "unset")
        if before != after and (then.processor or name in then.variables):  # older versions did not record them
            said.append(f"{name} went from {before} to {after}")
    return said


def holdout_of(version: ModelVersion, blobs: Blobs) -> pa.Table | None:
    """The rows that the version was held to; None if they are no longer kept."""
    if not version.holdout:
        return None
    try:
        return read_table(blobs.get(version.holdout)).arrow
    except (NotFound, FlyballError):
        return None


def metrics_of(then: Mapping[str, float], now: Mapping[str, float]) -> dict[str, tuple[float | None, float | None]]:
    """Each metric then and now."""
    return {name: (then.get(name), now.get(name)) for name in [*then, *(name for name in now if name not in then)]}


def _difference(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> tuple[float | None, int]:
    import numpy as np

    if first.dtype.kind in "iuf" and second.dtype.kind in "iuf":
        gaps = np.abs(first.astype(np.float64) - second.astype(np.float64))
        both_missing = np.isnan(first.astype(np.float64)) & np.isnan(second.astype(np.float64))
        gaps = np.where(both_missing, 0.0, np.nan_to_num(gaps, nan=np.inf))
        return float(gaps.max(initial=0.0)), int((gaps > 0).sum())
    return None, int(sum(one != other for one, other in zip(first.tolist(), second.tolist(), strict=True)))


def _digest_of(values: np.ndarray[Any, Any]) -> str:
    if values.dtype.kind in "iufb":
        return digest(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest(canonical_json([str(value) for value in values.tolist()]))


def _epoch() -> Any:
    from datetime import UTC, datetime

    return datetime(1970, 1, 1, tzinfo=UTC)
