"""The code on every page runs, from top to bottom, in an interpreter and a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^ {0,3}```+ *(.*?) *$")


def blocks(page: str) -> list[tuple[str, int, list[str]]]:
    """The fenced blocks of a page: what stands behind the fence, the number of the first line, the lines."""
    found: list[tuple[str, int, list[str]]] = []
    inside = False
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence and not inside:
            found.append((fence[1], number + 1, []))
            inside = True
        elif fence and not fence[1]:
            inside = False
        elif inside:
            found[-1][2].append(line)
    assert not inside, f"{page} ends inside a block"
    return found


def code_of(page: str) -> str:
    """The code of a page, each line at its own number."""
    lines: list[str] = []
    for kind, first, block in blocks(page):
        if kind == "python":
            lines += [""] * (first - 1 - len(lines))
            lines += block
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [page for page in PAGES if any(kind == "python" for kind, _, _ in blocks(page))])
def test_the_code_of_a_page_runs(page: str, tmp_path: Path) -> None:
    script = tmp_path / f"page_{Path(page).stem}.py"
    script.write_text(code_of(page), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    said = (done.stdout[-2000:] + done.stderr[-6000:]).replace(str(script), page)
    if done.returncode:
        lines = re.findall(rf'File "{re.escape(page)}", line (\d+)', said)
        pytest.fail(f"{page}:{lines[-1] if lines else '?'} failed.\n{said}", pytrace=False)


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_says_why(page: str) -> None:
    for kind, first, lines in blocks(page):
        if kind.startswith("python"):
            assert kind in ("python", "python no-run"), f"{page}:{first - 1}"
        if kind == "python no-run":
            assert lines[0].startswith("# not run: "), f"{page}:{first}"
            compile("\n".join(lines), f"{page}:{first}", "exec")
