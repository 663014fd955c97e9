"""What is a fair rent? Cleaned by a line of awk, learned and answered by R, kept and judged like any other model."""

from pathlib import Path

import pyarrow.csv as csv

import flyball as fb
from flyball.models.command_model import CommandModel

HERE = Path(__file__).parent

flats = fb.dataset("flats", "data/flats.csv", key="flat", label="rent")

# Flats below 30 square metres are let furnished, at prices of their own.
clean = fb.command("sh clean.sh {inputs.rows.csv} {params.smallest} {outputs.kept.csv}")
fit = fb.command("Rscript fit.R {inputs.rows.csv} {outputs.model.rds}")


@fb.step
def as_table(kept: Path) -> fb.Table:
    """The cleaned rows, with their roles."""
    return fb.Table(csv.read_csv(kept), key="flat", label="rent")


@fb.step
def as_model(fitted: Path) -> fb.Model:
    """The fitted model with the script that answers for it."""
    files = {"predict.R": HERE / "predict.R", "model.rds": Path(fitted).read_bytes()}
    return CommandModel("Rscript predict.R {rows} {answer}", files)


@fb.pipeline
def fair_rent(smallest: float = 30.0):
    """Learns from four fifths of the flats; the others judge the result."""
    rows = as_table(clean(fb.training_set(flats), smallest))
    past, held = fb.split(rows, holdout="20%")
    model = as_model(fit(past))
    scored = fb.evaluate(model, held, metrics=["mae", "r2"], slices=["district"])
    return fb.register("fair-rent", model, scored, reference=past)


fb.test.pipeline(fair_rent, sample=200)
fb.test.quality(fair_rent, "mae", at_most=60.0)
fb.test.directional(fair_rent, "size", 10.0, "up")
