from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import InvalidInput
from flyball.labels.labels import Labels
from flyball.labels.queue import disagreement, diversity, mixed, order_queue, shuffled, uncertainty
from flyball.labels.task import LabelSet, NewItem


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what is tried here is the order of things."""
    return sqlite_url


def test_a_margin_is_how_near_the_second_comes() -> None:
    assert uncertainty([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1], [1.0, 0.0, 0.0]]).tolist() == pytest.approx([1.0, 0.5, 0.0])


def test_entropy_is_most_where_all_are_alike() -> None:
    assert uncertainty([[1 / 3] * 3, [1, 0, 0]], "entropy").tolist() == pytest.approx([1.0, 0.0])


def test_one_column_is_the_chance_of_yes() -> None:
    assert uncertainty([0.5, 0.9]).tolist() == pytest.approx([1.0, 0.2])
    assert uncertainty([0.5, 1.0], "confidence").tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("given", [[[0.5]], [[float("nan"), 1.0]], [[-1.0, 2.0]]], ids=str)
def test_what_are_no_probabilities_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput):
        uncertainty(given)


def test_disagreement_grows_with_the_voices_that_differ() -> None:
    found = disagreement([["a", "a", "a"], ["a", "a", "b"], ["a", "b", "c"], ["a"], []]).tolist()
    assert found[0] == found[3] == found[4] == 0.0
    assert 0 < found[1] < found[2] == pytest.approx(1.0)


def test_diversity_takes_one_of_each_cluster_first() -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])
    table = np.concatenate([centre + generator.normal(0, 1, (25, 2)) for centre in centres])
    first = np.argsort(-diversity(table, seed=1))[:4]
    assert sorted(int(each) // 25 for each in first) == [0, 1, 2, 3]


def test_diversity_keeps_away_from_what_is_labelled() -> None:
    assert int(np.argmax(diversity([[0.0], [1.0], [10.0]], labelled=[[10.0]]))) == 0


def test_diversity_orders_all_and_needs_equal_features() -> None:
    assert len(set(diversity([[0.0], [1.0], [3.0], [7.0]], count=2).tolist())) == 4
    with pytest.raises(InvalidInput, match="features"):
        diversity([[0.0]], labelled=[[0.0, 1.0]])


def test_chance_is_the_same_for_the_same_seed() -> None:
    assert shuffled(50, 3).tolist() == shuffled(50, 3).tolist() != shuffled(50, 4).tolist()


def test_a_mix_goes_by_ranks() -> None:
    scores = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([900.0, 500.0, 100.0])}
    assert mixed(scores, {"a": 1.0, "b": 1.0}).tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert mixed(scores, {"a": 2.0, "b": 1.0}).argmax() == 2
    with pytest.raises(InvalidInput, match="no order"):
        mixed(scores, {"c": 1.0})


def asked(labels: Labels) -> list[str]:
    return [item.key for item in labels.next("s", "ann", 10)]


@pytest.fixture
def rows(labels: Labels) -> Labels:
    labels.declare(LabelSet(name="s", task="classify", classes=("x", "y"), overlap=2))
    sure = {"a": 0.9, "b": 0.55, "c": 0.7}
    items = [NewItem(key=key, data={"v": float(ord(key))}, prediction={"x": p, "y": 1 - p}) for key, p in sure.items()]
    labels.add_items("s", items)
    return labels


def test_a_queue_is_ordered_by_what_came_with_the_things(rows: Labels) -> None:
    assert order_queue(rows, "s", by="uncertainty") == 3
    assert asked(rows) == ["b", "c", "a"]


def test_a_queue_is_ordered_by_what_a_new_model_says(rows: Labels) -> None:
    order_queue(rows, "s", by="uncertainty", probabilities={"a": [0.5, 0.5], "b": [1, 0], "c": [0.9, 0.1]})
    assert asked(rows) == ["a", "c", "b"]


def test_a_queue_is_ordered_by_where_voices_differ(rows: Labels) -> None:
    rows.label("s", "c", "y", "bob")  # the model says x
    rows.label("s", "a", "x", "bob")
    order_queue(rows, "s", by="disagreement")
    assert asked(rows)[0] == "c"


def test_a_queue_is_ordered_by_distance_from_what_is_labelled(rows: Labels) -> None:
    rows.label("s", "c", "y", "bob")
    order_queue(rows, "s", by="diversity")
    assert asked(rows)[0] == "a"


def test_orders_are_mixed(rows: Labels) -> None:
    assert order_queue(rows, "s", by={"uncertainty": 1.0, "random": 0.001}, seed=2) == 3
    assert asked(rows) == ["b", "c", "a"]


def test_an_order_that_nothing_is_known_for_is_refused(labels: Labels) -> None:
    labels.declare(LabelSet(name="s", task="accept"))
    labels.add_items("s", [NewItem(key="a", data={"text": "x"})])
    with pytest.raises(InvalidInput):
        order_queue(labels, "s", by="uncertainty")
    with pytest.raises(InvalidInput):
        order_queue(labels, "s", by="diversity")
    with pytest.raises(InvalidInput, match="Did you mean 'random'"):
        order_queue(labels, "s", by="radnom")  # type: ignore[arg-type]  # that is what is tested
