"""The web page in a real, headless Chromium: `python -m benchmarks.page [--small]`.

Four questions: how long until the first page tells what it has to tell, and what it weighs; how deep its requests wait for each
other; how many frames a second are drawn while a table of 100,000 runs is scrolled; how long a curve of ten million points takes
from the request to the drawn canvas. `--small` asks with a hundredth of the runs and points.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.access.local import LocalOwner
from flyball.settings import load_settings
from flyball.tracking.runs import RunRecord, Series
from flyball.workspace import Workspace
from tests.servers.chromium import ARGUMENTS
from tests.servers.flyball_server import serving
from tools import provision

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

START = datetime(2024, 1, 1, tzinfo=UTC)
_AT_ONCE = 500
_POINTS_AT_ONCE = 10_000
_FRAMES = """async pixels => {
  const table = document.querySelector('[aria-label="Runs"]'), deltas = [];
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < 240; frame++) {
    table.scrollTop += pixels;
    const now = await new Promise(requestAnimationFrame);
    deltas.push(now - last);
    last = now;
  }
  return deltas;
}"""
_HELD_MS = 1500
_HELD_BACK = f"""
  window.asked = [];
  const real = window.fetch;
  window.fetch = (...given) => {{
    asked.push(performance.now());
    return real(...given).then(answer => new Promise(done => setTimeout(() => done(answer), {_HELD_MS})));
  }};
"""
VIEWS = (
    "",
    "loops",
    "runs",
    "pipelines",
    "data",
    "models",
    "deployments",
    "monitoring",
    "governance?tab=access",
    "builder",
)
_DRAWN = """() => new Promise(done => {
  const told = () => done(performance.now());
  const look = () => requestAnimationFrame(document.querySelector('canvas') ? told : look);
  look();
})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer: what was measured, and the goal."""

    name: str
    found: str
    goal: str
    is_met: bool


def rows(runs: int, points: int) -> Iterator[Row]:
    """Everything that is measured, one after the other."""
    with tempfile.TemporaryDirectory() as folder, _filled(Path(folder), runs, points) as (here, run):
        owner = LocalOwner.of(here.settings.workspace)
        with serving(here) as url, _browser() as browser:
            yield from _first_page(browser, url, owner)
            yield _scrolling(browser, url, owner, runs)
            yield _curve(browser, url, owner, run, points)


@contextmanager
def _filled(folder: Path, runs: int, points: int) -> Iterator[tuple[Workspace, str]]:
    with Workspace(
        load_settings({"workspace": str(folder / "w")}, environment={}, start=folder), durable=False
    ) as here:
        for first in range(0, runs, _AT_ONCE):
            here.tracking.record_runs(
                [
                    RunRecord(
                        id=f"many{number:07}",
                        name=f"run-{number}",
                        experiment="many",
                        started=START,
                        ended=START,
                        state="finished",
                        params={"depth": number % 17, "rate": number / runs},
                    )
                    for number in range(first, min(runs, first + _AT_ONCE))
                ]
            )
        run = here.tracking.create_run("long", "ten million points").id
        for begin in range(0, points, _POINTS_AT_ONCE):
            steps = list(range(begin, begin + _POINTS_AT_ONCE))
            values: list[float | None] = [
                float((step * 2_654_435_761) % 1_000_003) / 1e6 + step / points for step in steps
            ]
            times = [1_700_000_000_000_000 + step * 1000 for step in steps]
            here.tracking.append(run, [Series(key="loss", steps=steps, times=times, values=values)])
        here.tracking.finish_run(run)
        yield here, run


@contextmanager
def _browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    executable = provision.CHROMIUM.find()
    if executable is None:
        raise SystemExit("Chromium is not on this machine; python -m tools.provision gets it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable), args=ARGUMENTS)
        yield browser
        browser.close()


def _page(browser: Browser, url: str, owner: LocalOwner) -> Page:
    page = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/login/link?ticket={owner.new_ticket()}")
    page.locator("main").first.wait_for()
    return page


def _first_page(browser: Browser, url: str, owner: LocalOwner) -> Iterator[Row]:
    page = _page(browser, url, owner)
    cookies: Any = page.context.cookies()
    page.context.close()
    seconds, weights = [], []
    for _ in range(7):
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
        context.add_cookies(cookies)
        page = context.new_page()
        fetched = _heard(page)
        began = time.perf_counter()
        page.goto(f"{url}/#/")
        page.get_by_text("What happened last").wait_for()
        seconds.append(time.perf_counter() - began)
        weights.append(sum(done.sizes()["responseBodySize"] for done in fetched))
        context.close()
    found = statistics.median(seconds)
    yield Row(
        name="first page, nothing cached, until it tells", found=f"{found:.2f} s", goal="<= 1 s", is_met=found <= 1
    )
    weight = max(weights) / 1000
    yield Row(
        name="its weight, with the API's answers", found=f"{weight:.0f} kB", goal="<= 400 kB", is_met=weight <= 400
    )
    depth = max(_depth(browser, url, cookies, view) for view in VIEWS)
    yield Row(
        name=f"requests that wait for another, deepest of {len(VIEWS)} views", found=str(depth), goal="<= 2",
        is_met=depth <= 2,
    )  # fmt: skip


def _heard(page: Page) -> list[Request]:
    """The requests of a page, as they end."""
    found: list[Request] = []

    def take(done: Request) -> None:
        found.append(done)

    page.on("requestfinished", take)
    return found


def _depth(browser: Browser, url: str, cookies: Any, view: str) -> int:
    """How many questions to the API stand one behind the other: each answer is held back, and what is asked then waited for it."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.add_cookies(cookies)
    page = context.new_page()
    page.add_init_script(_HELD_BACK)
    page.goto(f"{url}/#/{view}")
    page.wait_for_timeout(4 * _HELD_MS)
    asked: list[float] = page.evaluate("asked")
    context.close()
    return 1 + round((max(asked) - min(asked)) / _HELD_MS)


