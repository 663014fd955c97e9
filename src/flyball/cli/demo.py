"""`flyball demo`: the whole loop on real data, by the ordinary commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from flyball.cli.output import print_json
from flyball.errors import InvalidInput, WorkFailed

_LOOP = "late-flights"
_START, _END, _FAST_END = "2013-03-01", "2014-01-01", "2013-07-01"
_SAMPLE = 8
_STILL_UP_SECONDS = 30.0
_FILES = ("flyball.toml", "flights.py", "prepare.py", "README.md")


@click.command()
@click.option("--fast", is_flag=True, help=f"Replay a sample: every {_SAMPLE}th flight, March to June; about a minute.")
@click.option("--folder", metavar="DIR", help="Where to work (default demo, or demo-fast).")
@click.option("--fresh", is_flag=True, help="Begin again, even if an earlier one stands in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def demo(fast: bool, folder: str | None, fresh: bool, as_json: bool) -> None:
    """Take a model round the loop for a year of flights, on real data.

    Trains on January and February 2013, deploys, and replays March to December as live traffic; the loop watches, retrains,
    gates and rolls out by itself. Stopped or killed at any point, it goes on where it was when it is started again.
    """
    from flyball.cli.demo_report import collect, show, write_html

    began = time.monotonic()
    root = Path(folder or ("demo-fast" if fast else "demo")).resolve()
    if fresh and root.exists():
        _check_ours(root)
        shutil.rmtree(root)
    tell = _Teller(quiet=as_json)
    _prepare(root, _SAMPLE if fast else 1, tell)
    if not (root / "frozen.parquet").exists():
        _first_version(root, tell)
        with _up(root) as url:
            tell(f"the workspace is up at {url}; the year begins")
            _wait_for_deployment(root)
            _replay(root, _FAST_END if fast else _END, "6h" if fast else "1h", tell)
        tell("scoring the whole year with the first version, for comparison")
        _flyball(
            root, "predict", f"models:/{_LOOP}/1", "--input", "data/history.parquet", "--features", "weather",
            "--time", "scheduled_at", "--keep", "flight_id", "--output", "frozen.parquet",
        )  # fmt: skip
    tell("summing up")
    story = collect(root, seconds=time.monotonic() - began)
    report = root / "report.html"
    write_html(story, report)
    if as_json:
        print_json({**story, "report": str(report), "folder": str(root)})
        return
    show(story)
    click.echo(f"\nReport:     {report}")
    click.echo(f"Look round: cd {_short(root)} && flyball up        (then open the address it prints)")
    click.echo(f"            flyball loops why {_LOOP}     flyball models list {_LOOP}     flyball trace PREDICTION_ID")


def _prepare(root: Path, sample: int, tell: _Teller) -> None:
    done = root / "data" / "prepared"
    if done.exists():
        if done.read_text(encoding="utf-8") != str(sample):
            raise InvalidInput(f"{root} holds a demo of another size.", hint="Give another --folder, or --fresh.")
        tell(f"going on with what stands in {root}")
        return
    tell(f"laying out the flights of 2013 in {root}")
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        _check_ours(root)
    for name in _FILES:
        shutil.copyfile(_example() / name, root / name)
    _run([sys.executable, "prepare.py", "--sample", str(sample)], root)
    done.write_text(str(sample), encoding="utf-8")


def _first_version(root: Path, tell: _Teller) -> None:
    _flyball(root, "clock", _START, accept=(0, 1))
    models = json.loads(_flyball(root, "models", "list", "--json"))
    if not any(model["name"] == _LOOP for model in models):
        tell("training the first version on January and February")
        _flyball(root, "run", "late_flights")
    _flyball(root, "apply")


@contextmanager
def _up(root: Path) -> Iterator[str]:
    """Runs `flyball up` as long as this process lives."""
    log = root / ".flyball" / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _STILL_UP_SECONDS
    while True:
        process, said = _start_up(root, log)
        if said:
            break
        words = log.read_text(encoding="utf-8").strip().splitlines()
        # The children of a demo that was killed a moment ago may still be on their way out.
        if process.wait() != 1 or "is up already" not in "".join(words[-2:]) or time.monotonic() > deadline:
            raise WorkFailed(f"`flyball up` ended: {words[-1] if words else 'without a word'}", hint=f"See {log}.")
        time.sleep(0.5)
    try:
        yield json.loads(said)["url"]
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _start_up(root: Path, log: Path) -> tuple[subprocess.Popen[str], str]:
    """Starts `flyball up`; gives the process, and what it said when it was ready: nothing if it ended instead."""
    command = [sys.executable, "-m", "flyball.cli", "up", "--port", "0", "--with-parent", "--json"]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    said = process.stdout.readline()
    return process, said if said.startswith('{"url"') else ""


def _wait_for_deployment(root: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = json.loads(_flyball(root, "deployments", "list", "--json"))
        if any(deployment["name"] == _LOOP for deployment in found):
            return
        time.sleep(0.3)
    raise WorkFailed("The first version was not deployed.", hint=f"Run `flyball alerts list` in {root}.")


def _replay(root: Path, end: str, batch: str, tell: _Teller) -> None:
    command = [
        sys.executable, "-m", "flyball.cli", "replay", _LOOP, "--dataset", "flights", "--features", "weather",
        "--history", "data/history.parquet", "--from", _START, "--to", end, "--collect", "data/flights",
        "--batch", batch, "--json",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    last = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            share, _, words = line.strip().partition(" ")
            try:
                tell.progress(float(share), words)
            except ValueError:
                last = f"{last} {line.strip()}".strip()
        if process.wait() != 0:
            raise WorkFailed(f"The replay ended early: {last}", hint="Start the demo again; it goes on where it was.")
    finally:
        process.kill()
        tell.end()


def _flyball(root: Path, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
    return _run([sys.executable, "-m", "flyball.cli", *arguments], root, accept)


def _run(command: list[str], root: Path, accept: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode not in accept:
        words = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise WorkFailed(f"`{' '.join(Path(c).name for c in command[:3])} ...` failed: {words}")
    return done.stdout


def _example() -> Path:
    packaged = Path(__file__).parents[1] / "_examples" / "flights"
    checkout = Path(__file__).parents[3] / "examples" / "flights"
    for folder in (packaged, checkout):
        if (folder / "flights.py").is_file():
            return folder
    raise WorkFailed("The flights example is not part of this installation.", hint="Install Flyball again.")


def _check_ours(root: Path) -> None:
    if not (root / "prepare.py").is_file():
        raise InvalidInput(f"{root} is not empty and holds no demo.", hint="Give another --folder.")


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


class _Teller:
    """Says what is happening now: a bar on a terminal, lines elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._out: IO[str] = sys.stderr
        self._live = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._tenth = -1
        self._bar = False

    def __call__(self, words: str) -> None:
        if not self._quiet:
            self._out.write(f"• {words}\n")
            self._out.flush()

    def progress(self, share: float, words: str) -> None:
        if self._live:
            filled = round(share * 30)
            self._out.write(f"\r\x1b[K  {'━' * filled}{'╌' * (30 - filled)} {share:4.0%}  {words}")
            self._out.flush()
            self._bar = True
        elif not self._quiet and int(share * 10) != self._tenth:
            self._tenth = int(share * 10)
            self._out.write(f"  {share:4.0%}  {words}\n")
            self._out.flush()

    def end(self) -> None:
        if self._bar:
            self._out.write("\n")
            self._bar = False
