"""Signatures: who vouches for a version's files, and whether those are still the ones that were signed.

Signing and verifying is done by the `model_signing` library of the OpenSSF, on a folder that holds the version's files and
a description of the version. So whoever has the folder, the signature and the public key can verify it without Flyball. The
private key stays in a file of the one who signs; neither the database nor a server ever sees it.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import AlreadyExists, Corrupt, FlyballError, InvalidInput, MissingExtra, NotFound
from flyball.models.signature import Signature
from flyball.principals import who
from flyball.registry import _people_store as _people
from flyball.registry.keys import EXTRA, check_key_file, key_id, read_public_key
from flyball.registry.versions import ModelVersion
from flyball.serialization import canonical_json, from_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.object_store import check_key
from flyball.storage.objects import Blobs, check_digest, digest_file
from flyball.verbs import change, read

FILES, DESCRIPTION = "files", "version.json"
_LONGEST_SIGNATURE = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSignature:
    """Someone's signature under a version.

    Attributes:
        key: SHA-256 of the public key, 64 hexadecimal digits.
        signature: Digest of the signature itself: a bundle in Sigstore's JSON.
        described: What was signed beside the files: the version as it was described then, as JSON.
        public_key: The key that verifies it, as PEM. Trust it only if you know from elsewhere whose it is.
        by: Who signed; only a word, unlike the key.
    """

    model: str
    version: int
    key: str
    signature: str
    described: str
    public_key: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is signed beside the files: what they are and how they are read. Swapped, that could do as much harm."""

    model: str
    version: int
    package: str
    flavor: str
    flavor_settings: dict[str, str]
    files: dict[str, str]
    signature: Signature
    run: str
    code: str
    snapshots: tuple[str, ...]


