from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from flyball.errors import InvalidInput
from flyball.labels.agreement import Ratings, agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha
from flyball.labels.consensus import dawid_skene, majority

# Ten subjects, fourteen raters, five categories: the worked example of Fleiss' kappa, 0.210.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
# Four observers, twelve units, some not rated: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), 0.743.
KRIPPENDORFF = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def ratings_of(table: list[str]) -> Ratings:
    """Rows are annotators, columns things; a dot is no label."""
    said = [(i, a, int(v)) for a, row in enumerate(table) for i, v in enumerate(row) if v != "."]
    codes = np.array(said, dtype=np.int64)
    return Ratings(
        items=codes[:, 0], annotators=codes[:, 1], values=codes[:, 2], n_items=len(table[0]),
        n_annotators=len(table), n_values=int(codes[:, 2].max()) + 1,
    )  # fmt: skip


def counts_of(ratings: Ratings) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    cells = np.bincount(ratings.items * ratings.n_values + ratings.values, minlength=ratings.n_items * ratings.n_values)
    return cells.reshape(ratings.n_items, ratings.n_values)


@pytest.mark.parametrize("seed", range(5))
def test_cohen_is_scikit_learn_s(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 4, 200)
    second = np.where(generator.random(200) < 0.6, first, generator.integers(0, 4, 200))
    assert cohen_kappa(first.tolist(), second.tolist()) == pytest.approx(cohen_kappa_score(first, second))


def test_cohen_of_one_category_is_undefined() -> None:
    assert cohen_kappa("aaa", "aaa") is None
    assert cohen_kappa("", "") is None


def test_cohen_needs_both_of_each_thing() -> None:
    with pytest.raises(InvalidInput):
        cohen_kappa("ab", "a")


def test_fleiss_worked_example() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.20993, abs=1e-5)


def test_fleiss_needs_as_many_labels_on_each() -> None:
    with pytest.raises(InvalidInput, match="as many labels"):
        fleiss_kappa([[1, 1], [2, 1]])


def test_fleiss_of_one_label_each_is_undefined() -> None:
    assert fleiss_kappa([[1, 0], [0, 1]]) is None


def test_krippendorff_worked_example() -> None:
    ratings = ratings_of(KRIPPENDORFF)
    assert krippendorff_alpha(counts_of(ratings)) == pytest.approx(0.743, abs=5e-4)


def test_one_set_gives_the_same_figures_as_the_tables() -> None:
    ratings = ratings_of(KRIPPENDORFF)
    found = agreement(ratings, ["A", "B", "C", "D"], list("012345"))
    assert found.alpha == pytest.approx(krippendorff_alpha(counts_of(ratings)))
    assert found.fleiss is None
    assert found.items == 11
    whole = ratings_of(["0101", "0111", "0100"])
    assert agreement(whole, ["A", "B", "C"], list("01")).fleiss == pytest.approx(fleiss_kappa(counts_of(whole)))


def test_a_pair_s_confusion_names_what_each_said() -> None:
    found = agreement(ratings_of(["00012", "00122"]), ["A", "B"], ["x", "y", "z"])
    (pair,) = found.pairs
    assert pair.confusion == (("x", "y", 1), ("y", "z", 1))
    assert pair.agree == pytest.approx(0.6)


def simulated(seed: int = 3) -> tuple[Ratings, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """400 things of three classes, labelled by two good annotators and three poor ones who share a habit."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, 400)
    said = []
    for annotator, right in enumerate((0.95, 0.9, 0.45, 0.45, 0.45)):
        wrong = (truth + 1) % 3
        values = np.where(generator.random(400) < right, truth, wrong)
        said += [(item, annotator, int(value)) for item, value in enumerate(values)]
    codes = np.array(said, dtype=np.int64)
    ratings = Ratings(
        items=codes[:, 0], annotators=codes[:, 1], values=codes[:, 2], n_items=400, n_annotators=5, n_values=3
    )  # fmt: skip
    return ratings, truth


def test_the_consensus_is_righter_than_the_majority() -> None:
    ratings, truth = simulated()
    most = float((majority(ratings)[0] == truth).mean())
    found = dawid_skene(ratings)
    likely = float((found.probabilities.argmax(axis=1) == truth).mean())
    assert likely > 0.93
    assert likely > most + 0.1


def test_the_consensus_knows_how_good_everyone_is() -> None:
    ratings, _ = simulated()
    assert dawid_skene(ratings).quality == pytest.approx([0.95, 0.9, 0.45, 0.45, 0.45], abs=0.06)


def test_the_consensus_is_the_same_each_time() -> None:
    ratings, _ = simulated()
    assert np.array_equal(dawid_skene(ratings).probabilities, dawid_skene(ratings).probabilities)


def test_the_consensus_of_one_is_what_they_say() -> None:
    ratings = ratings_of(["01210"])
    assert dawid_skene(ratings).probabilities.argmax(axis=1).tolist() == [0, 1, 2, 1, 0]


def test_of_equals_the_first_said_counts() -> None:
    codes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=np.int64)
    ratings = Ratings(
        items=codes[:, 0], annotators=codes[:, 1], values=codes[:, 2], n_items=2, n_annotators=2, n_values=2
    )
    values, shares = majority(ratings)
    assert (values.tolist(), shares.tolist()) == ([1, 0], [0.5, 0.5])
