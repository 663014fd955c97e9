"""The page where work is asked for and governed: what its forms do, seen through the command line and the workspace."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.access.local import LocalOwner
from flyball.data.dataset import Dataset
from flyball.data.snapshot import take_snapshot
from flyball.loops.lease import LEASE
from flyball.model_search.search import Candidate, Result, Rung, Wanted
from flyball.pipelines.code_snapshot import load_project
from flyball.pipelines.engine import run_pipeline
from flyball.run_services import RunServices
from flyball.testing import workspace
from flyball.tracking.runs import MetricPoint
from flyball.tracking.spans import Span
from flyball.tuning.space import Dimension
from flyball.tuning.study import Objective, Study
from flyball.workspace import Workspace
from tests.loops.test_errands import Here
from tests.loops.test_simulation import recorded
from tests.server.test_page import _built, confirm, faults, is_within, see
from tests.servers.flyball_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["_built", "recorded"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A workspace with pipelines, data and a controller that acts."""
    root = tmp_path_factory.mktemp("work")
    with workspace(root) as made:
        found = Here(made, root)
        people = {
            "id": range(300),
            "city": ["Ulm", "Bonn", "Kiel"] * 100,
            "mail": [f"a{n}@example.org" for n in range(300)],
            "age": [20 + n % 50 for n in range(300)],
            "bought": [n % 50 > 20 for n in range(300)],
        }
        pq.write_table(pa.table(people), root / "people.parquet")
        made.data.declare(Dataset(name="people", source="people.parquet", key="id", label="bought"))
        take_snapshot(made.data, made.blobs, "people", root=root)
        stop = threading.Event()
        acting = threading.Thread(target=act, args=(found, stop), daemon=True)
        acting.start()
        yield found
        stop.set()
        acting.join()
        found.executor.close()