class Signatures:
    """Keeps the signatures of versions."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def record(self, ref: str, signature: str, described: str, public_key: str, by: str = "") -> VersionSignature:
        """Keeps a signature with its version; another one by the same key replaces it.

        Args:
            signature: Digest of the bundle; its bytes are kept already.
            described: What was signed beside the files.
            public_key: PEM of the key that verifies it.

        Raises:
            InvalidInput: the bundle or the key is none, or the bundle names another key.
            NotFound: there is no such version, or the bundle is not kept.
        """
        by = who(by)
        by = _people.person(by) if by else ""
        key = key_id(public_key)
        if self._blobs.size(check_digest(signature)) > _LONGEST_SIGNATURE:
            raise InvalidInput("The signature is too long to be one.")
        hint = _bundle(self._blobs.get(signature)).get("verificationMaterial", {}).get("publicKey", {}).get("hint")
        if hint != key:
            raise InvalidInput(
                "The signature was not made by this key.", hint="Give the public key that belongs to it."
            )
        _check_described(described)
        given: dict[str, Any] = {
            "signature": signature,
            "described": described,
            "public_key": public_key,
            "by": by,
            "at": self._clock.now(),
        }
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            own: dict[str, Any] = {"model": row.model, "version": row.version, "key": key}
            insert = self._database.insert(_people.signatures).values(**own, **given)
            connection.execute(insert.on_conflict_do_update(index_elements=list(own), set_=given))
            subject = _people.version_ref(row)
            self._events.append(
                connection, "registry.version_signed", subject, model=row.model, version=row.version, key=key, by=by
            )
        return VersionSignature(**own, **given)

    @read
    def list(self, ref: str) -> list[VersionSignature]:
        """The signatures of a version, oldest first.

        Raises:
            NotFound: there is no such version.
        """
        table = _people.signatures
        with self._database.reading() as connection:
            row = _people.exact_row(connection, ref)
            mine = sa.and_(table.c.model == row.model, table.c.version == row.version)
            rows = connection.execute(sa.select(table).where(mine).order_by(table.c.at, table.c.key)).all()
        return [VersionSignature(**found._mapping) for found in rows]


def sign_version(
    version: ModelVersion, key: Path, *, signatures: Signatures, blobs: Blobs, by: str = ""
) -> VersionSignature:
    """Signs a version's files and description, and keeps the signature with it.

    Args:
        key: File of the private key.
        by: Who signs.

    Raises:
        InvalidInput: the key cannot be used, or the version has no files here.
        NotFound: a file of the version is not kept any more.
        Corrupt: a file of the version is not the one that was kept: what is damaged is not vouched for.
        MissingExtra: the library is not installed.
    """
    if not version.package.files:
        raise InvalidInput(f"Version {version.version} of '{version.model}' has no files here that could be signed.")
    public_key = check_can_sign(key)
    library = _model_signing()
    with tempfile.TemporaryDirectory(prefix="flyball-sign-") as temporary:
        folder, bundle = Path(temporary) / _name(version), Path(temporary) / "signature.json"
        described = describe(version)
        export_version(version, blobs, folder, described=described)
        config = library.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(_hashing(library))
        config.sign(folder, bundle)
        digest = blobs.put_file(bundle)
    return signatures.record(_ref(version), digest, described, public_key, by)


def check_can_sign(key: Path) -> str:
    """The PEM of the public key that belongs to a private one, if one can sign with it here.

    Raises:
        NotFound: there is no such file.
        InvalidInput: others can read it, or it holds no private key that can be used.
        MissingExtra: the library is not installed.
    """
    _model_signing()
    return check_key_file(key)


def signing_key_of(services: Any) -> Path | None:
    """The private key that the settings name for signing what is registered; None if they name none.

    Args:
        services: A workspace, or what stands for one.
    """
    named = getattr(getattr(services, "settings", None), "signing_key", "")
    return Path(named) if named else None


def verify_version(version: ModelVersion, key: Path, *, signatures: Signatures, blobs: Blobs) -> VersionSignature:
    """The signature of a key under a version, if the version still is what was signed.

    Args:
        key: File of the public key that is trusted.

    Raises:
        NotFound: the version is not signed by this key.
        Corrupt: files are not those that were signed, or the signature is not of this key; the message names them.
        InvalidInput: the key cannot be used.
        MissingExtra: the library is not installed.
    """
    library, public_key = _model_signing(), read_public_key(key)
    found = [one for one in signatures.list(_ref(version)) if one.key == key_id(public_key)]
    if not found:
        raise NotFound(
            f"Version {version.version} of '{version.model}' is not signed by the key {key}.",
            hint=f"flyball models sign {version.model}/{version.version}",
        )
    with tempfile.TemporaryDirectory(prefix="flyball-verify-") as temporary:
        folder, bundle = Path(temporary) / _name(version), Path(temporary) / "signature.json"
        trusted = Path(temporary) / "key.pub"
        trusted.write_text(public_key, encoding="utf-8")  # the one whose id was looked at, not what lies there by now
        damaged = _copy_as_it_is(version, blobs, folder, found[0].described)
        bundle.write_bytes(blobs.get(found[0].signature))
        verifier = library.verifying.Config().use_elliptic_key_verifier(public_key=trusted)
        verifier.set_hashing_config(_hashing(library))
        try:
            verifier.verify(folder, bundle)
        except Exception as error:  # the library and those beneath it raise what they like; none of it means "good"
            raise _tampered(version, library, folder, bundle, damaged, error) from error
    _check_is_as_described(version, found[0].described)
    return found[0]


def describe(version: ModelVersion) -> str:
    """What is signed beside the files, as JSON."""
    package = version.package
    described = Described(
        model=version.model, version=version.version, package=package.id, flavor=package.flavor,
        flavor_settings=package.flavor_settings, files=package.files, signature=package.signature,
        run=version.run, code=version.code, snapshots=version.snapshots,
    )  # fmt: skip
    return canonical_json(described).decode()


def export_version(version: ModelVersion, blobs: Blobs, folder: Path, *, described: str = "") -> None:
    """Writes what is signed into a folder: the model's files below `files/`, and what they are into `version.json`.

    Args:
        described: What `version.json` is to say: that of a signature, or that of the version by default.

    Raises:
        AlreadyExists: the folder is there and not empty.
        NotFound: a file is not kept any more.
        Corrupt: a file is not the one that was kept.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(f"{folder} exists already and is not empty.", hint="Choose another folder.")
    for name, digest in version.package.files.items():
        path = _place(folder, name)
        shutil.copyfile(blobs.path(digest), path)
        if digest_file(path) != digest:
            raise Corrupt(f"The file '{name}' is not the one that was kept.", file=name, digest=digest)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).write_text(described or describe(version), encoding="utf-8")


