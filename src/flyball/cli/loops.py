"""`flyball loops`: loops, what they did and why."""

from __future__ import annotations

import sys
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options


@click.group()
def loops() -> None:
    """Loops: state, history, why, simulate, pause, trigger."""


@loops.command("list")
@workspace_options
def list_loops(workspace: Any, as_json: bool) -> None:
    """List the loops and where they stand."""
    found = workspace.loops.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [[s.loop.name, s.state, s.loop.pipeline, s.last_decision and s.last_decision.reason] for s in found]
    print_table(
        ["loop", "state", "pipeline", "last decision"], rows, empty="There is none yet; `flyball apply` hands one over."
    )


@loops.command()
@click.argument("name")
@workspace_options
def show(workspace: Any, name: str, as_json: bool) -> None:
    """Show a loop: its plan, its trainings."""
    state, trainings = workspace.loops.get(name), workspace.loops.list_trainings(name, limit=20)
    if as_json:
        print_json({"state": state, "trainings": trainings})
        return
    loop = state.loop
    print_facts({
        "loop": loop.name, "state": state.state, "paused because": loop.paused, "pipeline": loop.pipeline, "code": loop.code[:16],
        "retrain on": [f"{t.trigger} {t.params or ''}".strip() for t in loop.retrain],
        "gates": [f"{g.gate} {g.params or ''}".strip() for g in loop.gates],
        "rollout": f"{loop.rollout.strategy} {list(loop.rollout.steps)}",
        "monitors": [m.monitor for m in loop.monitors], "dry run": loop.dry_run or "",
        "policies": [f"{p.policy} on {', '.join(p.on) or 'anything'}" for p in loop.policies],
        "frozen": [f.reason or f.cron or f"{f.start:%Y-%m-%d} to {f.end:%Y-%m-%d}" for f in loop.freeze], "applied": state.applied,
    })  # fmt: skip
    rows = [[t.created, t.trigger, t.state, t.version, t.reason, t.error] for t in trainings]
    print_table(["training", "trigger", "state", "version", "because", "error"], rows, empty="No training yet.")


@loops.command()
@click.argument("name")
@click.option("--id", "id", required=True, help="What happened, such as the digest of a commit; one is answered once.")
@click.option("--source", default="webhook", show_default=True, help="Who says so.")
@click.option("--reason", default="", help="The same in a sentence.")
@workspace_options
def signal(workspace: Any, name: str, id: str, source: str, reason: str, as_json: bool) -> None:
    """Tell the loop NAME that something has happened outside; one with fb.on.signal trains then."""
    workspace.loops.signal(name, id, source, reason)
    if as_json:
        print_json({"loop": name, "id": id})
    else:
        click.echo(f"'{name}' is told.")


@loops.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="How many decisions to tell.")
@workspace_options
def why(workspace: Any, name: str, limit: int, as_json: bool) -> None:
    """Tell the story of the loop NAME: what was found, how sure that is, what was done, and what came of it."""
    from flyball.loops.story import tell

    found = tell(workspace, name, limit=limit)
    if as_json:
        print_json(found)
        return
    for told in found:
        click.echo(f"{told.at:%Y-%m-%d %H:%M}  {told.decision:<13}  {told.because}")
        for word, text in (("cause", told.kind), ("sure", told.sure), ("so", told.so)):
            if text:
                click.echo(f"{'':33}{word}: {text}")
    if not found:
        click.echo("Nothing has been decided yet.")


@loops.command()
@click.argument("name")
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="TRIGGER",
    help="As in a project: 'decay(\"roc_auc\", by=0.1)'. May be repeated.",
)
@click.option("--cooldown", metavar="TIME", help="Another cool-down, such as 3d.")
@click.option("--max-per-week", type=int, help="Another budget of trainings a week.")
@click.option("--metric", default="", help="What quality is measured by.")
@click.option(
    "--search", "search_", is_flag=True, help="Try many policies, and show which none beats in gain and cost."
)
@click.option("--all", "show_all", is_flag=True, help="With --search, show those that are beaten as well.")
@workspace_options
def simulate(
    workspace: Any,
    name: str,
    on: tuple[str, ...],
    cooldown: str | None,
    max_per_week: int | None,
    metric: str,
    search_: bool,
    show_all: bool,
    as_json: bool,
) -> None:
    """Decide the recorded past of the loop NAME anew under another policy; what is not given stays as it is."""
    from flyball.loops.simulation import read_trigger
    from flyball.loops.simulation import simulate as decide_anew

    if search_:
        if on or max_per_week is not None:
            raise click.UsageError("--search tries triggers by itself; only --cooldown and --metric go with it.")
        _search(workspace, name, cooldown, metric, show_all=show_all, as_json=as_json)
        return
    retrain = [read_trigger(text) for text in on] or None
    found = decide_anew(
        workspace, name, retrain=retrain, cooldown=cooldown, max_trainings_per_week=max_per_week, metric=metric
    )
    if as_json:
        print_json(found)
        return
    rows = [
        [each.at, each.trigger, each.reason, each.waited_for]
        for each in sorted((*found.would_have, *found.waits), key=lambda w: w.at)
    ]
    print_table(["when", "trigger", "because", "but waited for"], rows, empty="It would have started no training.")
    saved = found.seconds_each and found.seconds_each * (found.trainings - len(found.would_have))
    print_facts({
        "from": found.start, "to": found.end, "windows": found.windows,
        "trainings": f"{len(found.would_have)} instead of {found.trainings}",
        "training time saved": f"{saved:,.0f} s" if saved else "",
        f"mean {found.metric}": _quality(found.quality, found.quality_would_have),
    })  # fmt: skip
    for note in found.notes:
        click.echo(note)


