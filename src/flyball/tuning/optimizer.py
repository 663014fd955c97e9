"""Which params to try next, and which trial has no chance: Optuna, fed from the trials that the database keeps."""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flyball.errors import InvalidInput, MissingExtra, did_you_mean
from flyball.serialization import JsonValue
from flyball.tuning.space import Dimension
from flyball.tuning.study import Study, Trial

if TYPE_CHECKING:
    import optuna

T = TypeVar("T")
# A sampler that counts on others' trials must know how they are chosen; these are Optuna's own names in short.
SAMPLERS = ("tpe", "random", "gp", "cmaes", "nsga2", "qmc", "grid")
PRUNERS = ("none", "median", "hyperband", "halving")
_MOST_CELLS = 100_000


class Optimizer:
    """Chooses params for one study.

    It holds nothing that is not in the database: made anew from the same trials it goes on with the search.

    Args:
        study: What is searched.
        trials: Trials of earlier sessions, and of other studies of the same space to learn from.

    Raises:
        MissingExtra: Optuna is not installed.
        InvalidInput: there is no such sampler or pruner, or it cannot do what is asked.
    """

    def __init__(self, study: Study, trials: Sequence[Trial] = ()) -> None:
        self._study = study
        self._space = {name: _distribution(dimension) for name, dimension in study.space.items()}
        self._optuna = make_optuna_study(study)
        self._running: dict[int, optuna.trial.Trial] = {}
        self._known: set[tuple[str, int]] = set()
        self._tried: list[dict[str, JsonValue]] = []
        self._cells = _grid(study) if study.sampler.startswith("grid") else None
        self.learn(trials)

    def learn(self, trials: Sequence[Trial]) -> None:
        """Takes in what others have tried; what is known already is passed over."""
        for trial in trials:
            place = (trial.study, trial.number)
            if trial.state in ("finished", "pruned") and place not in self._known:
                self._known.add(place)
                self._tried.append(trial.params)
                self._optuna.add_trial(_frozen(trial, self._space, len(self._study.objectives)))

    def ask(self) -> tuple[int, dict[str, JsonValue]] | None:
        """The next params to try, and the ticket by which their outcome is told; None if all of a grid was tried."""
        if self._cells is not None:
            left = next((cell for cell in self._cells if cell not in self._tried), None)
            if left is None:
                return None
            self._tried.append(left)
            self._optuna.enqueue_trial(left)
        trial = _quietly(lambda: self._optuna.ask(self._space))
        self._running[trial.number] = trial
        return trial.number, {name: _plain(trial.params[name], self._study.space[name]) for name in self._study.space}

    def started(self, ticket: int, trial: Trial) -> None:
        """Says which trial the ticket became."""
        self._known.add((trial.study, trial.number))

    def should_prune(self, ticket: int, step: int, value: float) -> bool:
        """Whether a trial that stands so has no chance any more."""
        if len(self._study.objectives) > 1 or ticket not in self._running:
            return False
        trial = self._running[ticket]

        def decide() -> bool:
            trial.report(value, step)
            return bool(trial.should_prune())

        return _quietly(decide)

    def tell(self, ticket: int, state: str, values: Sequence[float] = ()) -> None:
        """Says how a trial ended."""
        from optuna.trial import TrialState

        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        trial = self._running.pop(ticket)
        given = list(values) if state == "finished" else None
        _quietly(lambda: self._optuna.tell(trial, given, state=states[state]))


def describe_sampler(name: str) -> str:
    """A sampler with library and version, as it is recorded: what an update of the library changes is seen."""
    optuna = _import_optuna()
    return f"{_checked_name(name, SAMPLERS, 'sampler')} (optuna {optuna.__version__})"


