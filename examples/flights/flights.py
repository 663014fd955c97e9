"""Will a flight from New York arrive more than 15 minutes late? Asked before it leaves, for every flight of 2013.

The whole loop in one file: what the data is, how a model is trained, when it is trained again, what a new version must
pass, how it goes live, and what is watched.
"""

from sklearn.ensemble import HistGradientBoostingClassifier

import flyball as fb

# Each flight is known by its id. Whether it was late is known when it has landed, or was cancelled.
flights = fb.dataset(
    "flights",
    "data/flights/*.parquet",
    key="flight_id",
    time="scheduled_at",
    label="late",
    label_time="known_at",
)

# The weather at the airport, as last known at the scheduled time of departure.
weather = fb.feature_view(
    "weather",
    "data/weather.parquet",
    entity="origin",
    time="observed_at",
    ttl="6h",
    description="Hourly observations at the three airports of New York",
    tests=[fb.expect.not_null("observed_at"), fb.expect.in_set("origin", ["EWR", "JFK", "LGA"])],
)

CHECKS = [
    fb.expect.not_null("carrier"),
    fb.expect.in_set("origin", ["EWR", "JFK", "LGA"]),
    fb.expect.in_range("distance", 1, 6000),
    fb.expect.unique("flight_id"),
]


@fb.step
def train(rows: fb.Table, learning_rate: float = 0.1) -> fb.Model:
    """A gradient-boosted model on the airline, the route, the hour, the weekday and the weather."""
    x, y = rows.xy()
    model = HistGradientBoostingClassifier(
        learning_rate=learning_rate, max_iter=100, min_samples_leaf=50, l2_regularization=1.0, random_state=0
    )
    return model.fit(x, y)


@fb.pipeline
def late_flights(learning_rate: float = 0.1):
    """Trains on all flights known so far but the last week's, which judges the result."""
    rows = fb.validate(fb.training_set(flights, features=[weather]), CHECKS)
    past, recent = fb.split(rows, holdout="7d")
    model = train(past, learning_rate)
    scored = fb.evaluate(model, recent, slices=["carrier", "origin"])
    return fb.register("late-flights", model, scored, reference=past, window="7d")


fb.loop(
    "late-flights",
    late_flights,
    retrain=[fb.on.drift(), fb.on.decay("roc_auc", by=0.02), fb.on.schedule("0 3 * * 1")],
    gates=[
        fb.gate.beats_champion("roc_auc", alpha=0.05),
        fb.gate.no_worse_slice("origin"),
        fb.gate.schema(),
        fb.gate.latency(p99="250ms"),
    ],
    rollout=fb.canary([20, 100], hold="1d"),
    monitors=[
        fb.monitor.drift(),
        fb.monitor.quality(),
        fb.monitor.performance("roc_auc", "log_loss"),
        fb.monitor.bias("carrier", metric="accuracy"),
    ],
    window="7d",
    label_delay="1d",
    cooldown="14d",
)
