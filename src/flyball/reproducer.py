"""Trains a version again in clean processes, and finds out what is in the way where something else comes of it.

Each training is a process of its own: `python -m flyball.reproducer REFERENCE FILE`, with the settings in its environment.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.client import open_workspace
from flyball.clock import Clock, FixedClock
from flyball.errors import FlyballError, WorkFailed
from flyball.governance.reproduction import (
    Comparison,
    Recorder,
    Remade,
    Reproduction,
    Silent,
    check_can_be_remade,
    compare_models,
    environment_changes,
    holdout_of,
    metrics_of,
    pinned_data,
)
from flyball.models.environment import capture
from flyball.pipelines.code_snapshot import checkout_code, load_project
from flyball.pipelines.engine import run_pipeline
from flyball.registry.versions import ModelVersion
from flyball.run_services import RunServices
from flyball.serialization import from_json, to_json
from flyball.settings import as_environment, load_settings

if TYPE_CHECKING:
    import pyarrow as pa

_SEED = "FLYBALL_REPRODUCE_SEED"
_ONE_THREAD = dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_SAME_SEED = {_SEED: "0", "PYTHONHASHSEED": "0"}
_HOUR = 3600


def reproduce(
    workspace: Any,
    ref: str,
    *,
    tolerance: float = 1e-9,
    timeout_seconds: float = 6 * _HOUR,
    on_progress: Callable[[str], None] | None = None,
) -> Reproduction:
    """Trains a version again, from its own code on its own data, and says whether the same model comes of it.

    If not, it trains again under other conditions, one after the other, until it is clear what is in the way: chance, threads, or
    what has changed since. Nothing is registered; each training is a run with the tag `reproduces`.

    Args:
        ref: Reference of the version, such as `models:/late-flights@champion`.
        tolerance: Up to this absolute difference, predictions on the held-out rows are equal.
        timeout_seconds: Of each training.
        on_progress: Told what is done next.

    Raises:
        InvalidInput: too little of the version is recorded to train it again.
        WorkFailed: a training failed; the message says why.
    """
    say = on_progress or (lambda _: None)
    version = workspace.registry.get_version(ref)
    check_can_be_remade(version, workspace.tracking)
    trainings = _Trainings(workspace, version, timeout_seconds, tolerance)
    say("training again, from the same code on the same data")
    first = trainings.train({})
    comparison = trainings.compare(version.package, first.package)
    reasons: list[str] = []
    changes = environment_changes(version.package.environment, first.environment)
    if comparison.outcome == "different":
        say("another model came of it: training once more to see whether chance is in it")
        reasons = _look_for_reasons(trainings, first, changes, say)
    then = (
        {}
        if version.evaluation is None
        else {m.name: m.value for m in version.evaluation.metrics if m.value is not None}
    )
    return Reproduction(
        version=f"models:/{version.model}/{version.version}",
        outcome=comparison.outcome,
        comparison=comparison,
        reasons=tuple(reasons),
        environment=tuple(changes),
        runs=tuple(trainings.runs),
        metrics=metrics_of(then, first.metrics),
    )


def _look_for_reasons(
    trainings: _Trainings, first: Remade, changes: list[str], say: Callable[[str], None]
) -> list[str]:
    again = trainings.train({})
    between = trainings.compare(first.package, again.package)
    if between.outcome != "different":
        told = "Two trainings today give the same model, so the training itself is deterministic; what has changed since then:"
        if changes:
            return [told, *changes]
        return [
            "Two trainings today give the same model, and neither code, data, packages nor machine differ from then.",
            "Something that is not recorded has changed: a file, an address or a time that a step reads by itself.",
        ]
    far = "" if between.largest_difference is None else f", by up to {between.largest_difference:.3g}"
    found = [f"Two trainings today differ from each other in {between.changed:,} of {between.rows:,} predictions{far}."]
    say("chance is in it: training twice with fixed seeds")
    if trainings.agree(_SAME_SEED):
        return [
            *found,
            "With fixed seeds they agree: a step draws random numbers without a seed. Give it a `random_state`.",
        ]
    say("seeds are not all of it: training twice with fixed seeds on one thread")
    if trainings.agree({**_SAME_SEED, **_ONE_THREAD}):
        return [
            *found,
            "On one thread they agree: the order in which threads add up is in the result. Train with OMP_NUM_THREADS=1.",
        ]
    return [
        *found,
        "Neither fixed seeds nor one thread make them agree: a step reads the time, a service, or another source of chance.",
    ]


class _Trainings:
    """Trains one version again, as often as it is asked to."""

    def __init__(self, workspace: Any, version: ModelVersion, timeout: float, tolerance: float) -> None:
        self._workspace = workspace
        self._version = version
        self._timeout = timeout
        self._tolerance = tolerance
        self._rows: pa.Table | None = holdout_of(version, workspace.blobs)
        self.runs: list[str] = []

    def train(self, variables: Mapping[str, str]) -> Remade:
        """One training, in a process of its own."""
        settings = self._workspace.settings
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")},
            **as_environment(settings),
            **self._version.package.environment.variables,
            **variables,
        }
        with tempfile.TemporaryDirectory(prefix="flyball-reproduce-") as folder:
            answer = Path(folder) / "remade.json"
            ref = f"models:/{self._version.model}/{self._version.version}"
            command = [sys.executable, "-m", "flyball.reproducer", ref, str(answer)]
            try:
                done = subprocess.run(
                    command,
                    cwd=settings.root,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=self._timeout,
                )
            except subprocess.TimeoutExpired:
                raise WorkFailed(f"Training {ref} again took longer than {self._timeout:g} s.") from None
            if done.returncode or not answer.exists():
                said = done.stderr.strip().splitlines()[-3:]
                raise WorkFailed(
                    f"{ref} could not be trained again: {' '.join(said) or f'exit code {done.returncode}'}"
                )
            remade = from_json(answer.read_bytes(), Remade)
        self.runs.append(remade.run)
        return remade

    def compare(self, one: Any, other: Any) -> Comparison:
        """How two of its models differ on the held-out rows."""
        return compare_models(one, other, self._workspace.blobs, self._rows, tolerance=self._tolerance)

    def agree(self, variables: Mapping[str, str]) -> bool:
        """Whether two trainings under the same conditions give the same model."""
        one, other = self.train(variables), self.train(variables)
        return self.compare(one.package, other.package).outcome != "different"


class _Services(RunServices):
    """What a training works with that must not change anything."""

    def __init__(self, workspace: Any, version: ModelVersion, folder: Path, moment: Clock) -> None:
        super().__init__(
            workspace=workspace, project_root=folder, source_root=workspace.settings.root, code=version.code
        )
        put = object.__setattr__
        put(self, "data", pinned_data(version, workspace.data))
        put(self, "registry", Recorder(workspace.registry))
        put(self, "features", Silent(workspace.features, "declare", "record_use", "set_schema"))
        put(self, "settings", replace(workspace.settings, signing_key=""))
        put(self, "moment", moment)

    @property
    def clock(self) -> Clock:
        """The moment of the first training: what was known then is known now, and no more."""
        found: Clock = self.__dict__["moment"]
        return found


def remake(workspace: Any, ref: str) -> Remade:
    """Trains a version again, here and now."""
    version = workspace.registry.get_version(ref)
    run = check_can_be_remade(version, workspace.tracking)
    with tempfile.TemporaryDirectory(prefix="flyball-code-") as temporary:
        folder = Path(temporary) / "code"
        checkout_code(version.code, workspace.blobs, folder)
        project = load_project(folder, _module(workspace, version))
        name = run.tags["pipeline"]
        if name not in project.pipelines:
            raise WorkFailed(f"The code of {ref} has no pipeline '{name}'.")
        pipeline = project.pipelines[name]
        services = _Services(workspace, version, folder, FixedClock(_moment(workspace, run)))
        done = run_pipeline(
            pipeline,
            pipeline.bind({key: value for key, value in version.params.items() if key in pipeline.params}),
            services=services,
            experiment=f"{version.model}-reproduced",
            use_cache=False,
            tags={"reproduces": f"models:/{version.model}/{version.version}"},
        )
        registry: Recorder = services.registry
        taken = [given for given in registry.taken if given["model"] == version.model]
        if not taken:
            raise WorkFailed(f"The pipeline '{name}' has registered no version of '{version.model}' this time.")
        scores = taken[-1].get("evaluation")
        metrics = {} if scores is None else {m.name: m.value for m in scores.metrics if m.value is not None}
        now = capture(version.package.environment.packages)
        return Remade(package=taken[-1]["package"], run=done.run.id, environment=now, metrics=metrics)


def _module(workspace: Any, version: ModelVersion) -> str:
    """The file of the project that has the pipeline: what the loop was applied with, else what is set."""
    try:
        loop = workspace.loops.get(version.model).loop
    except FlyballError:
        return str(workspace.settings.module)
    return loop.module if loop.code == version.code and loop.module else str(workspace.settings.module)


def _moment(workspace: Any, run: Any) -> Any:
    """When the first training looked at its data."""
    steps = [step for step in workspace.tracking.list_runs(parent=run.id, limit=1000) if step.name == "training_set"]
    return steps[-1].started if steps else run.started


def _fix_seeds(seed: int) -> None:
    random.seed(seed)
    for name, act in (("numpy", "random.seed"), ("torch", "manual_seed")):
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        for part in act.split("."):
            module = getattr(module, part)
        module(seed)


def main() -> int:
    """Trains the version named on the command line again and writes what came of it; 0 if it was done."""
    ref, answer = sys.argv[1:]
    if _SEED in os.environ:
        _fix_seeds(int(os.environ[_SEED]))
    with open_workspace(
        load_settings({}, environment={k: v for k, v in os.environ.items() if k != _SEED})
    ) as workspace:
        try:
            remade = remake(workspace, ref)
        except FlyballError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        Path(answer).write_bytes(to_json(remade))
    return 0


if __name__ == "__main__":
    sys.exit(main())
