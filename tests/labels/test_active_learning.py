"""Asking for what a model is unsure of, against asking at random: the whole way, on a folder of digits written as PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from flyball.data.snapshot import take_snapshot
from flyball.labels.queue import order_queue
from flyball.labels.snapshots import add_all, book, current_labels, item_bytes, items_of_snapshot, snapshot_labels
from flyball.labels.task import LabelSet, NewLabel
from flyball.settings import load_settings
from flyball.workspace import Workspace

SEEDS = range(5)
POOL, TEST, FIRST, STEP, ROUNDS = 900, 800, 20, 20, 6


def accuracy_of(by: str, seed: int) -> float:
    """The accuracy on held-out digits after all rounds, when the pool is asked in one order or the other."""
    x, y = load_digits(return_X_y=True)
    x = x / 16.0
    order = np.random.default_rng(seed).permutation(len(x))
    pool, test = order[:POOL], order[POOL : POOL + TEST]
    labelled = list(pool[:FIRST])
    for _ in range(ROUNDS):
        model = LogisticRegression(C=0.3, tol=1e-2, max_iter=400).fit(x[labelled], y[labelled])
        left = np.array([each for each in pool if each not in set(labelled)])
        scores: npt.NDArray[np.float64]
        if by == "random":
            from flyball.labels.queue import shuffled

            scores = shuffled(len(left), seed)
        else:
            from flyball.labels.queue import uncertainty

            scores = uncertainty(model.predict_proba(x[left]))
        labelled += list(left[np.argsort(-scores, kind="stable")[:STEP]])
    model = LogisticRegression(C=0.3, tol=1e-2, max_iter=400).fit(x[labelled], y[labelled])
    return float(model.score(x[test], y[test]))


def test_asking_for_what_is_unsure_beats_chance() -> None:
    # As many labels (140) from the same start, five seeds. Measured: 0.921 against 0.876; less than half of the margin is held.
    unsure = np.array([accuracy_of("uncertainty", seed) for seed in SEEDS])
    chance = np.array([accuracy_of("random", seed) for seed in SEEDS])
    assert unsure.mean() - chance.mean() > 0.015
    assert (unsure > chance).sum() >= 4


@pytest.fixture
def local(sqlite_url: str, tmp_path: Path) -> Workspace:
    return Workspace(load_settings({"database": sqlite_url}, environment={}, start=tmp_path), durable=False)


def write_digits(folder: Path, count: int) -> npt.NDArray[np.int64]:
    digits = load_digits()
    folder.mkdir()
    for number in range(count):
        image = Image.fromarray((digits.images[number] * 15).astype(np.uint8), mode="L")
        image.save(folder / f"{number:04}.png")
    truth: npt.NDArray[np.int64] = digits.target[:count]
    return truth


def test_a_folder_of_images_is_labelled_to_a_versioned_table(local: Workspace, tmp_path: Path) -> None:
    truth = write_digits(tmp_path / "digits", 60)
    taken = take_snapshot(local.data, local.blobs, "digits", "digits", root=tmp_path)
    labels = local.labels
    labels.declare(LabelSet(name="digits", task="classify", items="image", classes=tuple("0123456789")))
    assert add_all(labels, "digits", items_of_snapshot(local.data, local.blobs, taken, kind="image")) == 60
    item = labels.next("digits", "ann")[0]
    assert Image.open(io.BytesIO(item_bytes(local.data, local.blobs, item))).size == (8, 8)
    given = [NewLabel(item=f"{n:04}.png", value=str(truth[n]), annotator="ann") for n in range(40)]
    labels.add_labels("digits", given)
    first = snapshot_labels(labels, local.data, local.blobs, "digits", root=tmp_path)
    assert (first.dataset, first.rows) == ("labels-digits", 40)
    assert snapshot_labels(labels, local.data, local.blobs, "digits", root=tmp_path).id == first.id
    labels.label("digits", "0000.png", "9", "bob")
    assert snapshot_labels(labels, local.data, local.blobs, "digits", root=tmp_path).rows == 41
    assert book(labels, "digits").column_names == [
        "number", "item", "label", "annotator", "time", "source", "confidence", "taken_back",
    ]  # fmt: skip
    values = [each.value for each in current_labels(labels, "digits")]
    assert values[1:] == [str(each) for each in truth[1:40]]


def test_a_folder_of_texts_is_shown_as_text(local: Workspace, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    for name, text in (("a.txt", "Very good"), ("b.txt", "Schön"), ("c.txt", "bad \xff")):
        (tmp_path / "reviews" / name).write_bytes(text.encode("utf-8" if name != "c.txt" else "latin-1"))
    taken = take_snapshot(local.data, local.blobs, "reviews", "reviews", root=tmp_path)
    local.labels.declare(LabelSet(name="r", task="classify", items="text", classes=("good", "bad")))
    add_all(local.labels, "r", items_of_snapshot(local.data, local.blobs, taken, kind="text"))
    texts = {item.key: item.data["text"] for item in local.labels.list_items("r")}
    assert texts == {"a.txt": "Very good", "b.txt": "Schön", "c.txt": "bad \ufffd"}


def test_rows_of_a_table_are_named_by_their_key(local: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,v,w\nx,1,a\ny,2,b\n")
    taken = take_snapshot(local.data, local.blobs, "rows", "rows.csv", root=tmp_path)
    items = list(items_of_snapshot(local.data, local.blobs, taken, key="id", columns=["v"]))
    assert [(item.key, item.data) for item in items] == [("x", {"v": 1}), ("y", {"v": 2})]
    assert items[0].ref == f"snapshots:/rows/{taken.id}"
    local.labels.declare(LabelSet(name="rows", task="accept"))
    add_all(local.labels, "rows", items)
    assert order_queue(local.labels, "rows", by="diversity") == 2
