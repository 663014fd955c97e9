"""`flyball evidence`: documents that auditors ask for, filled from facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput


@click.command()
@click.argument("version", default="")
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="annex-iv, nist-ai-rmf, sr-11-7, model-card, data-sheet; several may be given.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="FILE.html or FILE.md for one document, else a folder for a signed bundle.",
)
@click.option("--verify", "folder", type=click.Path(path_type=Path), help="Verify a bundle, with no server at hand.")
@click.option("--key", type=click.Path(path_type=Path), help="Public key that you trust, for --verify.")
@workspace_options
def evidence(
    workspace: Any,
    version: str,
    formats: tuple[str, ...],
    output: Path | None,
    folder: Path | None,
    key: Path | None,
    as_json: bool,
) -> None:
    """What is known of VERSION (models:/NAME@champion) in the order that a law or a standard asks for it, with its sources.

    What is not known is said to be missing, with the command that would supply it. Without VERSION, lists the documents.
    """
    if folder is not None:
        _verify(folder, key, as_json=as_json)
    elif not version:
        found = workspace.evidence.list_formats()
        if as_json:
            print_json(found)
        else:
            print_table(["format", "asked for by"], list(found.items()))
    elif output is None or output.suffix in (".html", ".md"):
        _document(workspace, version, formats, output, as_json=as_json)
    else:
        _bundle(workspace, version, formats, output, as_json=as_json)


def _document(workspace: Any, version: str, formats: tuple[str, ...], output: Path | None, *, as_json: bool) -> None:
    from flyball.governance.evidence.rendering import to_html, to_markdown

    if len(formats) > 1:
        raise InvalidInput("One file holds one document.", hint="Give a folder with --output, or one --format.")
    document = workspace.evidence.get(version, *formats)
    if output is not None:
        text = to_html(document) if output.suffix == ".html" else to_markdown(document)
        output.write_text(text, encoding="utf-8")
    if as_json:
        print_json(document)
    elif output is None:
        click.echo(to_markdown(document), nl=False)
    else:
        click.echo(f"{output}: {len(document.parts)} parts, {document.missing} of them lack something.")


def _bundle(workspace: Any, version: str, formats: tuple[str, ...], output: Path, *, as_json: bool) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InvalidInput(f"{output} is no empty folder.", hint="Choose a new one: a bundle is signed as a whole.")
    made = workspace.evidence.bundle(version, list(formats) or None)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in made.files.items():
        (output / name).write_text(text, encoding="utf-8", newline="")
    facts = {"version": made.ref, "folder": str(output), "files": sorted(made.files), "signed": made.is_signed}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


def _verify(folder: Path, key: Path | None, *, as_json: bool) -> None:
    from flyball.governance.evidence.verifying import verify_bundle

    found = verify_bundle(folder, key)
    if as_json:
        print_json(found)
        return
    print_facts({"about": found.about, "files": len(found.files), "signed by": found.key})
    if key is None:
        click.echo(
            "The key lies in the bundle itself: compare it with what the instance's owner tells you, or give --key."
        )
