"""`flyball tune`: searches the params with which a pipeline does best. `flyball studies`: what was searched."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import open_workspace, print_facts, print_json, print_table, split_pair, workspace_options
from flyball.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from flyball.tuning.study import Study, Trial

_BAR = 30


@click.command()
@click.argument("pipeline")
@click.option("--metric", "metrics", multiple=True, required=True, metavar="NAME[:WAY]",
              help="What counts, such as roc_auc, or loss:minimize. Several give a front of the best.")  # fmt: skip
@click.option("--space", "spaces", multiple=True, metavar="PARAM=SPACE",
              help="What is searched, beside the type hints: rate=number(0.01,0.3,log=True), depth=integer(2,8).")  # fmt: skip
@click.option("-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter that keeps a value.")
@click.option("--trials", default=20, show_default=True, help="How many trials the study shall have in all.")
@click.option("--time", "budget", metavar="TIME", help="How long may be searched, such as 10m.")
@click.option("--patience", default=0, help="End when so many trials in a row were no better.")
@click.option("--jobs", default=1, show_default=True, help="How many trials run at once.")
@click.option("--sampler", default="tpe", show_default=True, help="tpe, random, gp, cmaes, nsga2, qmc or grid.")
@click.option("--pruner", default="none", show_default=True, help="none, median, hyperband or halving.")
@click.option("--seed", default=0, show_default=True, help="Of the sampler.")
@click.option("--study", "name", default="", help="Name of the study; that of the pipeline by default.")
@click.option("--learn-from", multiple=True, metavar="STUDY", help="Another study of the same space.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace.")
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
def tune(
    pipeline: str,
    metrics: tuple[str, ...],
    spaces: tuple[str, ...],
    given: tuple[str, ...],
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
    **settings: Any,
) -> None:
    """Search the params with which PIPELINE does best. Called again, it goes on with the study."""
    from flyball.pipelines.code_snapshot import load_project, snapshot_code
    from flyball.run_services import RunServices
    from flyball.tuning.tune import tune as search

    with open_workspace(workspace_folder, url) as workspace:
        root = workspace.settings.root
        project = load_project(root, workspace.settings.module)
        if pipeline not in project.pipelines:
            raise NotFound(f"The project has no pipeline '{pipeline}'.", hint=did_you_mean(pipeline, project.pipelines))
        chosen = project.pipelines[pipeline]
        code = snapshot_code(root, workspace.blobs)
        services = RunServices(workspace=workspace, project_root=root, source_root=root, code=code.digest)
        fixed = dict(split_pair(text) for text in given)
        result = search(
            chosen,
            _metrics(metrics),
            services=services,
            space={param: _space(text) for param, text in (split_pair(text, "--space name=space") for text in spaces)},
            params={
                param: value for param, value in chosen.bind({**_wanted(chosen), **fixed}).items() if param in fixed
            },
            on_trial=None if as_json else _Progress(settings["trials"], metrics[0]),
            **settings,
        )
        if as_json:
            print_json({"study": result.study, "best": result.best, "stopped": result.stopped, "trials": result.trials})
            return
        click.echo(f"Stopped because {result.stopped}.", err=True)
        _print_best(result.study, list(result.best))


@click.group()
def studies() -> None:
    """Searches for the best params, and their trials."""


@studies.command("list")
@workspace_options
def list_studies(workspace: Any, as_json: bool) -> None:
    """List the studies."""
    found = workspace.studies.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [[s.name, s.target, _objectives(s), len(s.space), s.sampler, s.created] for s in found]
    print_table(["study", "target", "wanted", "params", "sampler", "begun"], rows, empty="There is no study yet.")


@studies.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="How many trials to show, the best first.")
@workspace_options
def show(workspace: Any, name: str, limit: int, as_json: bool) -> None:
    """Show the study NAME: its space, its trials, and what each param is worth."""
    from flyball.tuning.optimizer import importances
    from flyball.tuning.tune import all_trials

    study = workspace.studies.get(name)
    trials = all_trials(workspace.studies, name)
    shares = importances(study, trials)
    if as_json:
        print_json({"study": study, "trials": trials, "importance": shares})
        return
    print_facts(
        {
            "study": study.name,
            "target": study.target,
            "wanted": _objectives(study),
            "sampler": study.sampler,
            "pruner": study.pruner,
            "fixed": study.fixed or None,
            **{
                state: sum(t.state == state for t in trials) or None
                for state in ("finished", "pruned", "failed", "running")
            },
        }
    )
    click.echo("")
    rows = [
        [p, str(d), _bar(shares.get(p)), f"{shares[p]:.0%}" if p in shares else None] for p, d in study.space.items()
    ]
    print_table(["param", "space", "worth", ""], sorted(rows, key=lambda row: -shares.get(str(row[0]), 0.0)))
    click.echo("")
    ordered = sorted(trials, key=lambda trial: _rank(study, trial))[:limit]
    columns = ["trial", "state", *(o.metric for o in study.objectives), *study.space, "seconds", "run"]
    print_table(columns, [_row(study, trial) for trial in ordered])


@studies.command()
@click.argument("name")
@workspace_options
def best(workspace: Any, name: str, as_json: bool) -> None:
    """Show the best trial of the study NAME, and the command that runs it; with several objectives the front."""
    study, found = workspace.studies.get(name), workspace.studies.best(name)
    if as_json:
        print_json(found)
        return
    _print_best(study, found)


@studies.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
def delete(workspace: Any, name: str, yes: bool, as_json: bool) -> None:
    """Remove the study NAME with its trials. Their runs stay."""
    workspace.studies.get(name)
    if not yes and not as_json:
        click.confirm(f"Remove the study '{name}' with its trials?", abort=True)
    workspace.studies.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"{name}: removed")


class _Progress:
    """A line for each trial that ends; on a terminal the one that runs stands below."""

    def __init__(self, trials: int, metric: str) -> None:
        self._live = sys.stderr.isatty()
        self._trials = trials
        self._metric = metric.partition(":")[0]

    def __call__(self, trial: Trial) -> None:
        place = f"{trial.number + 1}/{self._trials}"
        if trial.state == "running":
            if self._live:
                sys.stderr.write(f"\r\x1b[K  … trial {place}")
                sys.stderr.flush()
            return
        mark = {"finished": "✓", "pruned": "-", "failed": "✗"}[trial.state]
        said = (
            f"{self._metric} {trial.values[0]:.5g}" if trial.values else trial.error.partition("\n")[0] or trial.state
        )
        params = ", ".join(f"{name}={_short(value)}" for name, value in trial.params.items())
        clear = "\r\x1b[K" if self._live else ""
        sys.stderr.write(f"{clear}  {mark} trial {place}  {said}  ({params})\n")


def _metrics(given: tuple[str, ...]) -> Any:
    ways = {name: way for name, _, way in (text.partition(":") for text in given)}
    if all(ways.values()):
        return ways
    if any(ways.values()):
        raise InvalidInput("Some metrics say whether more of them is better, and some do not.", hint="Say it of each.")
    return list(ways)


def _space(text: str) -> Any:
    """A dimension out of `number(0.01, 0.3, log=True)`, `integer(2, 8)`, `choice('a', 'b')` or `['a', 'b']`."""
    from flyball.tuning.space import choice, integer, number

    kinds: dict[str, Callable[..., Any]] = {"number": number, "integer": integer, "choice": choice}
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.List):
            return ast.literal_eval(call)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds:
            values = [ast.literal_eval(value) for value in call.args]
            named = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
            return kinds[call.func.id](*values, **named)
    except (SyntaxError, ValueError, TypeError) as error:
        raise InvalidInput(f"The space '{text}' cannot be read: {error}.", hint=_SPACE_HINT) from None
    raise InvalidInput(f"The space '{text}' cannot be read.", hint=_SPACE_HINT)


_SPACE_HINT = "Write rate=number(0.01, 0.3, log=True), depth=integer(2, 8) or rule=choice('gini', 'entropy')."


def _wanted(pipeline: Any) -> dict[str, Any]:
    """A value for each parameter that must be given, so that the others' texts can be read by their types."""
    import inspect

    return {name: None for name, default in pipeline.params.items() if default is inspect.Parameter.empty}


def _print_best(study: Study, found: list[Trial]) -> None:
    if not found:
        click.echo("No trial has finished.")
        return
    columns = ["trial", "state", *(o.metric for o in study.objectives), *study.space, "seconds", "run"]
    print_table(columns, [_row(study, trial) for trial in found])
    params = " ".join(f"-p {name}={value}" for name, value in {**study.fixed, **found[0].params}.items())
    click.echo(f"\nflyball run {study.target} {params}")


def _objectives(study: Study) -> str:
    return ", ".join(f"{o.direction} {o.metric}" for o in study.objectives)


def _row(study: Study, trial: Trial) -> list[Any]:
    values: list[Any] = list(trial.values) or [None] * len(study.objectives)
    shown = [_short(trial.params[name]) for name in study.space]
    return [trial.number, trial.state, *values, *shown, trial.seconds, trial.run]


def _rank(study: Study, trial: Trial) -> tuple[bool, float, int]:
    sign = -1.0 if study.objectives[0].direction == "maximize" else 1.0
    return (not trial.values, sign * trial.values[0] if trial.values else 0.0, trial.number)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _bar(share: float | None) -> str | None:
    return None if share is None else "█" * max(1, round(share * _BAR))
