from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from flyball.cli.models_explain import bar
from tests.cli.conftest import Command

pytest.importorskip("sklearn")


@pytest.fixture
def rows(project: Path, tmp_path: Path, flyball: Command) -> Path:
    """A file with rows for the project's model."""
    columns = flyball("models", "show", "irises/1", "--json").json["package"]["signature"]["inputs"]["columns"]
    path = tmp_path / "rows.csv"
    pyarrow.csv.write_csv(pa.table({column["name"]: [1.0, 5.0, 2.5] for column in columns}), path)
    return path


def test_a_prediction_is_shared_out_in_bars(flyball: Command, rows: Path) -> None:
    said = flyball("models", "explain", "irises/1", "--input", str(rows), "--rows", "2")
    assert said.code == 0, said.err
    first, *lines = said.out.splitlines()
    assert first.startswith("Exact Shapley values of ")
    assert [line.split(":")[0] for line in lines if line.startswith("Row ")] == ["Row 1", "Row 2"]
    assert "down | up" in said.out
    assert "█|" in said.out or "|█" in said.out
    assert "Over all rows:" in lines


def test_json_is_the_explanation(flyball: Command, rows: Path) -> None:
    found = flyball("models", "explain", "irises/1", "--input", str(rows), "--json").json
    assert (found["model"], len(found["rows"]), found["exact"]) == ("models:/irises/1", 3, True)
    for row in found["rows"]:
        total = found["base"] + sum(one["contribution"] for one in row["contributions"])
        assert total == pytest.approx(row["prediction"])


def test_a_method_can_be_named(flyball: Command, rows: Path) -> None:
    said = flyball("models", "explain", "irises/1", "--input", str(rows), "--method", "sampling", "--rows", "1")
    assert "drawn orders" in said.out
    assert "error" in said.out


def test_what_cannot_be_explained_is_refused(flyball: Command, rows: Path, tmp_path: Path) -> None:
    asked = ("models", "explain", "irises/1", "--input", str(rows))
    assert flyball(*asked, "--rows", "0").code == 2
    assert "no class 'rose'" in flyball(*asked, "--target", "rose").err
    assert "explainer plug-in 'shap'" in flyball(*asked, "--method", "shap").err
    assert flyball("models", "explain", "irises/99", "--input", str(rows)).code != 0
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    assert "has no column" in flyball("models", "explain", "irises/1", "--input", str(other)).err


def test_worths_are_shown_with_the_version(flyball: Command, project: Path) -> None:
    said = flyball("models", "show", "irises/1")
    found = flyball("models", "show", "irises/1", "--json").json["evaluation"]["importance"]
    assert found["metric"] in ("log_loss", "mae")
    assert f"worth of ({found['metric']})" in said.out
    card = flyball("models", "card", "irises/1").out
    assert "change places" in card
    assert "| column | worth | interval |" in card


def test_bars_point_down_and_up() -> None:
    assert bar(-2.0, 2.0) == "█" * 12 + "|"
    assert bar(1.0, 2.0) == " " * 12 + "|" + "█" * 6
    assert bar(0.0, 0.0) == " " * 12 + "|"
