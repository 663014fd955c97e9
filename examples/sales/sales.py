"""How much will each shop sell in the next two weeks? A forecast that is renewed every night, and must be there at six."""

import pyarrow.compute as pc
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import FunctionTransformer

import flyball as fb
from flyball.model_search.forecasting import Forecaster, SeasonalNaive

sales = fb.dataset("sales", "data/sales.csv", label="sold")

HORIZON = 14
INPUTS = ["day", "shop", "offer"]


@fb.step
def divide(rows: fb.Table) -> tuple[fb.Table, fb.Table]:
    """All but the last two weeks to learn from, and these to be judged on."""
    days = rows.column("day")
    last = days.unique().sort()[-HORIZON]
    past, recent = rows.filter(pc.less(days, last)), rows.filter(pc.greater_equal(days, last))
    return fb.Table(past, label="sold"), fb.Table(recent, label="sold")


@fb.step
def train(rows: fb.Table, kind: str = "trees") -> fb.Model:
    """Trees on the change to the same weekday a week before; offers are planned, so they are known ahead."""
    x, y = rows.to_pandas()[INPUTS], rows.xy()[1]
    if kind == "naive":
        return SeasonalNaive(time="day", groups=["shop"], season=7).fit(x, y)
    offers = make_column_transformer((FunctionTransformer(), ["offer"]))
    trees = HistGradientBoostingRegressor(max_iter=150, learning_rate=0.05, random_state=0)
    return Forecaster(trees, time="day", groups=["shop"], lags=[1, 2, 3, 7, 14], change=7, prepare=offers).fit(x, y)


@fb.pipeline
def forecast(kind: str = "trees"):
    """Learns from all days but the last two weeks, which judge the result shop by shop."""
    past, recent = divide(fb.training_set(sales))
    model = train(past, kind)
    scored = fb.evaluate(model, recent, metrics=["mae", "rmse"], slices=["shop"])
    return fb.register("sales", model, scored, reference=past)


fb.loop(
    "sales",
    forecast,
    retrain=[fb.on.schedule("0 3 * * *", zone="Europe/Vienna"), fb.on.new_data(sales)],
    due=[fb.due("0 6 * * *", zone="Europe/Vienna", within="6h")],
    gates=[fb.gate.schema()],
)

fb.test.data(sales, [fb.expect.not_null("sold"), fb.expect.in_set("shop", ["north", "south", "market"])])
fb.test.quality(forecast, "mae", at_most=8.0, slices=["shop"])
fb.test.directional(forecast, "offer", 1, "up", share=0.9)
