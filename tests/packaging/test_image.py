from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from flyball.errors import Corrupt, InvalidInput, NotFound, ServerUnreachable
from flyball.packaging import attachments
from flyball.packaging.image import Image, ImagePlan, build_image, push_image
from flyball.packaging.oci import Layout
from flyball.packaging.oci_registry import OciRegistry, Reference
from flyball.registry.keys import KeyPair, make_keys
from flyball.workspace import Workspace
from tests.servers.absent import found
from tests.servers.processes import free_port
from tools import provision

RUN = ["--runtime", "runc"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "host", "--read-only"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys") / "ada.key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layout") / "image"


@pytest.fixture(scope="module")
def image(shop: Workspace, folder: Path, keys: KeyPair) -> Image:
    return build_image(shop, "shop", folder, ImagePlan(key=keys.private))


@pytest.fixture(scope="module")
def newer(shop: Workspace, folder: Path, image: Image) -> Image:
    return build_image(shop, "shop/2", folder)


def test_the_same_model_gives_the_same_digest(shop: Workspace, image: Image, tmp_path: Path) -> None:
    again = build_image(shop, "shop", tmp_path / "elsewhere")
    assert again.digest == image.digest


def test_a_new_version_changes_the_last_layer_alone(image: Image, newer: Image) -> None:
    assert [layer.kind for layer in image.layers] == ["base", "packages", "flyball", "model"]
    assert image.layers[:3] == newer.layers[:3]
    assert image.layers[3] != newer.layers[3]
    assert newer.layers[3].descriptor.size < 10_000


def test_it_runs_as_nobody_and_says_what_it_holds(folder: Path, image: Image) -> None:
    layout = Layout(folder)
    config = json.loads(layout.path(layout.json(layout.image("1"))["config"]["digest"]).read_bytes())
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == "models:/shop/1"
    assert config["created"].startswith("1970")


def test_its_bill_of_materials_names_model_packages_and_python(folder: Path, image: Image) -> None:
    layout = Layout(folder)
    bill = next(each for each in layout.referrers(image.digest) if each.artifact_type == attachments.CYCLONEDX)
    told = json.loads(layout.path(layout.json(bill)["layers"][0]["digest"]).read_bytes())
    parts = {part["name"] for part in told["components"]}
    assert {"shop", "pyarrow", "starlette", "python"} <= parts
    assert "pytest" not in parts


def test_the_bill_is_valid_cyclonedx(folder: Path, image: Image) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    layout = Layout(folder)
    bill = next(each for each in layout.referrers(image.digest) if each.artifact_type == attachments.CYCLONEDX)
    text = layout.path(layout.json(bill)["layers"][0]["digest"]).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_its_signature_is_of_the_key_and_of_no_other(folder: Path, image: Image, keys: KeyPair, tmp_path: Path) -> None:
    layout = Layout(folder)
    assert attachments.verify(layout, layout.image("1"), keys.public) == keys.id
    with pytest.raises(Corrupt):
        attachments.verify(layout, layout.image("1"), make_keys(tmp_path / "eve.key").public)


def test_an_image_that_nobody_signed_says_so(folder: Path, newer: Image, keys: KeyPair) -> None:
    layout = Layout(folder)
    with pytest.raises(NotFound):
        attachments.verify(layout, layout.image("2"), keys.public)


def test_what_is_not_there_cannot_be_built(shop: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nobody"):
        build_image(shop, "nobody", tmp_path / "image")
    assert not (tmp_path / "image").exists()


def test_a_base_of_another_processor_must_be_named(shop: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--base"):
        build_image(shop, "shop", tmp_path / "image", ImagePlan(platform="linux/s390x"))


def test_what_was_built_is_kept(shop: Workspace, image: Image) -> None:
    shop.images.record(image)
    shop.images.record_push(image.digest, "registry.example/shop:1")
    (kept,) = shop.images.list(model="models:/shop/1")
    assert (kept.digest, kept.pushed) == (image.digest, ("registry.example/shop:1",))


def test_only_what_is_missing_is_pushed(folder: Path, image: Image, newer: Image, image_registry: str) -> None:
    first = push_image(folder, f"{image_registry}/team/shop", tag="1")
    assert set(first.blobs.values()) == {"sent"}
    second = push_image(folder, f"{image_registry}/team/shop", tag="2")
    sent = {digest for digest, what in second.blobs.items() if what == "sent"}
    model, shared = newer.layers[3].descriptor.digest, {layer.descriptor.digest for layer in newer.layers[:3]}
    assert model in sent
    assert not sent & shared
    assert second.sent < 20_000
    assert push_image(folder, f"{image_registry}/team/shop", tag="2").sent == 0


def test_a_neighbours_layers_are_mounted(folder: Path, image: Image, image_registry: str) -> None:
    push_image(folder, f"{image_registry}/team/shop", tag="1")
    other = push_image(folder, f"{image_registry}/team/other", tag="1", mount="team/shop")
    assert {other.blobs[layer.descriptor.digest] for layer in image.layers} == {"mounted"}


def test_bill_and_signature_are_found_at_the_registry(folder: Path, image: Image, image_registry: str) -> None:
    push_image(folder, f"{image_registry}/team/shop", tag="1")
    reference = Reference(host=image_registry, repository="team/shop", digest=image.digest)
    kinds = {each.artifact_type for each in OciRegistry(image_registry).referrers(reference)}
    assert kinds == {attachments.CYCLONEDX, attachments.SIGNATURE}


def test_a_base_is_pulled_from_a_registry(
    shop: Workspace, folder: Path, image: Image, image_registry: str, tmp_path: Path
) -> None:
    push_image(folder, f"{image_registry}/bases/python", tag="1")
    plan = ImagePlan(base=f"{image_registry}/bases/python:1")
    made = build_image(shop, "shop/2", tmp_path / "image", plan)
    assert [layer.descriptor.digest for layer in made.layers[:4]] == [layer.descriptor.digest for layer in image.layers]
    again = build_image(shop, "shop/2", tmp_path / "again", plan)
    assert again.digest == made.digest


def test_a_registry_that_is_not_there_is_named(folder: Path, image: Image) -> None:
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1"):
        push_image(folder, f"127.0.0.1:{free_port()}/team/shop", tag="1")


def test_a_missing_base_is_named(shop: Workspace, image_registry: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="bases/nothing"):
        build_image(shop, "shop", tmp_path / "image", ImagePlan(base=f"{image_registry}/bases/nothing:1"))


@pytest.fixture(scope="module")
def podman() -> Path:
    return found(provision.PODMAN)


@pytest.fixture(scope="module")
def pushed(folder: Path, image: Image, newer: Image, image_registry: str) -> str:
    return str(push_image(folder, f"{image_registry}/team/shop", tag="2").reference)


@pytest.fixture(scope="module")
def container(podman: Path, pushed: str) -> Iterator[str]:
    """The address of the pushed image, run with a read-only root."""
    port = free_port()
    root = Path(tempfile.mkdtemp(prefix="podman-"))  # podman takes no folder whose name is longer than 50 characters
    command = [str(podman), "--root", str(root / "root"), "--runroot", str(root / "run"), *RUN]
    subprocess.run([*command, "pull", "-q", "--tls-verify=false", pushed], check=True, capture_output=True, timeout=120)
    server = ["--objects", "/var/lib/flyball", "--host", "127.0.0.1", "--port", str(port)]
    done = subprocess.run(
        [*command, "run", "-d", *LIMITS, pushed, *server], check=True, capture_output=True, text=True, timeout=120
    )
    name = done.stdout.strip()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([*command, "rm", "-f", "-t", "5", name], capture_output=True, check=False, timeout=60)
        subprocess.run([*command, "system", "reset", "-f"], capture_output=True, check=False, timeout=60)
        shutil.rmtree(root, ignore_errors=True)


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = urllib3.request("GET" if body is None else "POST", f"{address}{path}", json=body, retries=False)
        except urllib3.exceptions.HTTPError:
            answer = None
        if answer is not None and answer.status == 200:
            return answer.json()
        if time.monotonic() > deadline:
            raise AssertionError(answer and answer.data)
        time.sleep(0.1)


def test_the_pushed_image_answers_and_logs_although_its_root_is_read_only(container: str) -> None:
    ask(container, "/health")
    answer = ask(container, "/predict/shop", {"rows": [{"x": 1.0}], "ids": ["a"]})
    assert answer["predictions"][0]["prediction"] == 2.0
    ask(container, "/flush", {})
    told = urllib3.request("GET", f"{container}/metrics").data.decode()
    assert 'flyball_serving_logged_total{deployment="shop"} 0' not in told
    assert 'flyball_serving_dropped_total{deployment="shop"} 0' in told
