"""Draws 400 flats: size, rooms, district and rent."""

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
DISTRICTS = {"centre": 9.0, "river": 6.5, "hills": 7.5}


def main(rows: int = 400) -> None:
    """Writes `data/flats.csv`."""
    draw = random.Random(5)  # noqa: S311  # nothing is secret here
    (HERE / "data").mkdir(exist_ok=True)
    with (HERE / "data" / "flats.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["flat", "size", "rooms", "district", "rent"])
        for flat in range(rows):
            size = draw.uniform(25, 130)
            rooms = max(1, round(size / 28 + draw.gauss(0, 0.5)))
            district = draw.choice(list(DISTRICTS))
            rent = 180 + DISTRICTS[district] * size - 12 * rooms + draw.gauss(0, 40)
            writer.writerow([flat, round(size, 1), rooms, district, round(rent, 2)])


if __name__ == "__main__":
    main()
