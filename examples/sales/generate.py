"""Draws two years of daily sales of three shops: a week's rhythm, a slow growth, days on which there is an offer."""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def main(days: int = 730) -> None:
    """Writes `data/sales.csv`."""
    random = np.random.default_rng(11)
    found = []
    for place, shop in enumerate(("north", "south", "market")):
        day = np.arange(days)
        offer = random.random(days) < 0.08
        weekly = np.array([0, 2, 3, 5, 14, 22, -8])[day % 7]
        sold = 80 + 25 * place + 0.04 * day + weekly + 30 * offer + random.normal(0, 4, days)
        dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")
        found.append(pd.DataFrame({"day": dates, "shop": shop, "offer": offer.astype(int), "sold": sold.round(1)}))
    (HERE / "data").mkdir(exist_ok=True)
    pd.concat(found).to_csv(HERE / "data" / "sales.csv", index=False)


if __name__ == "__main__":
    main()