def act(here: Here, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        lease = here.workspace.database.lease(LEASE, "here", timedelta(seconds=60))
        if lease is not None:
            here.controller.step(lease)


@pytest.fixture(scope="module")
def address(here: Here) -> Iterator[str]:
    with serving(here.workspace) as url:
        yield url


@pytest.fixture(scope="module")
def desk(browser: Browser, here: Here, address: str) -> Iterator[Page]:
    """The page of somebody who came by the link that `flyball open` prints."""
    context = browser.new_context(locale="en-US", timezone_id="UTC", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    page.emulate_media(reduced_motion="reduce")
    ticket = LocalOwner.of(folder(here)).new_ticket()
    page.goto(f"{address}/login/link?ticket={ticket}")
    yield page
    context.close()
    # What a fence keeps in says so, and what is not there yet is asked for.
    assert not [text for text in said if "404" not in text and "Content Security Policy" not in text], said


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def folder(here: Here) -> Path:
    return here.workspace.settings.workspace


def told(here: Here, *words: str) -> Any:
    """What the command line says of the same workspace."""
    command = [sys.executable, "-m", "flyball.cli", *words, "--json", "--workspace", str(folder(here))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def choose(place: Locator, label: str, option: str) -> None:
    """Chooses an option of a select."""
    place.get_by_role("combobox", name=label).or_(place.get_by_label(label, exact=True)).first.click()
    place.page.get_by_role("option", name=option, exact=True).click()


def test_a_pipeline_is_run_again_from_a_step(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "pipelines/sums", "The last run")
    desk.get_by_role("button", name="Run again").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("number").fill("5")
    choose(dialog, "Again from this step", "first")
    assert "--from first" in dialog.inner_text()
    dialog.get_by_role("button", name="Run", exact=True).click()
    desk.get_by_text("again from first; number=5").wait_for()
    desk.get_by_role("row").filter(has_text="again from first").get_by_text("finished").wait_for()
    newest = told(here, "errands", "list")[0]
    assert (newest["state"], newest["again_from"], newest["params"]) == ("finished", ["first"], {"number": "5"})


def test_a_step_tells_why_it_ran_and_runs_alone(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "pipelines/sums?steps=time", "The last run")
    desk.get_by_role("button", name="log, diff, again").first.click()
    desk.get_by_role("button", name="This step alone").click()
    confirm(desk, "This step alone")
    desk.get_by_text("only first").first.wait_for()
    assert told(here, "errands", "list")[0]["only"] == ["first"]


def test_what_runs_shows_its_log_as_it_comes_and_is_paused_resumed_and_cancelled(
    desk: Page, here: Here, address: str
) -> None:
    here.gate.touch()
    see(desk, address, "pipelines/sums", "The last run")
    asked_for = desk.locator("section").filter(has=desk.get_by_role("heading", name="Asked for"))
    asked = here.workspace.errands.run("sums", {"number": 70})
    row = asked_for.get_by_role("row").filter(has_text="number=70")
    row.get_by_text("running").wait_for()
    row.get_by_role("button", name="Pause").click()
    row.get_by_text("paused").wait_for()
    row.get_by_role("button", name="Resume").click()
    row.get_by_text("running").wait_for()
    row.get_by_role("button", name="Cancel").click()
    confirm(desk, "Cancel")
    row.get_by_text("cancelled").wait_for()
    here.gate.unlink()
    assert told(here, "errands", "show", asked.id)["state"] == "cancelled"


def test_a_stretch_of_the_past_is_filled_in(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "pipelines/days", "The last run")
    desk.get_by_role("button", name="Back-fill").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("From").fill("2024-01-01")
    dialog.get_by_label("Until before").fill("2024-01-03")
    dialog.get_by_role("button", name="Back-fill").click()
    desk.get_by_text("2 of 2 windows").wait_for()
    assert told(here, "errands", "list", "--about", "days")[0]["result"]["finished"] == 2


def test_a_table_is_looked_through_row_by_row_and_cleaned(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "data/people?tab=rows", "1 to 100 of 300", "<mail>")
    assert "a1@example.org" not in desk.locator("main").inner_text()
    desk.get_by_role("button", name="age").click()
    desk.get_by_role("columnheader", name="age ↑").wait_for()
    choose(desk.locator("main"), "Search in", "city")
    desk.get_by_label("Contains").fill("kie")
    desk.get_by_role("button", name="Search", exact=True).last.click()
    desk.get_by_text("1 to 100 of 100").wait_for()
    see(desk, address, "data/people?tab=clean", "looked for by a worker")
    desk.get_by_role("button", name="Look through it").click()
    desk.get_by_text("The surest and largest first").wait_for()
    assert told(here, "errands", "list", "--about", "people")[0]["result"]["rows"] == 300


def test_the_builder_writes_a_pipeline_that_runs(desk: Page, here: Here, address: str, tmp_path: Path) -> None:
    see(desk, address, "builder?how=plain&dataset=people&name=buyers&model=linear&without=mail", "project.py")
    text = desk.get_by_label("project.py").inner_text()
    (tmp_path / "project.py").write_text(text, encoding="utf-8")
    root = here.workspace.settings.root
    services = RunServices(workspace=here.workspace, project_root=tmp_path, source_root=root)
    pipeline = load_project(tmp_path, "project.py").pipelines["train_buyers"]
    assert run_pipeline(pipeline, services=services).run.state == "finished"
    [version] = told(here, "models", "list", "buyers")
    assert version["version"] == 1


def begin_search(here: Here, name: str) -> None:
    """A search that this process does itself."""
    automl = here.workspace.automl
    automl.start(name, Wanted(dataset="people", label="bought", budget=60), place="here")
    automl.begin(name, "me")
    automl.describe(name, "me", "classification", "roc_auc", "maximize", "", 300, 60, 3, ["'mail' was left out"])


def test_a_search_is_asked_for_watched_and_gives_a_file(desk: Page, here: Here, address: str) -> None:
    automl = here.workspace.automl
    begin_search(here, "done")
    see(desk, address, "builder/done", "No candidate yet")
    rung = Rung(rung=0, rows=240, folds=3, score=0.9, spread=0.02)
    automl.put_candidate(
        Candidate(search="done", number=0, family="linear", state="finished", rungs=(rung,), score=0.9), "me"
    )
    desk.get_by_role("row").filter(has_text="linear").get_by_text("0.9").first.wait_for()
    result = Result(
        winner=0, family="linear", score=0.9, holdout=0.88, baseline=0.5, stopped="the time was up", file="import flyball\n"
    )  # fmt: skip
    automl.finish("done", "me", 12.0, result)
    desk.get_by_text("winner").wait_for()
    desk.get_by_role("tab", name="File").click()
    with desk.expect_download() as coming:
        desk.get_by_role("button", name="Download").click()
    assert coming.value.suggested_filename == "done.py"
    assert Path(coming.value.path()).read_text(encoding="utf-8") == "import flyball\n"


def test_the_audit_log_is_searched_and_proven(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "governance?tab=audit&action=data.", "data.snapshot_taken")
    assert desk.get_by_text("pipelines.errand_asked").count() == 0
    desk.get_by_role("button", name="Verify the whole log").click()
    desk.get_by_role("status").filter(has_text="are what was written").wait_for()


def test_people_groups_and_roles_are_kept(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "governance?tab=access", "You")
    desk.get_by_role("button", name="New account").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name", exact=False).first.fill("ada")
    dialog.get_by_role("textbox", name="Password").fill("correct horse battery")
    dialog.get_by_role("button", name="Make it").click()
    dialog.wait_for(state="hidden")
    desk.get_by_role("button", name="New group").click()
    dialog.get_by_role("textbox", name="Name", exact=False).first.fill("risk")
    dialog.get_by_role("button", name="Make it").click()
    dialog.wait_for(state="hidden")
    groups = desk.locator("section").filter(has=desk.get_by_role("heading", name="Groups"))
    groups.get_by_role("button", name="Add").click()
    choose(dialog, "Account", "ada")
    dialog.get_by_role("button", name="Add").click()
    groups.get_by_text("ada").wait_for()
    assert [member["role"] for member in told(here, "members", "list") if member["name"] == "ada"] == ["contributor"]
    assert told(here, "groups", "list")[0]["accounts"] == ["ada"]


def test_a_token_is_shown_once_and_revoked(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "governance?tab=tokens", "Tokens")
    desk.get_by_role("button", name="New token").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("What for").fill("nightly job")
    choose(dialog, "Of", "ada")
    dialog.get_by_role("button", name="Make it").click()
    dialog.get_by_text("shown this once").wait_for()
    secret = dialog.locator("pre").first.inner_text()
    dialog.get_by_role("button", name="Close", exact=True).click()
    row = desk.get_by_role("row").filter(has_text="nightly job")
    row.wait_for()
    assert secret not in desk.content()
    assert [token["name"] for token in told(here, "tokens", "list", "--all")] == ["nightly job"]
    row.get_by_role("button", name="Revoke").click()
    confirm(desk, "Revoke")
    row.wait_for(state="detached")
    assert told(here, "tokens", "list", "--all") == []


def test_budgets_secrets_and_projects_are_set(desk: Page, here: Here, address: str) -> None:
    see(desk, address, "governance?tab=cost", "Budgets")
    desk.get_by_role("button", name="New budget").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name", exact=False).first.fill("all")
    dialog.get_by_label("Amount").fill("100")
    dialog.get_by_role("button", name="Set it").click()
    desk.get_by_role("row").filter(has_text="the whole project").wait_for()
    assert told(here, "cost", "budgets")[0]["budget"]["amount"] == 100
    see(desk, address, "governance?tab=secrets", "Names only")
    desk.get_by_role("button", name="New secret").click()
    dialog.get_by_role("textbox", name="Name", exact=False).first.fill("warehouse")
    dialog.get_by_role("textbox", name="Value").fill("pass word 42")
    dialog.get_by_role("button", name="Keep it").click()
    desk.get_by_role("row").filter(has_text="warehouse").wait_for()
    assert "pass word 42" not in desk.content()
    assert [one["name"] for one in told(here, "secrets", "list")] == ["warehouse"]
    see(desk, address, "governance?tab=projects", "Stores")
    desk.get_by_role("button", name="New project").click()
    dialog.get_by_role("textbox", name="Name", exact=False).first.fill("fraud")
    dialog.get_by_role("button", name="Make it").click()
    desk.get_by_role("link", name="fraud").click()
    desk.wait_for_url("**/projects/fraud/")
    desk.get_by_role("button", name="in the project fraud").wait_for()


def test_somebody_is_told_by_name_and_answers(desk: Page, here: Here, address: str) -> None:
    here.workspace.comments.add("pipelines:/sums", "@root is that right?", "bob")
    see(desk, address, "pipelines/sums", "is that right?")
    desk.get_by_role("button", name="Answer").click()
    confirm(desk, "Answer", Text="It is.", Your_name="root")
    desk.get_by_text("It is.").wait_for()
    # The name that one gave is kept in the browser.
    see(desk, address, "", "bob: @root is that right?")
    assert [one.text for one in here.workspace.comments.list("pipelines:/sums")] == ["@root is that right?", "It is."]


def test_what_runs_left_behind_is_shown_and_never_executed_by_the_page(desk: Page, here: Here, address: str) -> None:
    made, blobs = here.workspace.tracking, here.workspace.blobs
    run = made.create_run("files", "left behind")
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": range(250)}), table)
    script = (
        b"<p id=a>fenced</p><script>a.textContent += parent === self ? '!' : ' in';"
        b"fetch('/api/clock/state').then(() => a.textContent += ' out', () => a.textContent += ' off')</script>"
    )
    files = {
        "rows.parquet": table.getvalue().to_pybytes(),
        "page.html": script,
        "note.txt": b"<b>plain</b>",
        "net.pkl": b"\x80",
    }
    for name, data in files.items():
        made.log_artifact(run.id, name, blobs.put(data), len(data))
    made.log(run.id, metrics=[MetricPoint(key="auc", value=0.5, at=run.started)])
    made.finish_run(run.id)
    see(desk, address, f"runs/{run.id}?tab=artifacts&artifact=rows.parquet", "1 to 100 of 250")
    see(desk, address, f"runs/{run.id}?tab=artifacts&artifact=note.txt", "<b>plain</b>")
    see(desk, address, f"runs/{run.id}?tab=artifacts&artifact=net.pkl", "never by this page or its server")
    see(desk, address, f"runs/{run.id}?tab=artifacts&artifact=page.html", "page.html")
    desk.frame_locator("iframe").locator("#a").get_by_text("fenced in off").wait_for()


def test_a_study_tells_its_best_trial_and_a_trace_its_spans(desk: Page, here: Here, address: str) -> None:
    made = here.workspace
    rate = Dimension(kind="number", low=0.0, high=1.0)
    wish = Objective(metric="auc", direction="maximize")
    made.studies.declare(
        Study(
            name="rates",
            target="sums",
            space={"rate": rate},
            objectives=(wish,),
            fixed={},
            sampler="random",
            pruner="none",
        )
    )
    for number, value in enumerate((0.61, 0.74, 0.66)):
        trial = made.studies.begin_trial("rates", {"rate": number / 4})
        made.studies.end_trial("rates", trial.number, "finished", [value])
    see(desk, address, "studies/rates", "0.74", "best")
    second = 1_000_000_000
    trace = f"tr-{7:032x}"
    spans = [
        Span(trace=trace, id=f"{1:016x}", name="answer", started_ns=0, ended_ns=3 * second, status="ok"),
        Span(
            trace=trace, id=f"{2:016x}", parent=f"{1:016x}", name="look_up", started_ns=second, ended_ns=2 * second,
            status="error", message="no such book",
        ),
    ]  # fmt: skip
    made.experiments.create("books")
    made.traces.record_spans("books", spans, make=True)
    see(desk, address, "traces", "answer")
    desk.locator("main").get_by_role("link", name="answer").click()
    desk.get_by_role("button", name="look_up").click()
    desk.get_by_text("error: no such book").wait_for()


def test_every_view_of_work_is_fit_for_everybody(desk: Page, here: Here, address: str) -> None:
    """Wide and light, narrow and dark: axe finds no serious fault."""
    begin_search(here, "begun")
    tabs = {
        "audit": "Proof", "access": "Members", "tokens": "Tokens", "projects": "Stores", "cost": "Budgets",
        "policies": "in force", "secrets": "Names only", "maturity": "loop",
    }  # fmt: skip
    views = {
        "pipelines/sums": "The last run",
        "pipelines/sums?steps=time&step=first": "Again from here",
        "data/people?tab=rows": "of 300",
        "builder": "Searches",
        "studies": "Studies",
        "traces": "Traces",
        "builder/begun": "Leaderboard",
        "builder?how=plain&dataset=people": "project.py",
        **{f"governance?tab={tab}": fact for tab, fact in tabs.items()},
    }
    for view, fact in views.items():
        desk.emulate_media(color_scheme="light")
        desk.set_viewport_size({"width": 1280, "height": 900})
        see(desk, address, view, fact)
        assert faults(desk) == [], view
        desk.emulate_media(color_scheme="dark")
        desk.set_viewport_size({"width": 390, "height": 800})
        assert faults(desk, "color-contrast") == [], view
        assert is_within(desk), view
    desk.emulate_media(color_scheme="light")
    desk.set_viewport_size({"width": 1280, "height": 900})


def test_another_policy_is_simulated_on_the_past_of_a_loop(page: Page, recorded: Workspace) -> None:
    from tests.servers.flyball_server import owner

    page.set_extra_http_headers(owner(recorded))
    with serving(recorded) as url:
        see(page, url, "loops/shop?show=what-if", "What it would have done")
        page.get_by_label("Train on").fill('decay("roc_auc", by=0.005)')
        page.get_by_role("button", name="Simulate", exact=True).click()
        page.get_by_text("flyball loops simulate shop --on").wait_for()
        strict = recorded.simulations.simulate("shop", ['decay("roc_auc", by=0.005)'])
        figure = page.locator(".figure").filter(has_text="were started by triggers")
        figure.get_by_text(str(len(strict.would_have)), exact=True).wait_for()
        page.get_by_role("button", name="Try policies").click()
        page.get_by_label("What a training costs").fill("1")
        page.get_by_label("is worth a week").fill("10")
        page.get_by_text("simulate it").first.wait_for()
        page.get_by_text("pay", exact=False).first.wait_for()
        page.close()
