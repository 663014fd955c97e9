"""What is signed can be told from what is not: by us, and by the library alone."""

from __future__ import annotations

import base64
import contextvars
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from flyball.clock import FixedClock
from flyball.data.table import Table
from flyball.errors import AlreadyExists, Corrupt, InvalidInput, MissingExtra, NotFound
from flyball.models.package import ModelPackage
from flyball.pipelines.context import RunContext, enter_step
from flyball.registry import _people_store, _store
from flyball.registry.keys import KeyPair, check_key_file, make_keys
from flyball.registry.signing import Signatures, VersionSignature, export_version, sign_version, verify_version
from flyball.registry.versions import ModelVersion, Registry
from flyball.run_services import RunServices
from flyball.serialization import from_json, to_json
from flyball.steps import register
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.workspace import Workspace
from tests.registry.constant import always_seven


@dataclass
class Signed:
    """A signed version, and what it takes to verify it."""

    registry: Registry
    signatures: Signatures
    blobs: Blobs
    keys: KeyPair
    database: Database

    @property
    def version(self) -> ModelVersion:
        return self.registry.get_version("churn/1")

    def sign(self, keys: KeyPair | None = None, by: str = "Ada") -> VersionSignature:
        key = (keys or self.keys).private
        return sign_version(self.version, key, signatures=self.signatures, blobs=self.blobs, by=by)

    def verify(self, key: Path | None = None) -> VersionSignature:
        return verify_version(self.version, key or self.keys.public, signatures=self.signatures, blobs=self.blobs)


@pytest.fixture(scope="session")
def some_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys") / "ada.key")


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys") / "mallory.key")


@pytest.fixture
def house(
    registry: Registry,
    package: ModelPackage,
    database: Database,
    blobs: Blobs,
    events: EventLog,
    clock: FixedClock,
    some_keys: KeyPair,
) -> Signed:
    files = {**package.files, "sub/words.txt": blobs.put(b"words"), "sub/more.txt": blobs.put(b"more")}
    registry.register("churn", replace(package, files=files), code="c0de")
    signatures = Signatures(database, blobs, events, clock)
    return Signed(registry, signatures, blobs, some_keys, database)


def change_package(house: Signed, change: Callable[[ModelPackage], ModelPackage]) -> None:
    """What one does who can write to the database."""
    house.database.execute(sa.update(_store.versions).values(package=change(house.version.package)))


def overwrite(house: Signed, name: str, data: bytes | None) -> None:
    """What one does who can write to the folder of the bytes."""
    store = house.blobs.store
    assert isinstance(store, LocalObjects)
    digest = house.version.package.files[name]
    path = store.existing_path(f"blobs/{digest[:2]}/{digest}")
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def test_the_private_key_is_for_its_owner_only(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "deep" / "ada.key")
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    assert made.public == tmp_path / "deep" / "ada.pub"
    assert "PRIVATE" not in made.public.read_text(encoding="utf-8")
    assert check_key_file(made.private) == made.public.read_text(encoding="utf-8")


def test_a_private_key_does_not_take_the_name_of_a_public_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is the name of a public key"):
        make_keys(tmp_path / "ada.pub")


@pytest.mark.parametrize("name", ["ada.key", "ada.pub"])
def test_a_key_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(AlreadyExists, match="exists already"):
        make_keys(tmp_path / "ada.key")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_what_was_signed_is_verified(house: Signed) -> None:
    made = house.sign()
    assert (made.model, made.version, made.by, made.key) == ("churn", 1, "Ada", house.keys.id)
    assert house.verify() == made
    assert house.verify(house.keys.private) == made
    assert from_json(to_json(made), VersionSignature) == made
    assert house.signatures.list("churn/1") == [made]


def test_several_people_sign_one_version(house: Signed, other_keys: KeyPair) -> None:
    house.sign()
    made = house.sign(other_keys, by="Grace")
    assert house.verify(other_keys.public) == made
    assert [found.by for found in house.signatures.list("churn/1")] in (["Ada", "Grace"], ["Grace", "Ada"])


def test_signing_again_replaces_ones_own_signature(house: Signed) -> None:
    house.sign()
    again = house.sign(by="Ada of sales")
    assert house.signatures.list("churn/1") == [again]
    house.verify()


def test_the_private_key_is_in_neither_the_database_nor_the_objects(house: Signed, tmp_path: Path) -> None:
    house.sign()
    secret = house.keys.private.read_text(encoding="utf-8").splitlines()[1]
    store = house.blobs.store
    assert all(secret.encode() not in store.get(item.key) for item in store.list("blobs/"))
    rows = house.database.rows(sa.select(_people_store.signatures))
    assert secret not in repr(rows)


def test_a_version_that_nobody_signed_is_not_verified(house: Signed, other_keys: KeyPair) -> None:
    with pytest.raises(NotFound, match="is not signed by the key"):
        house.verify()
    house.sign()
    with pytest.raises(NotFound, match="is not signed by the key"):
        house.verify(other_keys.public)


