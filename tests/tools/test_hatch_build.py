from __future__ import annotations

from pathlib import Path

import pytest

import hatch_build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "ui" / "src").mkdir(parents=True)
    (tmp_path / "ui" / "src" / "main.ts").write_text("one")
    (tmp_path / "ui" / "package-lock.json").write_text("{}")
    return tmp_path


@pytest.fixture
def no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def build_once(root: Path) -> Path:
    built = root / hatch_build.BUILT
    built.mkdir(parents=True)
    (built / "built-from").write_text(hatch_build.digest(root / "ui"))
    return built


def test_a_digest_names_the_sources_and_not_what_was_installed_beside_them(root: Path) -> None:
    before = hatch_build.digest(root / "ui")
    (root / "ui" / "node_modules").mkdir()
    (root / "ui" / "node_modules" / "other.js").write_text("x")
    assert hatch_build.digest(root / "ui") == before
    (root / "ui" / "src" / "main.ts").rename(root / "ui" / "src" / "other.ts")
    assert hatch_build.digest(root / "ui") != before


@pytest.mark.usefixtures("no_node")
def test_nothing_is_built_where_nothing_changed(root: Path) -> None:
    build_once(root)
    assert hatch_build.build(root) == "The page is built already."


@pytest.mark.usefixtures("no_node")
def test_without_node_a_changed_page_says_what_is_missing_and_the_former_one_stays(root: Path) -> None:
    built = build_once(root)
    (root / "ui" / "src" / "main.ts").write_text("two")
    with pytest.raises(hatch_build.Unavailable, match=r"Node 20\.19 or newer is not on PATH"):
        hatch_build.build(root)
    assert (built / "built-from").exists()


@pytest.mark.usefixtures("no_node")
def test_a_source_archive_comes_with_the_page(tmp_path: Path) -> None:
    assert hatch_build.build(tmp_path) == "The page comes built."


@pytest.mark.usefixtures("no_node")
def test_checks_that_cannot_be_run_say_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hatch_build.check(root)
    assert "NOT RUN: the checks of ui/" in capsys.readouterr().err
