"""`flyball models`: keys, signatures, bills of materials, and a version as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.models_people import as_option
from flyball.cli.output import print_json, print_table, workspace_options
from flyball.errors import InvalidInput
from flyball.serialization import to_json

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def keygen(file: Path, as_json: bool) -> None:
    """Make a pair of keys: the private one in FILE, for you only, the public one beside it (`.pub`)."""
    from flyball.registry.keys import make_keys

    made = make_keys(file)
    if as_json:
        print_json({"private": str(made.private), "public": str(made.public), "id": made.id})
        return
    click.echo(f"Private key {made.private}: keep it to yourself, and out of any repository.")
    click.echo(f"Public key  {made.public}: hand it to whoever is to verify what you sign.")


@click.command()
@click.argument("version")
@click.option("--key", type=_FILE, help="File of your private key (default: the setting signing_key).")
@as_option
@workspace_options
def sign(workspace: Any, version: str, key: Path | None, by: str, as_json: bool) -> None:
    """Sign the files of VERSION."""
    from flyball.registry import signing

    found = workspace.registry.get_version(version)
    made = signing.sign_version(
        found, key or _own_key(workspace), signatures=workspace.signatures, blobs=workspace.blobs, by=by
    )
    if as_json:
        print_json(made)
    else:
        click.echo(f"{by} signed version {made.version} of '{made.model}' with the key {made.key[:16]}.")


@click.command()
@click.argument("version")
@click.option("--key", type=_FILE, help="File of the public key you trust (default: that of the setting signing_key).")
@workspace_options
def verify(workspace: Any, version: str, key: Path | None, as_json: bool) -> None:
    """Say whether VERSION still is what was signed; exit code 1 if it is not."""
    from flyball.registry import signing
    from flyball.registry.keys import public_path

    found = workspace.registry.get_version(version)
    trusted = key or public_path(_own_key(workspace))
    made = signing.verify_version(found, trusted, signatures=workspace.signatures, blobs=workspace.blobs)
    if as_json:
        print_json(made)
    else:
        whose = f" {made.by}" if made.by else ""
        click.echo(
            f"Version {made.version} of '{made.model}' is what{whose or ' someone'} signed on {made.at:%Y-%m-%d}."
        )


@click.command()
@click.argument("version")
@workspace_options
def signatures(workspace: Any, version: str, as_json: bool) -> None:
    """List who has signed VERSION; `verify` says whether that is so."""
    found = workspace.signatures.list(version)
    if as_json:
        print_json(found)
    else:
        rows = [[one.by, one.key[:16], one.at] for one in found]
        print_table(["who", "key", "on"], rows, empty="Nobody has signed it.")


@click.command()
@click.argument("version")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@workspace_options
def export(workspace: Any, version: str, folder: Path, as_json: bool) -> None:
    """Write the files of VERSION to FOLDER, and its signatures beside it, so that others can verify them without Flyball."""
    from flyball.registry import signing

    found = workspace.registry.get_version(version)
    signed = workspace.signatures.list(f"models:/{found.model}/{found.version}")
    newest = signed[-1].described if signed else ""
    signing.export_version(found, workspace.blobs, folder, described=newest)
    files = []
    for one in signed:
        path = folder.with_name(f"{folder.name}.{one.key[:16]}.sig")
        path.write_bytes(workspace.blobs.get(one.signature))
        files.append(path)
    if as_json:
        print_json({"folder": str(folder), "signatures": [str(path) for path in files]})
        return
    click.echo(f"Version {found.version} of '{found.model}' is in {folder}.")
    for path in files:
        click.echo(f"Verify it with: model_signing verify key {folder} --signature {path} --public_key KEY.pub")


@click.command()
@click.argument("version")
@click.option("--output", "-o", type=_FILE, help="File to write it to.")
@workspace_options
def sbom(workspace: Any, version: str, output: Path | None, as_json: bool) -> None:
    """Print the software bill of materials of VERSION, as CycloneDX 1.6."""
    from flyball.registry.sbom import make_sbom

    made = make_sbom(workspace.registry.get_version(version))
    if output is None:
        print_json(made)
        return
    output.write_bytes(to_json(made) + b"\n")
    if as_json:
        print_json({"file": str(output)})
    else:
        click.echo(f"The bill of materials of {version} is in {output}.")


@click.command()
@click.argument("key", type=_FILE)
@click.option("--name", default="", help="Whose key it is.")
@workspace_options
def trust(workspace: Any, key: Path, name: str, as_json: bool) -> None:
    """Take the word of whoever holds the private half of KEY, a public key, for files that would else be refused."""
    from flyball.registry.keys import read_public_key

    made = workspace.trusted_keys.trust(read_public_key(key), name)
    if as_json:
        print_json(made)
    else:
        click.echo(f"The key {made.key[:16]} is trusted.")


@click.command()
@click.argument("key")
@workspace_options
def distrust(workspace: Any, key: str, as_json: bool) -> None:
    """Take the word of KEY, the id or the beginning of one, no more."""
    found = [each for each in workspace.trusted_keys.list() if each.key.startswith(key)]
    workspace.trusted_keys.distrust(found[0].key if len(found) == 1 else key)
    if as_json:
        print_json({"distrusted": key})
    else:
        click.echo(f"The key {key[:16]} is trusted no more.")


COMMANDS = (trust, distrust, keygen, sign, verify, signatures, export, sbom)


def _own_key(workspace: Any) -> Path:
    from flyball.registry import signing

    found = signing.signing_key_of(workspace)
    if found is None:
        raise InvalidInput("No key is given.", hint="Name one with --key, or in the setting signing_key.")
    return found
