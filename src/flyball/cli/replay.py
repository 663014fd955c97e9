"""`flyball replay`: history as live traffic."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from flyball.cli.output import print_json, workspace_options
from flyball.clock import parse_duration, parse_time
from flyball.errors import InvalidInput, NotFound, did_you_mean

T = TypeVar("T")


@click.command()
@click.argument("deployment")
@click.option("--dataset", "dataset_name", required=True, help="Dataset of the project that says what the rows are.")
@click.option("--history", required=True, metavar="FILES", help="File or glob with the rows to replay.")
@click.option(
    "--features", "view_names", multiple=True, help="Feature view, or on-demand features of the project, to join."
)
@click.option("--from", "start", required=True, metavar="TIME", help="First moment.")
@click.option("--to", "end", required=True, metavar="TIME", help="Last moment.")
@click.option("--tick", default="1d", show_default=True, help="How far the clock moves at a time.")
@click.option("--batch", default="1h", show_default=True, help="The rows of this long go in one request.")
@click.option("--collect", metavar="DIR", help="Folder where rows arrive once their label is known.")
@workspace_options
def replay(
    workspace: Any, deployment: str, dataset_name: str, history: str, view_names: tuple[str, ...], start: str, end: str,
    tick: str, batch: str, collect: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Send history through DEPLOYMENT as live traffic, in virtual time.

    Predictions are asked for over HTTP; each row's truth is handed in when it became known. The workspace's clock moves with
    the rows, and stands still while the controller acts. Started again, a replay goes on where it was.
    """
    from flyball.cli.features import with_features
    from flyball.data.datasets import Dataset
    from flyball.data.snapshot import read_files
    from flyball.loops.replay import Replay, find_model_server
    from flyball.pipelines.code_snapshot import load_project

    settings = workspace.settings
    project = load_project(settings.root, settings.module)
    dataset = _declared(project.declarations, Dataset, dataset_name)
    raw = read_files(settings.root, history)
    rows = with_features(workspace, raw, view_names, dataset.time) if view_names else raw
    if rows.num_rows == 0:
        raise InvalidInput(f"'{history}' holds no rows.")
    run = Replay(
        workspace,
        deployment=deployment,
        model_url=find_model_server(workspace, deployment),
        dataset=dataset,
        rows=rows,
        raw=raw,
        collect=None if collect is None else settings.root / Path(collect),
    )
    predictions = labels = 0
    with _Bar(as_json) as tell:
        for at in run.run(parse_time(start), parse_time(end), tick=parse_duration(tick), batch=parse_duration(batch)):
            predictions += at.predictions
            labels += at.labels
            state = workspace.deployments.get(deployment)
            under_way = f", version {state.rollout.to_version} at {state.rollout.percent} %" if state.rollout else ""
            tell(at.done, f"{at.at:%Y-%m-%d}  champion {state.champion}{under_way}")
    if as_json:
        print_json({"predictions": predictions, "labels": labels, "until": end})
    else:
        click.echo(f"{predictions:,} predictions, {labels:,} labels.")


def _declared(declarations: Sequence[object], kind: type[T], name: str) -> T:
    known = {getattr(item, "name", ""): item for item in declarations if isinstance(item, kind)}
    if name not in known:
        raise NotFound(f"The project declares no {kind.__name__} '{name}'.", hint=did_you_mean(name, known))
    return known[name]


class _Bar:
    """Says how far the replay is: a bar on a terminal, a JSON line a tick for programs that read standard error."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Any:
        if not self._json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("replay"), BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.description}"), TimeElapsedColumn(),
                console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._progress.add_task("", total=1.0)
            self._progress.start()
        return self._tell

    def _tell(self, done: float, words: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=words)
        elif self._json:
            sys.stderr.write(f"{done:.4f} {words}\n")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