def _search(workspace: Any, name: str, cooldown: str | None, metric: str, *, show_all: bool, as_json: bool) -> None:
    from flyball.loops.search import search

    with click.progressbar(length=1000, label="trying policies", file=sys.stderr, hidden=as_json) as bar:
        found = search(
            workspace, name, cooldowns=[cooldown] if cooldown else [], metric=metric,
            progress=lambda done, total: bar.update(round(1000 * done / total) - bar.pos),
        )  # fmt: skip
    if as_json:
        print_json(found)
        return
    shown = found if show_all else [each for each in found if each.is_best or each.is_present]
    rows = [
        [
            each.trainings, "" if each.gain is None else f"{each.gain:+.4f}",
            "" if each.seconds is None else f"{each.seconds:,.0f} s", " ".join(each.retrain), each.cooldown,
            "present" if each.is_present else "best" if each.is_best else "",
        ]
        for each in shown
    ]  # fmt: skip
    print_table(["trainings", "gain", "training time", "retrain on", "cool-down", ""], rows)
    click.echo(
        f"{len(found)} policies were tried. Gain is what quality would probably have been above what was recorded."
    )


def _quality(recorded: float | None, expected: float | None) -> str:
    if recorded is None:
        return ""
    return f"{recorded:.4f}" if expected is None else f"probably {expected:.4f} instead of {recorded:.4f}"


@loops.command()
@click.argument("name", required=False, default="")
@click.option("--count", default=5, show_default=True, help="How many times of each schedule.")
@workspace_options
def schedule(workspace: Any, name: str, count: int, as_json: bool) -> None:
    """Tell the next times of the schedules of all loops, or of the loop NAME."""
    found = workspace.simulations.schedule(name, count)
    if as_json:
        print_json(found)
        return
    rows = [[each.at, each.loop, each.pipeline, each.cron, each.waits_because] for each in found]
    print_table(["when", "loop", "pipeline", "schedule", "but waits"], rows, empty="No loop has a schedule.")


@loops.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown wherever the loop is.")
@workspace_options
def pause(workspace: Any, name: str, reason: str, as_json: bool) -> None:
    """Keep the loop from starting trainings and rollouts by itself."""
    made = workspace.loops.pause(name, reason or "paused by hand")
    _say(made, as_json, f"'{name}' is paused.")


@loops.command()
@click.argument("name")
@workspace_options
def resume(workspace: Any, name: str, as_json: bool) -> None:
    """Let a paused loop act by itself again."""
    _say(workspace.loops.resume(name), as_json, f"'{name}' acts by itself again.")


@loops.command()
@click.argument("name")
@click.option("--reason", default="asked for by hand", help="Why; kept in the history.")
@workspace_options
def trigger(workspace: Any, name: str, reason: str, as_json: bool) -> None:
    """Ask for a training now, whatever cool-down and budget say."""
    made = workspace.loops.trigger(name, reason)
    _say(made, as_json, f"Training {made.id} is asked for; a controller (`flyball up`) does it.")


@loops.command()
@click.argument("name")
@click.confirmation_option(prompt="Its trainings and decisions will be forgotten. Go on?")
@workspace_options
def remove(workspace: Any, name: str, as_json: bool) -> None:
    """Take a loop back; model, deployment and runs stay."""
    workspace.loops.remove(name)
    _say({"removed": name}, as_json, f"'{name}' is taken back.")


def _say(noun: object, as_json: bool, words: str) -> None:
    if as_json:
        print_json(noun)
    else:
        click.echo(words)
