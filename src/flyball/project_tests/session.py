"""Runs a project's tests with pytest: those declared in its file, and every `test_*.py` that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from flyball.data.dataset import Dataset
from flyball.data.table import Table
from flyball.errors import ChecksFailed, FlyballError, InvalidInput, MissingExtra, did_you_mean
from flyball.models.package import LoadedModel
from flyball.pipelines.code_snapshot import Project, load_project
from flyball.project_tests.declared import ProjectTest
from flyball.project_tests.running import run_test
from flyball.project_tests.scratch import Scratch
from flyball.workspace import Workspace

if TYPE_CHECKING:
    import pytest

Outcome = Literal["passed", "failed", "error", "skipped"]
_NOTHING_FOUND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What came of one test.

    Attributes:
        kind: That of a declared test; `code` for a function of the project's own.
        outcome: `error` means that it could not be run.
        found: What was found; of a test that failed, why.
    """

    __test__ = False  # pytest takes it for a class of tests otherwise

    name: str
    kind: str
    outcome: Outcome
    seconds: float
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """What came of all tests of a project."""

    __test__ = False

    results: tuple[TestResult, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(result.outcome in ("passed", "skipped") for result in self.results)

    def count(self, outcome: Outcome) -> int:
        """How many tests had an outcome."""
        return sum(result.outcome == outcome for result in self.results)


def run_tests(
    workspace: Any,
    *,
    only: str = "",
    sample: int = 0,
    junit: Path | None = None,
    quiet: bool = False,
    arguments: tuple[str, ...] = (),
) -> TestReport:
    """Runs the tests of the workspace's project.

    Args:
        workspace: Whose settings say where the project stands; models by name are looked up there.
        only: Part of the names of the tests that are run.
        sample: Rows of each dataset where models are trained; 0 for all.
        junit: Where a report as JUnit XML goes.
        quiet: Whether pytest prints nothing.
        arguments: More for pytest.

    Raises:
        MissingExtra: pytest is not installed.
        InvalidInput: there is nothing to test, or an argument cannot be used.
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingExtra("Tests of a project stand on pytest.", hint="pip install 'flyball[test]'") from error
    settings = workspace.settings
    project = load_project(settings.root, settings.module)
    declared = [item for item in project.declarations if isinstance(item, ProjectTest)]
    started = perf_counter()
    with Scratch(settings, project, workspace, sample=sample) as scratch:
        plugin = _Plugin(declared, scratch, settings.module)
        fixtures = _fixtures(scratch, project)
        given = [
            str(settings.root),
            "--rootdir",
            str(settings.root),
            "--import-mode=importlib",
            "-p",
            "no:cacheprovider",
        ]
        given += ["-p", "no:terminal"] if quiet else ["-q", "--no-header"]
        given += ["-k", only] if only else []
        given += [f"--junitxml={junit}", "-o", "junit_suite_name=flyball"] if junit else []
        code = int(pytest.main([*given, *arguments], plugins=[plugin, fixtures]))
    if code == _NOTHING_FOUND:
        raise InvalidInput(
            f"There is nothing to test in {settings.root}" + (f" of the name '{only}'." if only else "."),
            hint="Declare tests in the project file with fb.test, or write test_*.py.",
        )
    if code not in (0, 1) or (code == 1 and not plugin.results):
        raise InvalidInput(f"pytest could not run the tests: {plugin.trouble or f'it ended with {code}'}")
    return TestReport(results=tuple(plugin.results), seconds=perf_counter() - started)


def markdown_of(report: TestReport) -> str:
    """The report as Markdown, as GitHub and GitLab show it beside a change: what failed first."""
    marks = {"passed": "✅", "failed": "❌", "error": "💥", "skipped": "⏭️"}
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in marks if report.count(outcome))  # type: ignore[arg-type]  # they are its keys
    order = {"failed": 0, "error": 1, "passed": 2, "skipped": 3}
    rows = [
        f"| {marks[one.outcome]} | {_cell(one.name)} | {one.kind} | {_cell(one.found)} | {one.seconds:.2f} |"
        for one in sorted(report.results, key=lambda one: order[one.outcome])
    ]
    head = ["| | test | kind | found | s |", "|---|---|---|---|---:|"]
    return "\n".join([f"### Tests: {counts} in {report.seconds:.1f} s", "", *head, *rows, ""])


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return (line[:297] + "..." if len(line) > 300 else line).replace("|", "\\|")


class _Plugin:
    """What pytest is told of a project: its declared tests, fixtures, and who notes what came of them."""

    def __init__(self, declared: list[ProjectTest], scratch: Scratch, module: str) -> None:
        self.results: list[TestResult] = []
        self.trouble = ""
        self._declared = declared
        self._scratch = scratch
        self._module = module

    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Puts the declared tests before those of the code, cheap ones first."""
        items[:0] = _items(session, self._declared, self._scratch, self._module)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes what came of a test."""
        if report.when != "call" and report.passed:
            return
        known = dict(report.user_properties)
        outcome: Outcome = (
            "passed"
            if report.passed
            else "skipped"
            if report.skipped
            else "failed"
            if report.when == "call"
            else "error"
        )
        if report.failed and known.get("cannot_run"):
            outcome = "error"
        self.results.append(
            TestResult(
                name=str(known.get("name", report.nodeid)),
                kind=str(known.get("kind", "code")),
                outcome=outcome,
                seconds=report.duration,
                found=str(known.get("found", "")) or _said(report),
            )
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes a file that cannot be read."""
        if report.failed:
            self.trouble = str(report.longrepr).strip().splitlines()[-1]


def _fixtures(scratch: Scratch, project: Project) -> object:
    """What the functions of a project's own tests can ask for: `workspace`, `model`, `sample`."""
    import pytest

    class Fixtures:
        @pytest.fixture
        def workspace(self) -> Workspace:
            """An empty workspace that is thrown away."""
            return scratch.workspace

        @pytest.fixture
        def model(self) -> Callable[[Any], LoadedModel]:
            """Gives the newest version of a name, or the model that a pipeline registers."""
            return lambda subject: scratch.model(subject).model

        @pytest.fixture
        def sample(self) -> Callable[..., Table]:
            """Gives so many rows of a dataset of the project, by its name."""
            known = {item.name: item for item in project.declarations if isinstance(item, Dataset)}

            def rows(name: str, most: int = 1000) -> Table:
                if name not in known:
                    raise InvalidInput(f"The project declares no dataset '{name}'.", hint=did_you_mean(name, known))
                return scratch.rows(known[name], most)

            return rows

    return Fixtures()


def _said(report: pytest.TestReport) -> str:
    if report.passed:
        return ""
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[-1])
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longrepr)).strip()


