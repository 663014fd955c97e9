"""The web page in a real browser: what it shows, what its buttons do, and that it is fit for everybody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from flyball.data.dataset import Dataset
from flyball.deployment.rollout import immediate
from flyball.evaluation.scores import MetricValue
from flyball.features.definition import FeatureView
from flyball.labels.task import LabelSet, NewItem
from flyball.loops.loop import Loop
from flyball.models.package import save_model
from flyball.monitoring.windows import Window
from flyball.serialization import digest
from flyball.server.page import built_page
from flyball.tracking.nouns import RunRecord
from flyball.tracking.runs import MetricPoint
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class
from tests.registry.constant import always_seven
from tests.servers.absent import NOT_RUN

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & \"'><script>throw 1</script>"
START = datetime(2024, 3, 1, tzinfo=UTC)
AXE = Path(__file__).resolve().parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = {
    "": ("Needs you", "Inputs drifted", "Version 2 of churn"),
    "loops": ("churn", "Version 2 answers"),
    "loops/churn": ("roc_auc of the live predictions", "the champion is old", "Train now"),
    "loops/churn?show=plan": ("7 days", "train_churn"),
    "runs": ("nightly", "0.712", "1 run"),
    "pipelines": ("churn_pipeline",),
    "data": ("orders", "flyball data list"),
    "data/orders": ("No snapshot yet", "Facts"),
    "labels": ("mood", "0 of 2 done"),
    "features": ("weather", "6 hours"),
    "models": ("churn",),
    "models/churn": ("candidate", "not judged"),
    "models/churn/1": ("What it is", "Facts"),
    "deployments": ("churn", "none"),
    "deployments/churn": ("version 2", "better", "Roll back"),
    "monitoring": ("churn", "active alert"),
    "monitoring/churn?tab=performance": ("roc_auc over time",),
    "alerts": ("Inputs drifted", "Acknowledge"),
    "governance": ("Nobody has asked for an approval yet",),
    "events": ("Loop churn was handed over", "deployment.changed"),
}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    if not (built_page() / "index.html").exists() or not AXE.exists():
        pytest.skip(f"{NOT_RUN}the page is not built on this machine (make ui builds it)")


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
    page.emulate_media(reduced_motion="reduce")
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
    tags = {"pipeline": "churn_pipeline"}
    run = workspace.tracking.create_run("churn", "nightly", kind="pipeline", params={"depth": 3}, tags=tags)
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
    workspace.data.declare(Dataset(name="orders", source="orders.csv", key="id"))
    view = FeatureView(name="weather", source="w.parquet", entity=("origin",), time="at", ttl_seconds=21600.0)
    workspace.features.declare(view)
    workspace.labels.declare(LabelSet(name="mood", task="classify", items="text", classes=("good", "bad")))
    items = [NewItem(key=key, data={"text": text}) for key, text in (("a", "Very nice"), ("b", "Not at all"))]
    workspace.labels.add_items("mood", items)
    return run.id


def see(page: Page, url: str, view: str, *facts: str) -> None:
    """Opens a view and waits until each of the facts is on it."""
    page.goto(f"{url}/#/{view}")
    for fact in facts:
        page.locator("main").get_by_text(fact).first.wait_for()


def confirm(page: Page, button: str, **fields: str) -> None:
    """Fills the dialog that is open and says yes."""
    dialog = page.get_by_role("dialog")
    for label, text in fields.items():
        dialog.get_by_label(label.replace("_", " ")).fill(text)
    dialog.get_by_role("button", name=button, exact=True).click()
    dialog.wait_for(state="hidden")


def is_within(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def faults(page: Page, only: str = "") -> list[str]:
    """What axe finds serious or critical, as words; by one of its rules, or by all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    asked = {"resultTypes": ["violations"]} | ({"runOnly": [only]} if only else {})
    found = page.evaluate("asked => axe.run(document, asked)", asked)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['any'][:1]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_every_view_shows_its_facts_to_everybody(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    """Wide and narrow, light and dark, by keyboard and screen reader: axe finds no serious fault."""
    workspace.alerts.open("critical", "drift", "deployments:/churn", "long", "x" * 200, "y" * 400)
    for view, facts in {**VIEWS, f"runs/{run}": ("nightly", "churn version 1")}.items():
        seen.emulate_media(color_scheme="light")
        seen.set_viewport_size({"width": 1280, "height": 800})
        see(seen, url, view, *facts)
        assert faults(seen) == [], view
        seen.emulate_media(color_scheme="dark")
        seen.set_viewport_size({"width": 390, "height": 800})
        assert faults(seen, "color-contrast") == [], view
        assert is_within(seen), view


def test_an_empty_workspace_teaches_how_to_begin(seen: Page, url: str) -> None:
    for view, command in {
        "": "flyball apply",
        "loops": "flyball demo",
        "runs": "flyball run PIPELINE",
        "pipelines": "flyball init my-project",
        "models": "flyball run PIPELINE",
        "deployments": "flyball deployments deploy NAME MODEL/VERSION",
        "data": "flyball data snapshot NAME FILE",
        "labels": "flyball labels create",
        "features": "flyball apply",
        "alerts": "Nothing to see to",
        "events": "Nothing has happened yet",
    }.items():
        see(seen, url, view, command)


def test_a_loop_is_paused_with_a_reason_as_the_command_line_sees_it(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    see(seen, url, "loops/churn", "the champion is old")
    seen.get_by_role("button", name="Pause").click()
    assert "flyball loops pause churn" in seen.get_by_role("dialog").inner_text()
    confirm(seen, "Pause", Reason=HOSTILE)
    seen.get_by_role("button", name="Resume").wait_for()
    assert seen.locator("main .note").inner_text() == f"Paused: {HOSTILE}"
    command = [sys.executable, "-m", "flyball.cli", "loops", "list", "--json", "--url", url]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(listed.stdout)[0]["state"] == "paused"
    seen.get_by_role("button", name="Resume").click()
    seen.get_by_role("button", name="Pause").wait_for()
    assert workspace.loops.get("churn").loop.paused == ""


def test_a_rollback_is_asked_about_can_be_left_and_is_done(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    see(seen, url, "deployments/churn", "better")
    seen.get_by_role("button", name="Roll back").click()
    seen.keyboard.press("Escape")
    seen.get_by_role("dialog").wait_for(state="hidden")
    assert workspace.deployments.get("churn").champion == 2
    seen.get_by_role("button", name="Roll back").click()
    confirm(seen, "Roll back", Reason="it is slow")
    seen.get_by_text("it is slow").first.wait_for()
    assert workspace.deployments.get("churn").champion == 1


def test_an_alert_is_acknowledged_then_resolved(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "alerts", "Inputs drifted")
    seen.get_by_role("button", name="Acknowledge").click()
    seen.get_by_role("button", name="Acknowledge").wait_for(state="detached")
    assert [a.state for a in workspace.alerts.list()] == ["acknowledged"]
    seen.get_by_role("button", name="Resolve").click()
    confirm(seen, "Resolve", Reason="summer is over")
    see(seen, url, "alerts?state=resolved", "summer is over")
    assert [a.resolution for a in workspace.alerts.list()] == ["summer is over"]


def test_what_the_server_refuses_is_said(url: str, page: Page, run: str, workspace: Workspace) -> None:
    see(page, url, "alerts", "Inputs drifted")
    page.route("**/api/alerts/acknowledge", lambda route: route.fulfill(status=502, body="<b>bad gateway</b>"))
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("alert").get_by_text("The server answered 502").wait_for()
    page.close()


def test_hostile_text_is_text(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    workspace.alerts.open("critical", "drift", "deployments:/churn", HOSTILE, HOSTILE, HOSTILE)
    workspace.deployments.deploy("churn", "churn", 1, reason=HOSTILE)
    workspace.loops.decide("churn", "promote", "x", HOSTILE, {})
    workspace.tracking.create_run("churn", HOSTILE, id="hostile", params={HOSTILE: HOSTILE})
    for view in ("", "loops/churn", "deployments/churn", "alerts", "events", "runs", "runs/hostile"):
        see(seen, url, view, HOSTILE)
        assert seen.locator("main img, main script").count() == 0, view
        assert seen.title() != "taken"


def test_what_happens_is_shown_without_asking_again(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "loops/churn", "the champion is old")
    seen.get_by_text("live", exact=True).wait_for()
    seen.get_by_role("button", name="Train now").focus()
    workspace.loops.decide("churn", "refuse", "version:3", "version 3 is no better", {})
    seen.get_by_text("version 3 is no better").first.wait_for()
    assert seen.evaluate("document.activeElement.textContent") == "Train now"


def test_runs_are_searched_picked_compared_and_shared_by_address(
    seen: Page, url: str, workspace: Workspace, page: Page
) -> None:
    for depth in (1, 2, 3):
        run = workspace.tracking.create_run("trees", f"tree-{depth}", params={"depth": depth, "seed": 7})
        points = [MetricPoint(key="loss", value=1 / (step + depth), step=step, at=START) for step in range(20)]
        workspace.tracking.log(run.id, metrics=points)
        workspace.tracking.finish_run(run.id)
    # A browser started without a locale names one that is none.
    seen.add_init_script("Object.defineProperty(navigator, 'language', {value: 'en-US@posix', configurable: true})")
    see(seen, url, "runs", "3 runs", "tree-1")
    box = seen.get_by_label("Filter", exact=True)
    box.fill("params.dep")
    seen.get_by_role("option", name="params.depth").click()
    assert box.input_value() == "params.depth "
    box.fill("params.depth > 1")
    box.press("Enter")
    seen.get_by_text("2 runs", exact=True).wait_for()
    shared = seen.url
    assert "filter=params.depth" in shared
    seen.goto("about:blank")
    seen.goto(shared)
    seen.get_by_text("2 runs", exact=True).wait_for()
    for name in ("tree-2", "tree-3"):
        seen.get_by_label(f"Pick run {name}").check()
    seen.get_by_role("button", name="Compare").click()
    seen.get_by_role("heading", name="Compare 2 runs").wait_for()
    assert seen.get_by_role("row", name="depth").inner_text().split() == ["depth", "2", "3"]
    seen.get_by_role("tab", name="Curves").click()
    seen.locator("canvas").first.wait_for()
    seen.get_by_role("tab", name="Scatter").click()
    seen.get_by_role("link", name="tree-2: 2").wait_for()
    assert faults(seen) == []


def test_a_filter_that_is_none_says_why_and_stays_to_be_mended(page: Page, url: str, run: str) -> None:
    see(page, url, "runs?filter=metrics.auc+%3E")
    page.get_by_role("alert").filter(has_text="filter").wait_for()
    assert page.get_by_label("Filter", exact=True).input_value() == "metrics.auc >"
    page.close()


def test_of_many_runs_only_those_in_sight_are_in_the_page(seen: Page, url: str, workspace: Workspace) -> None:
    ended = RunRecord(id="", experiment="many", started=START, ended=START, state="finished")
    records = [replace(ended, id=f"many{number:03}", name=f"run-{number:03}") for number in range(700)]
    workspace.tracking.record_runs(records)
    see(seen, url, "runs?order=name+ASC", "700 runs", "run-000")
    table = seen.get_by_role("table", name="Runs")
    assert 10 < table.get_by_role("row").count() < 70
    while not table.get_by_text("run-699").is_visible():
        table.evaluate("table => { table.scrollTop = table.scrollHeight }")
        seen.wait_for_timeout(50)
    assert table.get_by_role("row").count() < 70


def test_a_run_is_put_into_the_trash_and_restored(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, f"runs/{run}", "nightly")
    seen.get_by_role("button", name="Put into the trash").click()
    confirm(seen, "Put into the trash")
    seen.get_by_text("In the trash since").wait_for()
    assert workspace.tracking.get_run(run).deleted is not None
    seen.get_by_role("button", name="Restore").click()
    seen.get_by_role("button", name="Put into the trash").wait_for()
    assert workspace.tracking.get_run(run).deleted is None


def test_artifacts_are_shown_and_html_is_fenced_off(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    script = "<p id=p>dead</p><script>try { p.textContent = parent.document.title } catch { p.textContent = 'fenced' }</script>"
    for name, content in (("report.html", script), ("table.csv", "name,score\nada,3\n"), ("log.txt", "it began")):
        data = content.encode()
        workspace.tracking.log_artifact(run, name, workspace.blobs.put(data), len(data), "file")
    assert digest(script.encode()) in [a.digest for a in workspace.tracking.list_artifacts(run)]
    see(seen, url, f"runs/{run}?tab=artifacts")
    seen.frame_locator("iframe").get_by_text("fenced").wait_for()
    assert seen.title() != "taken"
    seen.get_by_role("button", name="table.csv").click()
    seen.get_by_role("cell", name="ada").wait_for()
    see(seen, url, f"runs/{run}?tab=logs", "it began")


def test_addresses_of_mlflows_page_lead_to_the_same_things(seen: Page, url: str, run: str) -> None:
    see(seen, url, f"experiments/1/runs/{run}", "nightly", f"flyball runs show {run}")
    see(seen, url, "models/churn/versions/2", "churn version 2", "flyball models card churn/2")


def test_a_version_is_approved_commented_on_and_deprecated_by_name(
    seen: Page, url: str, run: str, workspace: Workspace
) -> None:
    workspace.approvals.request("churn/1", by="ada", note="please look")
    see(seen, url, "models/churn/1?tab=people", "please look")
    seen.get_by_role("button", name="Approve").click()
    confirm(seen, "Approve", Reason="it is good", Your_name="bob")
    seen.get_by_text("bob: approve, it is good").wait_for()
    assert workspace.approvals.list("churn/1")[0].approved_by == ("bob",)
    seen.get_by_role("button", name="Comment").click()
    assert seen.get_by_label("Your name").input_value() == "bob"
    confirm(seen, "Comment", Text=HOSTILE)
    seen.locator(".comment").get_by_text("<script>throw 1</script>").wait_for()
    seen.get_by_role("button", name="Deprecate").click()
    confirm(seen, "Deprecate", Reason="too old")
    seen.get_by_text("Deprecated: too old").wait_for()


def test_things_are_labelled_by_keys(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "labels/mood/work", "Who labels?")
    seen.get_by_label("Your name").fill("ann")
    seen.keyboard.press("Enter")
    seen.get_by_text("Very nice").wait_for()
    seen.keyboard.press("1")
    seen.get_by_text("Not at all").wait_for()
    seen.keyboard.press("u")
    seen.get_by_text("Very nice").wait_for()
    seen.keyboard.press("1")
    seen.get_by_text("Not at all").wait_for()
    seen.keyboard.press("2")
    seen.get_by_text("Nothing is left for you").wait_for()
    assert {label.item: label.value for label in workspace.labels.current("mood")} == {"a": "good", "b": "bad"}


def test_things_are_found_by_name_with_the_keyboard_alone(seen: Page, url: str, run: str) -> None:
    see(seen, url, "events", "Loop churn was handed over")
    seen.keyboard.press("Tab")
    assert seen.evaluate("document.activeElement.textContent") == "Skip to content"
    seen.keyboard.press("Control+k")
    seen.get_by_role("combobox", name="Search").fill("weather")
    seen.get_by_role("option", name="weather").wait_for()
    assert faults(seen) == []
    seen.keyboard.press("Enter")
    seen.get_by_role("heading", name="weather").wait_for()


def test_the_time_is_called_virtual_only_where_it_is(seen: Page, url: str, run: str, workspace: Workspace) -> None:
    see(seen, url, "runs", "nightly")
    seen.get_by_text("times are UTC", exact=True).wait_for()
    workspace.clock.set("2030-01-01")
    seen.reload()
    seen.get_by_text("virtual time 2030-01-01 00:00").wait_for()


@pytest.mark.parametrize("view", ["nowhere", "constructor", "loops/%E0%A4%A", "loops/absent"])
def test_a_page_that_is_not_there_says_so(url: str, page: Page, view: str) -> None:
    see(page, url, view, "There is no")
    page.close()


def test_the_description_of_the_api_lists_every_verb(seen: Page, url: str) -> None:
    seen.goto(f"{url}/api/docs")
    seen.locator("section.verb").first.wait_for()
    listed = {text.split()[1] for text in seen.locator("section.verb h2 code").all_inner_texts()}
    assert listed == {f"/api/{room}/{verb}" for room in SERVICES for verb in verbs_of(service_class(room))}
    assert "NotFound: there is no such alert" in seen.locator("#alerts_get").inner_text()


def test_the_first_page_weighs_at_most_400_kb_and_asks_nobody_else(seen: Page, url: str, run: str) -> None:
    fetched: list[tuple[str, int]] = []
    seen.on("requestfinished", lambda done: fetched.append((done.url, done.sizes()["responseBodySize"])))
    see(seen, url, "", "Needs you")
    own = [size for address, size in fetched if "/page/" in address or address.rstrip("/") == url]
    assert all(address.startswith(url) for address, _ in fetched)
    assert 50_000 < sum(own) <= 400_000