def importances(study: Study, trials: Sequence[Trial], objective: int = 0) -> dict[str, float]:
    """How much of the spread of an objective each param accounts for, by PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023).

    Returns:
        Shares that add up to 1, the largest first; empty with fewer than four finished trials or a single param.
    """
    ended = [trial for trial in trials if trial.state == "finished"]
    if len(ended) < 4 or len(study.space) < 2:
        return dict.fromkeys(study.space, 1.0) if len(study.space) == 1 and ended else {}
    optuna = _import_optuna()
    space = {name: _distribution(dimension) for name, dimension in study.space.items()}
    made = make_optuna_study(study)
    for trial in ended:
        made.add_trial(_frozen(trial, space, len(study.objectives)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    # A target is always taken as to be minimised.
    sign = 1.0 if study.objectives[objective].direction == "minimize" else -1.0
    target = lambda frozen: sign * frozen.values[objective]  # noqa: E731  # what the library wants to call
    found = _quietly(lambda: optuna.importance.get_param_importances(made, evaluator=evaluator, target=target))
    return {name: float(share) for name, share in found.items()}


def make_optuna_study(study: Study) -> optuna.Study:
    """An empty study of Optuna with the sampler, pruner and directions of ours."""
    library = _import_optuna()
    sampler = study.sampler.partition(" ")[0]
    if sampler == "cmaes" and len(study.objectives) > 1:
        raise InvalidInput("The sampler 'cmaes' knows one objective only.", hint="Take 'tpe' or 'nsga2'.")
    pruner = _checked_name(study.pruner, PRUNERS, "pruner")
    directions = [objective.direction for objective in study.objectives]
    try:
        made: Any = _quietly(
            lambda: library.create_study(
                directions=directions, sampler=_samplers(study)[sampler](), pruner=_pruners()[pruner]()
            )
        )
    except ImportError as error:
        raise MissingExtra(f"The sampler '{sampler}' needs another library: {error}", hint="Take 'tpe'.") from error
    found: optuna.Study = made
    return found


def _samplers(study: Study) -> dict[str, Callable[[], Any]]:
    samplers = _import_optuna().samplers
    seed = study.seed
    return {
        "tpe": lambda: samplers.TPESampler(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "gp": lambda: samplers.GPSampler(seed=seed),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
        "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True),
        "grid": lambda: samplers.RandomSampler(seed=seed),  # never asked: each trial of a grid is put in its queue
    }


def _pruners() -> dict[str, Callable[[], Any]]:
    pruners = _import_optuna().pruners
    return {
        "none": pruners.NopPruner,
        "median": lambda: pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        "hyperband": pruners.HyperbandPruner,
        "halving": pruners.SuccessiveHalvingPruner,
    }


def _grid(study: Study) -> list[dict[str, JsonValue]]:
    """All combinations, in an order that looks at the whole of the space early."""
    columns = [_grid_values(name, dimension) for name, dimension in study.space.items()]
    count = math.prod(map(len, columns))
    if count > _MOST_CELLS:
        raise InvalidInput(f"This grid has {count:,} cells.", hint="Give larger steps, or another sampler.")
    cells = [dict(zip(study.space, values, strict=True)) for values in itertools.product(*columns)]
    random.Random(study.seed).shuffle(cells)  # noqa: S311  # an order, no secret
    return cells


def _grid_values(name: str, dimension: Dimension) -> list[JsonValue]:
    if dimension.kind == "choice":
        return list(dimension.values)
    if dimension.kind == "number" and dimension.step is None and dimension.low < dimension.high:
        raise InvalidInput(f"A grid needs steps, and '{name}' has none.", hint="Give step=..., or another sampler.")
    step = dimension.step or 1.0
    count = int((dimension.high - dimension.low) / step + 1e-9) + 1
    return [_plain(dimension.low + place * step, dimension) for place in range(count)]


def _distribution(dimension: Dimension) -> Any:
    kinds = _import_optuna().distributions
    if dimension.kind == "choice":
        return kinds.CategoricalDistribution(dimension.values)
    if dimension.kind == "integer":
        step = int(dimension.step or 1)
        return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log, step=step)
    return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _frozen(trial: Trial, space: Mapping[str, Any], objectives: int) -> Any:
    optuna = _import_optuna()
    states = {"finished": optuna.trial.TrialState.COMPLETE, "pruned": optuna.trial.TrialState.PRUNED}
    return optuna.trial.create_trial(
        state=states[trial.state],
        values=list(trial.values) if trial.state == "finished" else None,
        params={name: trial.params[name] for name in space},
        distributions=dict(space),
        intermediate_values={report.step: report.value for report in trial.reports} if objectives == 1 else None,
    )


def _plain(value: Any, dimension: Dimension) -> JsonValue:
    if dimension.kind == "integer":
        return int(value)
    return float(value) if dimension.kind == "number" else value


def _checked_name(name: str, known: Sequence[str], what: str) -> str:
    if name not in known:
        raise InvalidInput(f"There is no {what} '{name}'.", hint=did_you_mean(name, known))
    return name


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("Tuning needs Optuna.", hint="pip install 'flyball[tuning]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _quietly(work: Callable[[], T]) -> T:
    """Does the work without the library's words on what is experimental: the sampler's name stands in the study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()