def _items(
    session: pytest.Session, declared: list[ProjectTest], scratch: Scratch, module: str
) -> Iterator[pytest.Item]:
    import pytest

    class DeclaredTest(pytest.Item):
        """A test that the project file declares."""

        def __init__(self, *, test: ProjectTest, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self._test = test
            self.user_properties += [("name", test.name), ("kind", test.kind)]

        def runtest(self) -> None:
            """Runs it."""
            try:
                found = run_test(self._test, scratch)
            except FlyballError as error:
                self.user_properties.append(("found", str(error)))
                if not isinstance(error, ChecksFailed):
                    self.user_properties.append(("cannot_run", "yes"))
                raise
            self.user_properties.append(("found", found))

        def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
            """What was found, without a traceback that says nothing of the project."""
            if isinstance(excinfo.value, FlyballError):
                return str(excinfo.value)
            return super().repr_failure(excinfo, style)

        def reportinfo(self) -> tuple[Path, int | None, str]:
            """Where it stands."""
            return self.path, None, self._test.name

    order = {"data": 0, "schema": 0, "features": 0, "pipeline": 1}
    for test in sorted(declared, key=lambda one: order.get(one.kind, 2)):
        name = test.name.replace("::", ":")
        yield DeclaredTest.from_parent(session, name=name, test=test, nodeid=f"{module}::{name}")
