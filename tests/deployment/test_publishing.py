"""The manifest in the store is written when it has to change, and not again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flyball.deployment.manifest import publish
from flyball.models.package import save_model
from flyball.serving.manifest import manifest_key
from flyball.serving.signed_manifest import is_envelope
from flyball.settings import load_settings
from flyball.workspace import Workspace


class CannotSign:
    """As where the library that signs is not installed."""

    def sign(self, data: bytes) -> None:
        """Signs nothing."""


def constant(rows: Any) -> Any:
    """A model."""
    return [1.0] * len(rows)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load_settings({}, environment={}, start=tmp_path), durable=False) as made:
        made.registry.register("shop", save_model(constant, made.blobs, example=pa.table({"x": [1.0, 2.0]})))
        made.registry.promote("shop", 1)
        made.deployments.deploy("shop", "shop", 1)
        yield made


@pytest.mark.parametrize("signer", [None, CannotSign()], ids=["nobody signs", "it cannot be signed"])
def test_without_a_signature_it_is_written_once(shop: Workspace, signer: CannotSign | None) -> None:
    deployment = shop.deployments.get("shop")
    assert publish(shop.store, deployment, shop.registry, signer=signer)
    assert not publish(shop.store, deployment, shop.registry, signer=signer)


def test_one_that_was_not_signed_is_signed_once_it_can_be(shop: Workspace) -> None:
    deployment = shop.deployments.get("shop")
    publish(shop.store, deployment, shop.registry, signer=CannotSign())
    assert publish(shop.store, deployment, shop.registry, signer=shop.manifest_key)
    assert is_envelope(shop.store.get(manifest_key("shop")))
    assert not publish(shop.store, deployment, shop.registry, signer=shop.manifest_key)