def test_a_file_that_was_changed_is_named(house: Signed) -> None:
    house.sign()
    overwrite(house, "sub/words.txt", b"other words")
    with pytest.raises(Corrupt, match=r"is not what was signed: sub/words\.txt was changed\.") as found:
        house.verify()
    assert found.value.facts["files"] == {"files/sub/words.txt": "was changed"}


def test_files_that_are_gone_are_named(house: Signed) -> None:
    house.sign()
    overwrite(house, "sub/words.txt", None)
    overwrite(house, "sub/more.txt", None)
    with pytest.raises(Corrupt, match=r"sub/more\.txt is gone, sub/words\.txt is gone\."):
        house.verify()


def test_a_file_that_was_put_in_anothers_place_is_named(house: Signed) -> None:
    house.sign()
    evil = house.blobs.put(b"evil")
    change_package(house, lambda package: replace(package, files={**package.files, "sub/words.txt": evil}))
    with pytest.raises(Corrupt, match=r"sub/words\.txt was changed"):
        house.verify()


@pytest.mark.parametrize("name", ["evil.txt", "gitignore", "sub/gitattributes"])
def test_a_file_that_was_added_is_named(house: Signed, name: str) -> None:
    house.sign()
    evil = house.blobs.put(b"evil")
    change_package(house, lambda package: replace(package, files={**package.files, name: evil}))
    with pytest.raises(Corrupt, match=f"{name} was added"):
        house.verify()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"flavor": "scikit_learn"}, "flavor was changed"),
        ({"flavor_settings": {"function": "evil"}}, "flavor_settings was changed"),
        ({"id": "0" * 64, "flavor": "x"}, "package, flavor were changed"),
    ],
)
def test_reading_it_in_another_way_is_noticed(house: Signed, values: dict[str, Any], named: str) -> None:
    house.sign()
    change_package(house, lambda package: replace(package, **values))
    with pytest.raises(Corrupt, match=named):
        house.verify()


def test_a_signature_does_not_fit_another_version(house: Signed, package: ModelPackage) -> None:
    made = house.sign()
    house.registry.register("churn", house.version.package)
    house.signatures.record("churn/2", made.signature, made.described, made.public_key)
    version = house.registry.get_version("churn/2")
    with pytest.raises(Corrupt, match="version, code were changed"):
        verify_version(version, house.keys.public, signatures=house.signatures, blobs=house.blobs)


def test_a_description_that_was_forged_with_the_rest_is_noticed(house: Signed) -> None:
    made = house.sign()
    change_package(house, lambda package: replace(package, flavor="evil"))
    forged = made.described.replace('"flavor":"python_function"', '"flavor":"evil"')
    assert forged != made.described
    house.signatures.record("churn/1", made.signature, forged, made.public_key)
    with pytest.raises(Corrupt, match=r"version\.json was changed"):
        house.verify()


def test_a_forged_signature_is_noticed(house: Signed, other_keys: KeyPair) -> None:
    made = house.sign()
    theirs = house.sign(other_keys)
    bundle = from_json(house.blobs.get(theirs.signature), dict[str, Any])
    ours = from_json(house.blobs.get(made.signature), dict[str, Any])
    bundle["verificationMaterial"] = ours["verificationMaterial"]
    forged = house.blobs.put(to_json(bundle))
    house.signatures.record("churn/1", forged, made.described, made.public_key)
    with pytest.raises(Corrupt, match="the signature is not one of this key"):
        house.verify()


def test_a_list_of_files_that_was_forged_in_the_signature_is_noticed(house: Signed) -> None:
    made = house.sign()
    evil = house.blobs.put(b"evil")
    change_package(house, lambda package: replace(package, files={**package.files, "sub/words.txt": evil}))
    bundle = from_json(house.blobs.get(made.signature), dict[str, Any])
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    import hashlib

    before, after = hashlib.sha256(b"words").hexdigest(), hashlib.sha256(b"evil").hexdigest()
    assert before.encode() in payload
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload.replace(before.encode(), after.encode())).decode()
    forged = house.blobs.put(to_json(bundle))
    house.signatures.record("churn/1", forged, made.described, made.public_key)
    with pytest.raises(Corrupt):
        house.verify()


def test_what_is_damaged_is_not_signed(house: Signed) -> None:
    overwrite(house, "sub/words.txt", b"other words")
    with pytest.raises(Corrupt):
        house.sign()
    overwrite(house, "sub/words.txt", None)
    with pytest.raises(NotFound):
        house.sign()
    assert house.signatures.list("churn/1") == []


def test_a_version_without_files_is_not_signed(house: Signed) -> None:
    change_package(house, lambda package: replace(package, files={}))
    with pytest.raises(InvalidInput, match="has no files here"):
        house.sign()


