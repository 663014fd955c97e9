"""Two teams on one server, each in a real browser: neither sees anything of the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from flyball.data.dataset import Dataset
from flyball.principals import Principal, acting_as
from flyball.server.page import built_page
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.servers.absent import NOT_RUN
from tests.servers.flyball_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ADMIN = Principal(name="root", role="owner", admin=True)
PASSWORD = "correct horse battery"
ROOMS = (
    "", "loops", "alerts", "runs", "pipelines", "data", "labels", "features", "models", "deployments", "monitoring",
    "governance", "events",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    if not (built_page() / "index.html").exists():
        pytest.skip(f"{NOT_RUN}the page is not built on this machine (make ui builds it)")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One with two projects, a person and one of everything in each."""
    start = tmp_path_factory.mktemp("teams")
    with Workspace(load_settings({"auth": "on"}, environment={}, start=start), durable=False) as made:
        for project, who in (("risk", "ada"), ("fraud", "bob")):
            made.projects.create(project, title=f"The {project} team")
            with acting_as(ADMIN):
                made.accounts.create(who, password=PASSWORD)
                made.members.set(who, "owner", project=project)
            with made.opened.use(project, made.projects.state_of(project)) as own:
                fill(own, project)
        yield made


def fill(own: Workspace, project: str) -> None:
    """One of everything, with the project's name in its name."""
    run = own.tracking.create_run(f"{project}-experiment", f"{project}-run")
    own.tracking.finish_run(run.id)
    own.data.declare(Dataset(name=f"{project}-orders", source="orders.csv", key="id"))
    own.registered_models.create(f"{project}-model")
    own.alerts.open("warning", "drift", f"deployments:/{project}", "drift", f"{project} drifted", "age rose")


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as url:
        yield url


@pytest.fixture(scope="module")
def people(browser: Browser, address: str) -> Iterator[dict[str, Page]]:
    """A browser of each person, logged in at the page of their project."""
    found = {}
    contexts = []
    for project, who in (("risk", "ada"), ("fraud", "bob")):
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = found[project] = context.new_page()
        page.goto(f"{address}/projects/{project}")
        page.get_by_role("textbox", name="Name").fill(who)
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("navigation", name="Rooms").wait_for()
    yield found
    for context in contexts:
        context.close()


def listen(page: Page) -> list[str]:
    """The addresses that a page asks for from now on."""
    heard: list[str] = []
    page.on("request", lambda asked: heard.append(asked.url))
    return heard


def test_neither_team_sees_anything_of_the_other(people: dict[str, Page], address: str) -> None:
    for project, other in (("risk", "fraud"), ("fraud", "risk")):
        page = people[project]
        heard = listen(page)
        for room in ROOMS:
            page.goto(f"{address}/projects/{project}/#/{room}")
            page.wait_for_load_state("networkidle") if room == "governance" else page.locator(
                "main h1"
            ).first.wait_for()
            assert other not in page.content(), room
        page.goto(f"{address}/projects/{project}/#/runs")
        page.get_by_text(f"{project}-run").first.wait_for()
        assert all("/projects/" in url for url in heard if "/api/" in url), "the page asks within its project"


def test_a_search_finds_ones_own_alone(people: dict[str, Page]) -> None:
    page = people["risk"]
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("risk")
    page.get_by_role("option", name="risk-run").first.wait_for()
    page.get_by_role("combobox", name="Search").fill("fraud")
    page.get_by_text("Nothing has that name.").wait_for()


def test_the_page_of_the_others_project_says_that_there_is_none(people: dict[str, Page], address: str) -> None:
    page, said = people["risk"], []
    for name in ("fraud", "nothere"):
        page.goto(f"{address}/projects/{name}/#/runs")
        page.get_by_text(f"There is no project '{name}'").first.wait_for()
        said.append(page.locator("body").inner_text().replace(name, "-"))
    assert said[0] == said[1]


def test_what_happens_in_a_project_is_told_to_its_team_alone(
    people: dict[str, Page], workspace: Workspace, address: str
) -> None:
    for project in ("risk", "fraud"):
        people[project].goto(f"{address}/projects/{project}/#/events")
        people[project].get_by_text("live", exact=True).wait_for()
    with workspace.opened.use("fraud", workspace.projects.state_of("fraud")) as own:
        own.data.declare(Dataset(name="fraud-news", source="news.csv", key="id"))
    people["fraud"].get_by_text("fraud-news").first.wait_for()
    assert "fraud" not in people["risk"].content()


def test_a_member_of_both_goes_over_from_the_page_and_by_search(
    people: dict[str, Page], workspace: Workspace, address: str
) -> None:
    with acting_as(ADMIN):
        workspace.members.set("ada", "viewer", project="fraud")
    page = people["risk"]
    page.reload()
    page.get_by_role("button", name="ada in the project risk").click()
    page.get_by_role("menuitem", name="Project fraud").click()
    page.get_by_role("button", name="ada in the project fraud").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("risk-run")
    page.get_by_role("option", name="risk-run").first.click()
    page.wait_for_url(f"{address}/projects/risk/#/runs/*")
    page.get_by_text("risk-run").first.wait_for()
