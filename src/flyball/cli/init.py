"""`flyball init`: a project to begin with."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path

import click

from flyball.cli.output import print_json
from flyball.errors import AlreadyExists, InvalidInput
from flyball.refs import check_name

_WORKFLOWS = {"github": ".github/workflows/flyball.yml", "gitlab": ".gitlab-ci.yml", "tekton": ".tekton/flyball.yaml"}


@click.command()
@click.argument("folder", default=".")
@click.option("--name", help="Name of the project; by default the folder's.")
@click.option(
    "--ci", type=click.Choice(["github", "gitlab", "tekton"]), help="Add the workflow of a CI system; also later."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def init(folder: str, name: str | None, ci: str | None, as_json: bool) -> None:
    """Start a project in FOLDER: a settings file, a first pipeline and loop, and data to try them on."""
    root = Path(folder).resolve()
    name = check_name(name or root.name, "project")
    here = [path for path in ("flyball.toml", "project.py") if (root / path).exists()]
    files = {} if here else _project(name)
    if ci is not None:
        files |= _workflow(ci, name)
        here = [_WORKFLOWS[ci]] if (root / _WORKFLOWS[ci]).exists() else []
    if here:
        raise AlreadyExists(f"{root / here[0]} exists already.", hint="Choose another folder.")
    written = _write(root, files)
    if as_json:
        print_json({"project": name, "folder": str(root), "files": written})
        return
    click.echo(f"Project '{name}' in {root}: {', '.join(written)}.")
    if "project.py" not in written:
        return
    step_in = "" if root == Path.cwd() else f"`cd {folder}`, "
    click.echo(f"Next: {step_in}read project.py, then `flyball run train_irises`, `flyball apply`, `flyball up`.")


def _project(name: str) -> dict[str, str]:
    """The files of a new project, by their paths."""
    templates = resources.files("flyball.cli") / "template"
    return {
        "flyball.toml": (templates / "flyball.toml").read_text(encoding="utf-8").replace("PROJECT", name),
        "project.py": (templates / "project.txt").read_text(encoding="utf-8"),
        "data/irises.csv": (templates / "irises.csv").read_text(encoding="utf-8"),
        ".gitignore": ".flyball/\n__pycache__/\n",
    }


def _workflow(ci: str, name: str) -> dict[str, str]:
    """The workflow of a CI system, for the Python that is running."""
    path = _WORKFLOWS[ci]
    template = resources.files("flyball.cli") / "template" / "ci" / f"{ci}{Path(path).suffix}"
    text = template.read_text(encoding="utf-8").replace("PYTHON", f"{sys.version_info[0]}.{sys.version_info[1]}")
    return {path: text.replace("PROJECT", re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "project")}


def _write(root: Path, files: dict[str, str]) -> list[str]:
    """Writes those of the files that are not there yet; gives their paths."""
    fresh = [path for path in files if not (root / path).exists()]
    try:
        for path in fresh:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path], encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{error.filename} cannot be written: {error.strerror}.", hint="Choose another folder."
        ) from error
    return fresh