def test_others_verify_an_exported_version_without_us(house: Signed, tmp_path: Path) -> None:
    made = house.sign()
    export_version(house.version, house.blobs, tmp_path / "churn", described=made.described)
    (tmp_path / "churn.sig").write_bytes(house.blobs.get(made.signature))
    command = [
        sys.executable, "-W", "ignore", "-m", "model_signing", "verify", "key", str(tmp_path / "churn"),
        "--signature", str(tmp_path / "churn.sig"), "--public_key", str(house.keys.public),
    ]  # fmt: skip
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (tmp_path / "churn" / "files" / "sub" / "words.txt").write_bytes(b"other words")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_a_folder_that_is_not_empty_is_left_alone(house: Signed, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        export_version(house.version, house.blobs, tmp_path)


def test_a_key_that_others_can_read_is_refused(house: Signed, tmp_path: Path) -> None:
    copy = tmp_path / "ada.key"
    shutil.copyfile(house.keys.private, copy)
    copy.chmod(0o640)
    with pytest.raises(InvalidInput, match="Others can read"):
        check_key_file(copy)


def test_what_is_no_key_is_refused(house: Signed, tmp_path: Path) -> None:
    house.sign()
    path = tmp_path / "some.key"
    with pytest.raises(NotFound, match="There is no key"):
        check_key_file(path)
    with pytest.raises(NotFound, match="There is no key"):
        house.verify(path)
    path.write_text("nothing", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="holds no private key"):
        check_key_file(path)
    with pytest.raises(InvalidInput, match="holds no public key"):
        house.verify(path)
    with pytest.raises(InvalidInput, match="holds no private key"):
        house.sign(KeyPair(private=path, public=path, id=""))
    with pytest.raises(InvalidInput, match="cannot be read"):
        check_key_file(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    keys: tuple[Any, ...] = (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256K1()))
    for number, key in enumerate(keys):
        path = tmp_path / f"{number}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        path.chmod(0o600)
        with pytest.raises(InvalidInput, match="is no key of the curve"):
            check_key_file(path)


def test_what_is_no_signature_is_not_kept(house: Signed, other_keys: KeyPair) -> None:
    made = house.sign()
    good = {
        "ref": "churn/1",
        "signature": made.signature,
        "described": made.described,
        "public_key": made.public_key,
    }
    theirs = other_keys.public.read_text(encoding="utf-8")
    for bad in (
        {"signature": "nope"},
        {"signature": house.blobs.put(b"nothing")},
        {"signature": house.blobs.put(b"{}")},
        {"signature": house.blobs.put(b'{"verificationMaterial": {"publicKey": 1}}')},
        {"described": "{}"},
        {"public_key": "nothing"},
        {"public_key": theirs},
        {"by": "a\nb"},
        {"ref": "churn"},
    ):
        with pytest.raises(InvalidInput):
            house.signatures.record(**{**good, **bad})
    with pytest.raises(NotFound):
        house.signatures.record(**{**good, "signature": "0" * 64})
    with pytest.raises(NotFound):
        house.signatures.record(**{**good, "ref": "churn/9"})


def test_signing_is_told(house: Signed, events: EventLog) -> None:
    house.sign()
    [event] = events.list(kinds=["registry.version_signed"])
    assert (event.subject, event.facts["by"], event.facts["key"]) == ("models:/churn/1", "Ada", house.keys.id)


def register_in_a_run(workspace: Workspace, key: Path) -> ModelVersion:
    """What `fb.register` in a pipeline does, in a project whose settings name a key."""
    settings = replace(workspace.settings, signing_key=str(key))
    with Workspace(settings, durable=False) as here:
        services = RunServices(workspace=here, project_root=here.root, source_root=here.root, code="")
        run = here.tracking.create_run("train")
        rows = Table(pa.table({"age": [1.0, 2.0]}))

        def work() -> ModelVersion:
            enter_step(RunContext(run, services, {}))
            made: ModelVersion = register("churn", always_seven, reference=rows)
            return made

        return contextvars.copy_context().run(work)


def test_what_is_registered_in_a_run_is_signed_where_the_settings_name_a_key(
    workspace: Workspace, some_keys: KeyPair
) -> None:
    version = register_in_a_run(workspace, some_keys.private)
    assert verify_version(version, some_keys.public, signatures=workspace.signatures, blobs=workspace.blobs).by == ""


def test_nothing_is_registered_that_could_not_be_signed(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no key"):
        register_in_a_run(workspace, tmp_path / "gone.key")
    assert workspace.registry.list_models() == []


def test_without_the_library_its_name_is_told(house: Signed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    house.sign()
    monkeypatch.setitem(sys.modules, "model_signing", None)
    for attempt in (house.sign, house.verify):
        with pytest.raises(MissingExtra) as missing:
            attempt()
        assert missing.value.hint == "pip install 'flyball[signing]'"
