"""Truth and scores with a known tie between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def two_classes(n: int, *, seed: int = 0, share: float = 0.3, strength: float = 1.0) -> tuple[Values, Values]:
    """A truth of 0 and 1, and calibrated-looking probabilities that lean to it."""
    random = np.random.default_rng(seed)
    truth = (random.random(n) < share).astype(np.float64)
    score = 1 / (1 + np.exp(1 - strength * truth - random.normal(size=n)))
    return truth, score


def two_models(
    n: int, *, seed: int, candidate: float = 1.0, champion: float = 1.0, share: float = 0.3
) -> tuple[Values, Values, Values]:
    """A truth and the scores of two models that share much of their noise, each of its own strength."""
    random = np.random.default_rng(seed)
    truth = (random.random(n) < share).astype(np.float64)
    shared = random.normal(size=n)
    logits = [s * truth - 1 + 0.8 * shared + 0.6 * random.normal(size=n) for s in (candidate, champion)]
    first, second = (1 / (1 + np.exp(-logit)) for logit in logits)
    return truth, first, second


def many_classes(n: int, *, classes: int = 4, seed: int = 0) -> tuple[Values, Values]:
    """Numbers of classes, and a matrix of probabilities that leans to them."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    weights = np.exp(random.normal(size=(n, classes)) + 1.5 * np.eye(classes)[truth])
    return truth.astype(np.float64), weights / weights.sum(axis=1, keepdims=True)