def _copy_as_it_is(version: ModelVersion, blobs: Blobs, folder: Path, described: str) -> dict[str, str]:
    """Writes what is kept, good or not; gives the files that could not be read, and why."""
    damaged = {}
    for name, digest in version.package.files.items():
        path = _place(folder, name)
        try:
            shutil.copyfile(blobs.path(digest), path)
        except (FlyballError, OSError) as error:
            kind = "is gone" if isinstance(error, NotFound) else "was changed" if isinstance(error, Corrupt) else ""
            damaged[f"{FILES}/{name}"] = kind or "cannot be read"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).write_text(described, encoding="utf-8")
    return damaged


def _place(folder: Path, name: str) -> Path:
    path = folder / FILES / check_key(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _check_described(described: str) -> None:
    if len(described) > _LONGEST_SIGNATURE:
        raise InvalidInput("The description of the version is too long to be one.")
    from_json(described, Described)


def _check_is_as_described(version: ModelVersion, described: str) -> None:
    """Compares value by value: a later release may write the same version down in other words."""
    signed, present = from_json(described, Described), from_json(describe(version), Described)
    differ = [name for name in Described.__slots__ if getattr(signed, name) != getattr(present, name)]
    if differ:
        raise Corrupt(
            f"Version {version.version} of '{version.model}' is not what was signed: {', '.join(differ)} "
            f"{'was' if len(differ) == 1 else 'were'} changed.",
            hint="Do not use it.",
            differ=differ,
        )


def _tampered(
    version: ModelVersion, library: ModuleType, folder: Path, bundle: Path, damaged: Mapping[str, str], error: Exception
) -> Corrupt:
    what = f"Version {version.version} of '{version.model}'"
    try:
        signed = _signed_files(bundle.read_bytes())
        present = {
            one.identifier: one.digest.digest_hex for one in _hashing(library).hash(folder).resource_descriptors()
        }
    except Exception:  # noqa: BLE001  # a bundle that is none
        return Corrupt(
            f"{what} has a signature that cannot be read.", hint="Do not use it; sign it again if you trust it."
        )
    wrong = dict.fromkeys(present.keys() - signed.keys(), "was added")
    wrong |= {name: damaged.get(name, "is gone") for name in signed.keys() - present.keys()}
    wrong |= {name: "was changed" for name in present.keys() & signed.keys() if present[name] != signed[name]}
    if not wrong:
        return Corrupt(f"{what}: the signature is not one of this key.", hint="Do not use it.", cause=str(error)[:300])
    named = [f"{name.removeprefix(f'{FILES}/')} {wrong[name]}" for name in sorted(wrong)]
    more = f", and {len(named) - 5} more" if len(named) > 5 else ""
    return Corrupt(
        f"{what} is not what was signed: {', '.join(named[:5])}{more}.",
        hint="Do not use it.",
        files=dict(sorted(wrong.items())),
    )


def _signed_files(bundle: bytes) -> dict[str, str]:
    """SHA-256 of each file by what the bundle says; it may be forged."""
    payload = base64.b64decode(_bundle(bundle)["dsseEnvelope"]["payload"])
    resources = from_json(payload, dict[str, Any])["predicate"]["resources"]
    return {str(one["name"]): str(one["digest"]) for one in resources}


def _bundle(data: bytes) -> dict[str, Any]:
    found = from_json(data, dict[str, Any])
    material = found.get("verificationMaterial")
    if not isinstance(material, dict) or not isinstance(material.get("publicKey", {}), dict):
        raise InvalidInput("This is no signature in Sigstore's form.")
    return found


def _hashing(library: ModuleType) -> Any:
    # By default the library passes over what belongs to git, so such a file could be slipped in.
    return library.hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)


def _name(version: ModelVersion) -> str:
    return f"{version.version}"


def _ref(version: ModelVersion) -> str:
    return f"models:/{version.model}/{version.version}"


def _model_signing() -> ModuleType:
    try:
        import model_signing
    except ImportError as error:
        raise MissingExtra("Signing needs its library.", hint=EXTRA) from error
    return model_signing
