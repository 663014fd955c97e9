"""What holds for every multivariate metric and representation, and what whole rows tell that no column shows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.monitoring import joint, monitor
from flyball.monitoring.joint import fit_joint, judge, merge_joint, summarise
from flyball.monitoring.multivariate.base import MULTIVARIATE, merge_summaries
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.representations.base import REPRESENTATIONS
from flyball.monitoring.tables import examine_table

METRICS = MULTIVARIATE.names()


def rows_of(n: int, *, seed: int, together: float = 0.8) -> pa.Table:
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    y = together * x + (1 - together**2) ** 0.5 * random.normal(size=n)
    return pa.table({"x": x, "y": y, "z": x + random.normal(size=n), "kind": random.choice(["a", "b", "c"], n)})


def drifted(table: pa.Table, window: pa.Table, metric: str, *, windows: list[pa.Table] | None = None) -> bool:
    fitted = fit_joint(table, metrics=[metric], windows=windows or ())
    return any(found.drifted for found in judge(fitted, summarise(fitted, window)))


def picture(brightness: int) -> bytes:
    from PIL import Image

    random = np.random.default_rng(brightness)
    pixels = np.clip(random.normal(brightness, 30, (24, 24, 3)), 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("metric", METRICS)
def test_a_broken_joint_is_found_though_every_column_is_as_before(metric: str) -> None:
    n = 400 if metric == "domain_classifier" else 3_000  # the slowest one
    assert drifted(rows_of(n, seed=1), rows_of(400, seed=2, together=-0.6), metric)


@pytest.mark.parametrize("metric", METRICS)
def test_quiet_windows_are_quiet(metric: str) -> None:
    few, n = (2, 300) if metric == "domain_classifier" else (10, 3_000)
    reference = rows_of(n, seed=1)
    assert not any(drifted(reference, rows_of(300, seed=seed), metric) for seed in range(2, 2 + few))


@pytest.mark.parametrize("metric", METRICS)
def test_summaries_of_parts_add_up_to_that_of_the_whole(metric: str) -> None:
    fitted = fit_joint(rows_of(1_000, seed=1), metrics=[metric])
    whole = rows_of(300, seed=2)
    parts = merge_joint([summarise(fitted, whole.slice(0, 100)), summarise(fitted, whole.slice(100))])
    (name, one), (_, other) = next(iter(parts.items())), next(iter(summarise(fitted, whole).items()))
    assert name == f"table/{metric}"
    assert one.n == other.n == 300
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_learned_is_plain_values(metric: str) -> None:
    from flyball.serialization import from_json, to_json

    fitted = fit_joint(rows_of(400, seed=1), metrics=[metric])
    again = from_json(to_json(fitted), joint.Joint)
    window = rows_of(200, seed=2)
    assert judge(again, summarise(again, window)) == judge(fitted, summarise(fitted, window))


def test_windows_that_differ_from_each_other_make_what_is_normal() -> None:
    windows = [rows_of(400, seed=seed, together=0.8 if seed % 2 else 0.4) for seed in range(12)]
    whole = pa.concat_tables(windows)
    window = rows_of(400, seed=99, together=0.4)
    assert drifted(whole, window, "correlation")
    assert not drifted(whole, window, "correlation", windows=windows)


def test_the_pair_that_broke_is_named() -> None:
    fitted = fit_joint(rows_of(3_000, seed=1), metrics=["correlation"])
    (found,) = judge(fitted, summarise(fitted, rows_of(600, seed=2, together=0.0)))
    assert found.columns == ("x", "y")
    assert found.cause.startswith("correlation of x and y 0.8")


def columns() -> dict[str, tuple[pa.ChunkedArray, pa.ChunkedArray]]:
    """A column of each kind, and the same after something has happened to it."""
    random = np.random.default_rng(0)
    words = ["the plane was late", "all went well", "crew and food were fine", "we waited for hours"]
    other = ["refund my ticket now", "luggage lost again", "no answer on the phone"]
    said = [f"{random.choice(words)} {random.integers(1_000_000)}" for _ in range(400)]
    vectors, moved = random.normal(size=(400, 100)), random.normal(size=(400, 100)) + 0.5
    made: dict[str, tuple[Any, Any]] = {
        "numbers": (random.normal(size=400), random.normal(size=400) + 1),
        "categories": (random.choice(["a", "b"], 400), random.choice(["a", "b"], 400, p=[0.9, 0.1])),
        "embedding": (vectors.tolist(), moved.tolist()),
        "text": (said, [f"{random.choice(other)} {random.integers(1_000_000)}" for _ in range(400)]),
        "image": ([picture(100 + n % 30) for n in range(60)], [picture(170 + n % 30) for n in range(60)]),
    }
    return {name: (pa.chunked_array([pa.array(a)]), pa.chunked_array([pa.array(b)])) for name, (a, b) in made.items()}


COLUMNS = columns()


def test_every_representation_is_tried() -> None:
    assert set(COLUMNS) == set(REPRESENTATIONS.names())


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_representation_gives_finite_standardised_vectors(name: str) -> None:
    plugin, (column, moved) = REPRESENTATIONS.get(name), COLUMNS[name]
    assert plugin.matches(column)
    state = plugin.fit(column)
    assert state is not None
    vectors = plugin.encode(state, column)
    assert vectors.shape == (len(column), len(state["features"]))
    assert np.isfinite(vectors).all()
    assert abs(vectors.mean(axis=0)).max() < 0.15
    assert np.isfinite(plugin.encode(state, moved)).all()


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_missing_values_are_the_mean(name: str) -> None:
    plugin, (column, _) = REPRESENTATIONS.get(name), COLUMNS[name]
    state = plugin.fit(column)
    assert state is not None
    nothing = pa.chunked_array([pa.nulls(3, column.type)])
    assert (plugin.encode(state, nothing) == 0).all()


@pytest.mark.parametrize("name", ["embedding", "text", "image"])
def test_embeddings_texts_and_images_drift_by_themselves(name: str) -> None:
    column, moved = COLUMNS[name]
    half = len(column) // 2
    reference = pa.table({name: column.slice(0, half), "x": np.arange(half) * 1.0})
    fitted = fit_joint(reference, metrics=["mmd"])

    def look(values: pa.ChunkedArray) -> dict[str, bool]:
        window = pa.table({name: values, "x": np.arange(len(values)) * half / len(values)})
        return {found.group: found.drifted for found in judge(fitted, summarise(fitted, window))}

    assert look(column.slice(half))[name] is False
    assert look(moved)[name] is True


def test_bytes_that_are_no_picture_do_not_break_it() -> None:
    plugin = REPRESENTATIONS.get("image")
    state = plugin.fit(COLUMNS["image"][0])
    assert state is not None
    assert (plugin.encode(state, pa.chunked_array([pa.array([b"", b"no picture", b"\x89PNG\r\n"])])) == 0).all()


def test_the_monitor_tells_it() -> None:
    reference = fit_reference(rows_of(3_000, seed=1), joint=joint.USUAL)
    window = examine_table(
        rows_of(600, seed=2, together=0.0), reference, monitors=[monitor.drift(), monitor.multivariate()]
    )
    assert window.causes == ("joint:table",)
    assert {found.metric for found in window.multivariate} == {"correlation", "mmd"}


def test_a_reference_without_it_is_passed_over() -> None:
    window = examine_table(rows_of(300, seed=2), fit_reference(rows_of(300, seed=1)), monitors=[monitor.multivariate()])
    assert window.multivariate == ()


def test_an_unknown_metric_is_refused_with_near_ones() -> None:
    with pytest.raises(InvalidInput, match="no multivariate metric 'mdm'") as error:
        monitor.multivariate("mdm")
    assert "mmd" in error.value.hint


def test_summaries_of_different_metrics_do_not_merge() -> None:
    fitted = fit_joint(rows_of(400, seed=1), metrics=["correlation", "mmd"])
    one, other = summarise(fitted, rows_of(100, seed=2)).values()
    with pytest.raises(InvalidInput, match="cannot be merged"):
        merge_summaries([one, other])
