"""`flyball init`: a project to begin with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from flyball.cli.output import print_json
from flyball.errors import AlreadyExists
from flyball.refs import check_name


@click.command()
@click.argument("folder", default=".")
@click.option("--name", help="Name of the project; by default the folder's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def init(folder: str, name: str | None, as_json: bool) -> None:
    """Start a project in FOLDER: a settings file, a first pipeline and loop, and data to try them on."""
    root = Path(folder).resolve()
    name = check_name(name or root.name, "project")
    templates = resources.files("flyball.cli") / "template"
    files = {
        "flyball.toml": (templates / "flyball.toml").read_text(encoding="utf-8").replace("PROJECT", name),
        "project.py": (templates / "project.txt").read_text(encoding="utf-8"),
        ".gitignore": ".flyball/\n__pycache__/\n",
    }
    taken = [path for path in ("flyball.toml", "project.py") if (root / path).exists()]
    if taken:
        raise AlreadyExists(f"{root / taken[0]} exists already.", hint="Choose another folder.")
    root.mkdir(parents=True, exist_ok=True)
    written = []
    for path, text in files.items():
        if not (root / path).exists():
            (root / path).write_text(text, encoding="utf-8")
            written.append(path)
    if as_json:
        print_json({"project": name, "folder": str(root), "files": written})
        return
    click.echo(f"Project '{name}' in {root}: {', '.join(written)}.")
    click.echo("Next: read project.py, then `flyball run train_irises`, `flyball apply`, `flyball up`.")
