from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage, package_id
from flyball.models.signature import Signature
from flyball.registry.keys import KeyPair, make_keys
from flyball.registry.vouching import vouch
from flyball.schema import Schema
from flyball.settings import load_settings
from flyball.workspace import Workspace


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


Make = Callable[..., ModelPackage]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load_settings({}, environment={}, start=tmp_path), durable=False) as made:
        yield made


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return make_keys(tmp_path / "ada.key")


def packaged(here: Workspace, data: bytes, name: str = "model.pickle") -> ModelPackage:
    nothing = Schema(columns=())
    made = ModelPackage(
        id="", flavor="scikit_learn", files={name: here.blobs.put(data)}, size=len(data),
        signature=Signature(task="other", inputs=nothing, outputs=nothing), environment=Environment(python="", platform=""),
    )  # fmt: skip
    return replace(made, id=package_id(made))


def test_what_would_do_harm_is_not_registered(here: Workspace) -> None:
    with pytest.raises(InvalidInput, match=r"model\.onnx: its pickle names posix\.system"):
        here.registry.register("late", packaged(here, pickle.dumps(Harmful()), "model.onnx"))
    assert here.registry.list_versions("late") == []


def test_a_trusted_key_can_vouch_for_it(here: Workspace, keys: KeyPair) -> None:
    package = packaged(here, pickle.dumps(Harmful()))
    here.trusted_keys.trust(keys.public.read_text(), "Ada")
    made = here.registry.register("late", package, voucher=vouch(package, keys.private))
    assert made.version == 1
    assert [key.name for key in here.trusted_keys.list()] == ["Ada"]


def test_another_key_cannot(here: Workspace, keys: KeyPair) -> None:
    package = packaged(here, pickle.dumps(Harmful()))
    with pytest.raises(InvalidInput, match="not trusted here"):
        here.registry.register("late", package, voucher=vouch(package, keys.private))


def test_nor_one_that_is_trusted_no_more(here: Workspace, keys: KeyPair) -> None:
    package = packaged(here, pickle.dumps(Harmful()))
    trusted = here.trusted_keys.trust(keys.public.read_text())
    here.trusted_keys.distrust(trusted.key)
    with pytest.raises(InvalidInput, match="not trusted here"):
        here.registry.register("late", package, voucher=vouch(package, keys.private))
    with pytest.raises(NotFound):
        here.trusted_keys.distrust(trusted.key)


def test_a_voucher_counts_for_its_own_package_alone(here: Workspace, keys: KeyPair) -> None:
    here.trusted_keys.trust(keys.public.read_text())
    harmless, harmful = packaged(here, pickle.dumps({"a": 1})), packaged(here, pickle.dumps(Harmful()))
    word = vouch(harmless, keys.private)
    with pytest.raises(InvalidInput, match="not of this package"):
        here.registry.register("late", harmful, voucher=word)
    with pytest.raises(InvalidInput, match="id is not that"):
        here.registry.register("late", replace(harmful, id=harmless.id), voucher=word)


def test_a_voucher_that_is_none_does_no_harm_to_what_is_harmless(here: Workspace) -> None:
    assert here.registry.register("late", packaged(here, pickle.dumps({"a": 1})), voucher="x:y").version == 1


def test_what_is_no_key_is_not_trusted(here: Workspace) -> None:
    with pytest.raises(InvalidInput):
        here.trusted_keys.trust("no key")
