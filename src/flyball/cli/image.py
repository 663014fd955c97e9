"""`flyball image`: container images of what is served."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput

_FOLDER = click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="OCI layout to write to (default: image).",
)


@click.group()
def image() -> None:
    """Container images, built without Docker: build, push, verify."""


@image.command()
@click.argument("what")
@_FOLDER
@click.option("--push", "to", default="", help="Also send it here, such as registry.example:5000/team/late-flights:3.")
@click.option("--base", default="", help="Image to build on; by default one of this machine's own Python.")
@click.option("--platform", default="", help="Such as linux/arm64; by default this machine's.")
@click.option("--tag", default="", help="By default the version's number, or the deployment's generation.")
@click.option("--native", is_flag=True, help="Take a model's own libraries in also where its ONNX twin answers.")
@click.option(
    "--with", "more", multiple=True, metavar="NAME", help="Take this distribution in, too; can be given again."
)
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), help="Private key to sign with (default: signing_key)."
)
@click.option("--no-bill", is_flag=True, help="Attach no bill of materials.")
@workspace_options
def build(
    workspace: Any,
    what: str,
    folder: Path | None,
    to: str,
    base: str,
    platform: str,
    tag: str,
    native: bool,
    more: tuple[str, ...],
    key: Path | None,
    no_bill: bool,
    as_json: bool,
) -> None:
    """Build the image of WHAT: a deployment's name, or a version such as `late-flights@champion`."""
    from flyball.packaging.image import ImagePlan, build_image, push_image
    from flyball.registry.signing import signing_key_of

    plan = ImagePlan(
        base=base, platform=platform, tag=tag, native=native, distributions=more, key=key or signing_key_of(workspace),
        bill=not no_bill,
    )  # fmt: skip
    folder = folder or Path("image")
    made = build_image(workspace, what, folder, plan, shown=_shown(as_json))
    workspace.images.record(made)
    pushed = push_image(folder, to, tag=made.tag, shown=_shown(as_json)) if to else None
    if pushed is not None:
        workspace.images.record_push(made.digest, pushed.reference)
    if as_json:
        print_json({"image": made, "pushed": pushed})
        return
    for words in made.differs:
        click.echo(f"Warning: the model was made with another version: {words}", err=True)
    kinds = {
        kind: sum(one.descriptor.size for one in made.layers if one.kind == kind)
        for kind in ("base", "packages", "libraries", "flyball", "model")
    }
    facts = {kind: _size(size) for kind, size in kinds.items() if size}
    print_facts({"image": f"{folder}:{made.tag}", "digest": made.digest, **facts, "attached": made.attached})
    if pushed is not None:
        _say_pushed(pushed)
    else:
        click.echo(f"Run it: podman run --read-only -p 8080:8080 oci:{folder}:{made.tag}")


@image.command()
@click.argument("to")
@_FOLDER
@click.option("--tag", default="", help="Which image of the folder; by default the last one built.")
@click.option("--mount", default="", help="Repository of the registry whose layers may be used.")
@workspace_options
def push(workspace: Any, to: str, folder: Path | None, tag: str, mount: str, as_json: bool) -> None:
    """Send an image that was built to a registry: only what it lacks."""
    from flyball.packaging.image import push_image

    pushed = push_image(folder or Path("image"), to, tag=tag, mount=mount, shown=_shown(as_json))
    workspace.images.record_push(pushed.digest, pushed.reference)
    if as_json:
        print_json(pushed)
    else:
        _say_pushed(pushed)


@image.command("list")
@click.option("--name", default="", help="Only of this deployment or model.")
@workspace_options
def list_images(workspace: Any, name: str, as_json: bool) -> None:
    """List the images that were built from here."""
    found = workspace.images.list(name)
    if as_json:
        print_json(found)
        return
    rows = [[one.name, one.tag, one.digest[:19], one.models, _size(one.size), one.pushed, one.built] for one in found]
    print_table(["name", "tag", "digest", "models", "size", "pushed to", "built"], rows, empty="No image yet.")


@image.command()
@_FOLDER
@click.option("--tag", default="", help="Which image of the folder; by default the last one built.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="Public key that you trust.")
@workspace_options
def verify(workspace: Any, folder: Path | None, tag: str, key: Path | None, as_json: bool) -> None:
    """Say whether an image in a folder was signed by a key; exit code 1 if it was not."""
    from flyball.packaging.attachments import verify as verify_image
    from flyball.packaging.oci import Layout
    from flyball.registry.keys import public_path
    from flyball.registry.signing import signing_key_of

    own = signing_key_of(workspace)
    trusted = key or (public_path(own) if own else None)
    if trusted is None:
        raise InvalidInput("No key is given.", hint="Name the public one with --key.")
    layout = Layout(folder or Path("image"))
    found = layout.image(tag)
    key_id = verify_image(layout, found, trusted)
    if as_json:
        print_json({"digest": found.digest, "key": key_id})
    else:
        click.echo(f"{found.digest} was signed by the key {key_id[:16]}.")


def _say_pushed(pushed: Any) -> None:
    counts = {kind: sum(each == kind for each in pushed.blobs.values()) for kind in ("sent", "mounted", "present")}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    print_facts({"pushed": pushed.reference, "blobs": told, "bytes sent": _size(pushed.sent)})


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _shown(as_json: bool) -> Any:
    if as_json or not sys.stderr.isatty():
        return lambda _: None
    return lambda words: click.echo(f"{words} ...", err=True)
