"""`flyball backfill`: a pipeline over a stretch of time."""

from __future__ import annotations

import threading

import click

from flyball.cli.output import open_workspace, print_json, print_table, split_pair
from flyball.cli.run import prepare


@click.command()
@click.argument("pipeline")
@click.option("--start", "since", required=True, metavar="TIME", help="Where the first window begins.")
@click.option("--end", "until", required=True, metavar="TIME", help="Where the last window ends.")
@click.option("--every", default="1d", show_default=True, help="Length of a window.")
@click.option(
    "-p",
    "--param",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; may hold {start} and {end:%Y-%m-%d}.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Windows that run at once.")
@click.option("--again", is_flag=True, help="Also run windows that an earlier run has finished.")
@click.option("--dry-run", is_flag=True, help="Show the windows only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace.")
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
def backfill(
    pipeline: str,
    since: str,
    until: str,
    every: str,
    given: tuple[str, ...],
    jobs: int,
    again: bool,
    dry_run: bool,
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
) -> int:
    """Run PIPELINE once for each window from --start to --end.

    It takes parameters `start` and `end`, or others that name them. Windows that an earlier run has finished are left out, so it
    can be broken off and repeated. The exit code is 1 where a window failed.
    """
    from flyball.clock import parse_duration, parse_time
    from flyball.pipelines.backfill import WindowRun, windows_of
    from flyball.pipelines.backfill import backfill as run_windows

    windows = windows_of(parse_time(since), parse_time(until), parse_duration(every))
    if dry_run:
        if as_json:
            print_json(windows)
        else:
            print_table(["start", "end"], [[window.start, window.end] for window in windows])
        return 0
    lock, count = threading.Lock(), 0

    def tell(ended: WindowRun) -> None:
        nonlocal count
        with lock:
            count += 1
            mark = {"finished": "✓", "present": "="}.get(ended.state, "✗")
            click.echo(f"  {mark} {count}/{len(windows)}  {ended.window.name}  {ended.error or ended.run}", err=True)

    with open_workspace(workspace_folder, url) as workspace:
        chosen, services = prepare(workspace, pipeline, None)
        found = run_windows(
            chosen, windows, dict(split_pair(text) for text in given), services=services, jobs=jobs, again=again,
            tell=tell,
        )  # fmt: skip
    failed = sum(ended.state == "failed" for ended in found)
    if as_json:
        print_json(found)
    else:
        states = {state: sum(ended.state == state for ended in found) for state in ("finished", "present", "failed")}
        click.echo(", ".join(f"{number} {state}" for state, number in states.items() if number))
    return 1 if failed else 0
