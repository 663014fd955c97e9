"""Runs as MLflow writes them, written piece by piece: to make dicts of twenty thousand params first costs more than all else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flyball.serialization import from_json, to_json
from flyball.server.protocols.mlflow.conversions import pairs, plain_info_json, tags_of
from flyball.tracking.places import places_of

if TYPE_CHECKING:
    from flyball.tracking.inputs import InputsOfRun
    from flyball.tracking.places import ExperimentPlace
    from flyball.tracking.plain_runs import PlainRun
    from flyball.workspace import Workspace


def runs_json(workspace: Workspace, runs: Sequence[PlainRun], *, searched: bool = False) -> str:
    """The JSON of runs with all that belongs to them, in a list.

    Args:
        searched: In what was searched for, MLflow leaves out the models that went in.
    """
    uses = workspace.run_inputs.of_numbers({run.number: run.id for run in runs})
    places = places_of(workspace.database, {str(run.experiment) for run in runs})
    found = (_run(run, places[str(run.experiment)], uses.get(run.id), searched=searched) for run in runs)
    return f"[{','.join(found)}]"


def points_json(key: str, points: Iterable[tuple[int, int, float, bool]], run: str = "") -> str:
    """The JSON of points of one metric, with commas between.

    Args:
        points: Of each its step, time in microseconds, value, and whether that is undefined.
        run: The id of their run, where each point is to say it.
    """
    start = f'{{"key":{_quoted(key)},"value":'
    end = f',"run_id":{_quoted(run)}}}' if run else "}"
    # A finite float's `repr` is its JSON.
    written = [
        f'{start}"NaN","timestamp":{at // 1000},"step":{step}{end}'
        if undefined
        else f'{start}{value!r},"timestamp":{at // 1000},"step":{step}{end}'
        for step, at, value, undefined in points
    ]
    return ",".join(written)


def _run(run: PlainRun, place: ExperimentPlace, uses: InputsOfRun | None, *, searched: bool) -> str:
    written = ['{"info":', _json(plain_info_json(run, place)), ',"data":{']
    data = []
    if run.metrics:
        data.append(f'"metrics":[{",".join(map(_metric, run.metrics))}]')
    if run.params:
        data.append(f'"params":[{",".join(map(_param, run.params))}]')
    tags = tags_of(run)
    if tags:
        data.append(f'"tags":[{",".join(map(_tag, tags.items()))}]')
    rest = _json({"inputs": _inputs(uses, searched=searched), "outputs": _outputs(uses)})
    return "".join([*written, ",".join(data), "},", rest[1:]])


def _metric(metric: tuple[str, float | None, int, int]) -> str:
    key, value, step, at = metric
    shown = '"NaN"' if value is None else repr(value)
    return f'{{"key":{_quoted(key)},"value":{shown},"timestamp":{at // 1000},"step":{step}}}'


def _param(param: tuple[str, str | None]) -> str:
    key, value = param
    if value is None or value[0] != '"':  # of our own clients, which log numbers as such
        value = _json(str(None if value is None else from_json(value, Any)))
    return f'{{"key":{_quoted(key)},"value":{value}}}'


def _tag(tag: tuple[str, str]) -> str:
    return f'{{"key":{_quoted(tag[0])},"value":{_json(tag[1])}}}'


def _json(value: object) -> str:
    return to_json(value).decode()


@lru_cache(maxsize=20_000)
def _quoted(key: str) -> str:
    return _json(key)


def _inputs(uses: InputsOfRun | None, *, searched: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if uses is None:
        return found
    if uses.datasets:
        found["dataset_inputs"] = [_dataset(dataset) for dataset in uses.datasets]
    if uses.models and not searched:
        found["model_inputs"] = [{"model_id": model} for model in uses.models]
    return found


def _dataset(dataset: Any) -> dict[str, Any]:
    kept = {
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
    }
    kept |= {name: text for name, text in (("schema", dataset.schema), ("profile", dataset.profile)) if text}
    return {**({"tags": pairs(dataset.tags)} if dataset.tags else {}), "dataset": kept}


def _outputs(uses: InputsOfRun | None) -> dict[str, Any]:
    if uses is None or not uses.outputs:
        return {}
    return {"model_outputs": [{"model_id": output.model, "step": output.step} for output in uses.outputs]}
