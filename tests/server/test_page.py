from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from flyball.deployment.rollout import immediate
from flyball.evaluation.scores import MetricValue
from flyball.loops.loop import Loop
from flyball.models.package import save_model
from flyball.monitoring.windows import Window
from flyball.tracking.runs import MetricPoint
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class
from tests.registry.constant import always_seven

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & \"'><script>throw 1</script>"
START = datetime(2024, 3, 1, tzinfo=UTC)
VIEWS = {
    "loops": ("churn", "Version 2 answers", "1 open alert", "flyball loops list"),
    "loops/churn": (
        "roc_auc of the live predictions",
        "the champion is old",
        "7 days",
        "roc_auc 0.712 (0.680 to 0.740)",
    ),
    "runs": ("nightly", "finished", "0.712", "1 run", "flyball runs list"),
    "runs?filter=metrics.auc+%3E+0.9": ("No run fits", "--filter 'metrics.auc > 0.9'"),
    "experiments/1": ("nightly",),
    "models": ("churn", "flyball models list"),
    "models/churn": ("candidate", "not judged", "flyball models list churn"),
    "deployments": ("churn", "none"),
    "deployments/churn": ("version 2", "better", "Roll back"),
    "data": ("No dataset yet", "flyball data snapshot NAME FILE"),
    "alerts": ("Inputs drifted", "Acknowledge"),
    "events": ("loops.applied", "deployment.changed"),
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The page knows no database: one kind is enough."""
    return sqlite_url


@pytest.fixture
def seen(url: str, page: Page) -> Iterator[Page]:
    """A page whose console must stay without errors, those of the content security policy among them.

    It asks for the server first, so that the page is gone before the server ends.
    """
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    page.close()
    assert not said, f"The console says: {said}"


@pytest.fixture
def run(workspace: Workspace) -> str:
    """The run of a small workspace with one of everything."""
    plan = Loop(
        name="churn", pipeline="train_churn", params={}, retrain=(), gates=(), rollout=immediate(), monitors=(),
        window_seconds=604800.0, label_delay_seconds=0.0, cooldown_seconds=3600.0, max_trainings_per_week=7,
    )  # fmt: skip
    workspace.loops.apply(plan)
    workspace.loops.decide("churn", "retrain", "age", "the champion is old", {})
    run = workspace.tracking.create_run("churn", "nightly", kind="pipeline")
    workspace.tracking.log(run.id, metrics=[MetricPoint(key="auc", value=0.712, at=START)])
    workspace.tracking.finish_run(run.id)
    package = save_model(always_seven, workspace.blobs, example=pa.table({"age": [1.0, 2.0]}))
    for version in (1, 2):
        workspace.registry.register("churn", package, run=run.id if version == 1 else "")
        workspace.deployments.deploy("churn", "churn", version, reason="better" if version == 2 else "first")
    for week in range(3):
        start = START + timedelta(weeks=week)
        auc = MetricValue(name="roc_auc", value=0.712 - week / 50, low=0.68, high=0.74, n=90)
        end = start + timedelta(weeks=1)
        workspace.monitoring.record_window(
            Window(deployment="churn", start=start, end=end, predictions=1234, labelled=90, performance=(auc,))
        )
    workspace.alerts.open("warning", "drift", "deployments:/churn", "drift", "Inputs drifted", "age rose")
    return run.id


def see(page: Page, url: str, view: str, *facts: str) -> None:
    """Opens a view and waits until each of the facts is on it."""
    page.goto(f"{url}/#/{view}")
    for fact in facts:
        page.locator("main").get_by_text(fact).first.wait_for()


def is_within(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_every_view_shows_its_facts_and_its_scripts_are_quiet(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    for view, facts in VIEWS.items():
        see(seen, url, view, *facts)
    see(seen, url, f"runs/{run}", "nightly", "0.712", "churn version 1", f"flyball runs show {run}")
    assert seen.title().startswith(run)


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 390), ("dark", 1280)])
def test_no_view_is_wider_than_the_screen(
    seen: Page, url: str, run: str, workspace: Workspace, scheme: str, width: int
) -> None:
    workspace.alerts.open("critical", "drift", "deployments:/churn", "long", "x" * 200, "y" * 400)
    workspace.loops.pause("churn", "z" * 300)
    seen.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    seen.set_viewport_size({"width": width, "height": 800})
    for view, facts in (*VIEWS.items(), (f"runs/{run}", ("nightly",))):
        see(seen, url, view, facts[0])
        assert is_within(seen), view
    see(seen, url, "../api/docs".removeprefix("../"))  # an unknown view, too, says so in words
    assert is_within(seen)
    ground = seen.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


def test_an_empty_workspace_teaches_how_to_begin(seen: Page, url: str) -> None:
    for view, command in {
        "loops": "flyball apply",
        "runs": "flyball run PIPELINE",
        "models": "flyball run PIPELINE",
        "deployments": "flyball deployments deploy NAME MODEL/VERSION",
        "data": "flyball data snapshot NAME FILE",
        "alerts": "Nothing to see to",
        "events": "Nothing has happened yet",
    }.items():
        see(seen, url, view, command)


def test_a_loop_is_paused_with_a_reason_and_resumed(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "loops/churn", "watching")
    seen.get_by_role("button", name="Pause").click()
    assert seen.locator("dialog code").inner_text() == "flyball loops pause churn"
    seen.get_by_label("Reason").fill(HOSTILE)
    seen.keyboard.press("Enter")
    seen.get_by_role("button", name="Resume").wait_for()

    assert workspace.loops.get("churn").loop.paused == HOSTILE
    assert seen.locator("main .error").inner_text() == f"Paused: {HOSTILE}"
    command = [sys.executable, "-m", "flyball.cli", "loops", "list", "--json", "--url", url]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(listed.stdout)[0]["state"] == "paused"

    seen.get_by_role("button", name="Resume").click()
    seen.get_by_role("button", name="Pause").wait_for()
    assert workspace.loops.get("churn").loop.paused == ""


def test_a_cancelled_question_changes_nothing(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "deployments/churn", "version 2")
    for leave in ("Cancel", "Escape"):
        seen.get_by_role("button", name="Roll back").click()
        if leave == "Cancel":
            seen.get_by_role("button", name="Cancel").click()
        else:
            seen.keyboard.press("Escape")
        seen.locator("dialog").wait_for(state="hidden")
    assert workspace.deployments.get("churn").champion == 2


def test_a_rollback_is_asked_about_and_done(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "deployments/churn", "version 2")
    seen.get_by_role("button", name="Roll back").click()
    assert "version 2" in seen.locator("#question").inner_text()
    seen.get_by_label("Reason").fill("it is slow")
    seen.locator("dialog").get_by_role("button", name="Roll back").click()
    seen.get_by_text("it is slow").wait_for()
    assert workspace.deployments.get("churn").champion == 1


def test_an_alert_is_acknowledged_then_resolved(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "alerts", "Inputs drifted")
    seen.get_by_role("button", name="Acknowledge").click()
    seen.get_by_text("acknowledged", exact=True).wait_for()
    assert [a.state for a in workspace.alerts.list()] == ["acknowledged"]

    seen.get_by_role("button", name="Resolve").click()
    seen.get_by_label("Reason").fill("summer is over")
    seen.locator("dialog").get_by_role("button", name="Resolve").click()
    seen.get_by_text("summer is over").wait_for()
    assert [a.resolution for a in workspace.alerts.list()] == ["summer is over"]


def test_what_the_server_refuses_is_said(url: str, page: Page, run: str, workspace: Workspace) -> None:
    see(page, url, "alerts", "Inputs drifted")
    stale = page.get_by_role("button", name="Acknowledge")
    page.evaluate("EventSource.prototype.addEventListener = () => {}")
    page.route("**/api/alerts/acknowledge", lambda route: route.fulfill(status=502, body="<b>bad gateway</b>"))
    stale.click()
    page.get_by_role("alert").get_by_text("The server answered 502").wait_for()
    assert stale.is_enabled()
    page.close()


def test_hostile_text_is_text(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    workspace.alerts.open("critical", "drift", "deployments:/churn", HOSTILE, HOSTILE, HOSTILE)
    workspace.deployments.deploy("churn", "churn", 1, reason=HOSTILE)
    workspace.loops.decide("churn", "promote", "x", HOSTILE, {})
    workspace.tracking.create_run("churn", HOSTILE, id="hostile", params={HOSTILE: HOSTILE})
    for view in ("loops", "loops/churn", "deployments/churn", "alerts", "events", "runs", "runs/hostile"):
        see(seen, url, view, HOSTILE)
        assert seen.locator("main img, main script").count() == 0, view
        assert seen.title() != "taken"


def test_what_happens_is_shown_without_asking_again(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "loops/churn", "the champion is old")
    seen.locator("#live").get_by_text("live").wait_for()
    seen.get_by_role("button", name="Train now").focus()
    workspace.loops.decide("churn", "refuse", "version:3", "version 3 is no better", {})
    seen.get_by_text("version 3 is no better").wait_for()
    assert seen.evaluate("document.activeElement.textContent") == "Train now"


def test_a_long_list_opens_further(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    for number in range(70):
        workspace.loops.decide("churn", "wait", f"cause {number}", f"reason {number}.", {})
    see(seen, url, "loops/churn", "reason 69.")
    shown = seen.locator("main table").first.locator("tbody tr")
    assert shown.count() == 20
    more = seen.get_by_role("button", name="Show more")
    more.click()
    seen.get_by_text("reason 20.").wait_for()
    more.click()
    seen.get_by_text("the champion is old").wait_for()
    assert shown.count() == 71
    assert more.count() == 0


def test_the_text_of_the_chart_is_as_large_on_every_screen(seen: Page, url: str, run: str) -> None:
    for screen, width in ((1280, 1209), (390, 358)):
        seen.set_viewport_size({"width": screen, "height": 800})
        see(seen, url, "loops/churn", "roc_auc of the live predictions")
        seen.locator(f"svg.chart[width='{width}']").wait_for()
        scale = "(({a, d}) => [a, d])(document.querySelector('svg.chart').getScreenCTM())"
        assert seen.evaluate(scale) == [1, 1]


def test_the_keyboard_reaches_the_content_past_the_rooms(seen: Page, url: str, run: str) -> None:
    see(seen, url, "loops", "churn")
    seen.keyboard.press("Tab")
    assert seen.evaluate("document.activeElement.textContent") == "Skip to content"
    seen.keyboard.press("Enter")
    seen.keyboard.press("Tab")
    assert seen.evaluate("document.activeElement.getAttribute('href')") == "#/loops/churn"


@pytest.mark.parametrize("view", ["nowhere", "constructor", "loops/%E0%A4%A", "loops/absent"])
def test_a_page_that_is_not_there_says_so(url: str, page: Page, view: str) -> None:
    see(page, url, view, "There is no")
    page.close()


def test_the_description_of_the_api_lists_every_verb(seen: Page, url: str) -> None:
    seen.goto(f"{url}/api/docs")
    seen.locator("section.verb").first.wait_for()
    listed = {text.split()[1] for text in seen.locator("section.verb h3 code").all_inner_texts()}
    assert listed == {f"/api/{room}/{verb}" for room in SERVICES for verb in verbs_of(service_class(room))}
    assert re.search(r"may fail\s+NotFound: there is no such alert", seen.locator("#alerts_get").inner_text())
    seen.set_viewport_size({"width": 390, "height": 800})
    assert is_within(seen)


def test_runs_are_searched_picked_and_compared(seen: Page, url: str, workspace: Workspace) -> None:
    for depth in (1, 2, 3):
        run = workspace.tracking.create_run("trees", f"tree-{depth}", params={"depth": depth, "seed": 7})
        points = [MetricPoint(key="loss", value=1 / (step + depth), step=step, at=START) for step in range(20)]
        workspace.tracking.log(run.id, metrics=points)
        workspace.tracking.finish_run(run.id)
    see(seen, url, "runs", "3 runs", "tree-1")
    seen.get_by_label("Filter").fill("params.depth > 1")
    seen.get_by_role("button", name="Search").click()
    seen.get_by_text("2 runs", exact=True).wait_for()
    assert "filter=params.depth" in seen.url
    for name in ("tree-2", "tree-3"):
        seen.get_by_label(f"Pick run {name}").check()
    seen.get_by_role("button", name="Compare picked").click()
    seen.get_by_role("heading", name="Compare 2 runs").wait_for()
    assert seen.get_by_role("row", name="depth").inner_text().split() == ["depth", "3", "2"]
    assert not seen.get_by_text("seed").count()
    assert seen.locator("svg.chart polyline").count() == 2
    assert is_within(seen)


def test_a_filter_that_is_none_says_why_and_stays_to_be_mended(page: Page, url: str, run: str) -> None:
    see(page, url, "runs?filter=metrics.auc+%3E", "Compare picked", "flyball runs list")
    page.get_by_role("alert").filter(has_text="filter").wait_for()
    assert page.get_by_label("Filter").input_value() == "metrics.auc >"
    page.close()


def test_what_is_typed_and_picked_stays_when_something_happens(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    see(seen, url, "runs", "1 run")
    seen.get_by_label("Filter").fill("metrics.auc > 0.5")
    seen.get_by_label("Pick run nightly").check()
    workspace.tracking.create_run("churn", "another")
    seen.get_by_text("another").wait_for()
    assert seen.get_by_label("Filter").input_value() == "metrics.auc > 0.5"
    assert seen.get_by_label("Pick run nightly").is_checked()


def test_an_address_of_mlflows_page_leads_to_the_same_run(seen: Page, url: str, run: str) -> None:
    see(seen, url, f"experiments/1/runs/{run}", "nightly", f"flyball runs show {run}")


def test_a_run_is_put_into_the_trash_and_restored(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, f"runs/{run}", "nightly")
    seen.get_by_role("button", name="Put into the trash").click()
    seen.locator("#yes").click()
    seen.get_by_text("In the trash since").wait_for()
    assert workspace.tracking.get_run(run).deleted is not None
    seen.get_by_role("button", name="Restore").click()
    seen.get_by_role("button", name="Put into the trash").wait_for()
    assert workspace.tracking.get_run(run).deleted is None


def test_the_time_is_called_virtual_only_where_it_is(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "runs", "nightly")
    seen.locator("#clock").get_by_text("Times are UTC.", exact=True).wait_for()
    workspace.clock.set("2030-01-01")
    see(seen, url, "loops", "churn")
    seen.get_by_text("time is virtual; it stands at 2030-01-01").wait_for()


def test_a_version_is_approved_commented_on_and_deprecated_by_name(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    workspace.approvals.request("churn/1", by="ada", note="please look")
    see(seen, url, "models/churn", "candidate")
    seen.get_by_role("link", name="1", exact=True).click()
    seen.get_by_role("heading", name="churn version 1").wait_for()
    seen.get_by_role("button", name="Approve").click()
    seen.get_by_label("Your name").fill("bob")
    seen.get_by_label("Reason").fill("it is good")
    seen.locator("#yes").click()
    seen.get_by_text("bob: approve, it is good").wait_for()
    assert workspace.approvals.list("churn/1")[0].approved_by == ("bob",)
    seen.get_by_role("button", name="Comment").click()
    assert seen.get_by_label("Your name").input_value() == "bob"
    seen.get_by_label("Text").fill(HOSTILE)
    seen.locator("#yes").click()
    seen.locator(".notes").get_by_text("<script>throw 1</script>").wait_for()
    seen.get_by_role("button", name="Deprecate").click()
    seen.get_by_label("Reason").fill("too old")
    seen.locator("#yes").click()
    seen.get_by_text("Deprecated: too old").wait_for()
    assert is_within(seen)


def test_an_address_of_mlflows_page_leads_to_the_same_version(seen: Page, url: str, run: str) -> None:
    see(seen, url, "models/churn/versions/2", "version 2", "flyball models card churn/2")