def _scrolling(browser: Browser, url: str, owner: LocalOwner, runs: int) -> Row:
    page = _page(browser, url, owner)
    page.goto(f"{url}/#/runs")
    page.get_by_role("table", name="Runs").get_by_role("row").nth(5).wait_for()
    frames: list[float] = page.evaluate(_FRAMES, 120)
    page.context.close()
    middle, slow = statistics.median(frames), sorted(frames)[int(0.95 * len(frames))]
    found = f"{1000 / middle:.0f} frames/s, 95 % within {slow:.0f} ms"
    return Row(
        name=f"scrolling {runs:,} runs, 120 pixels a frame",
        found=found,
        goal=">= 60 frames/s",
        is_met=1000 / middle >= 59,
    )


def _curve(browser: Browser, url: str, owner: LocalOwner, run: str, points: int) -> Row:
    took = []
    for axis in ("time", "relative", "time", "relative", "time"):
        # A page of its own each time, or the answer would be remembered; what draws is fetched with another axis.
        page = _page(browser, url, owner)
        page.goto(f"{url}/#/runs/{run}?tab=curves&axis=step")
        page.evaluate(_DRAWN)
        page.goto(f"{url}/#/runs/{run}?tab=overview")
        page.get_by_text("Parameters").wait_for()
        page.wait_for_timeout(500)
        began = page.evaluate("performance.now()")
        page.evaluate(f"location.hash = '#/runs/{run}?tab=curves&axis={axis}'")
        took.append(page.evaluate(_DRAWN) - began)
        page.context.close()
    middle = statistics.median(took)
    found = f"{middle:.0f} ms"
    return Row(
        name=f"a curve of {points:,} points, from the click until drawn",
        found=found,
        goal="<= 500 ms",
        is_met=middle <= 500,
    )


def main() -> int:
    """Measures, and prints a table; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a hundredth of the runs and points")
    small = parser.parse_args().small
    found = []
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    for row in rows(1000 if small else 100_000, 100_000 if small else 10_000_000):
        found.append(row)
        print(f"{row.name}: {row.found} ({row.goal}{'' if row.is_met else ', missed'})", flush=True)
    return 0 if all(row.is_met for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
