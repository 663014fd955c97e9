"""Draws reviews of a shop from a few words, and whether they are praise: good words, bad words, and many that say nothing."""

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
GOOD = ("great", "love", "perfect", "quick", "kind", "happy", "lovely", "recommend")
BAD = ("broken", "late", "awful", "never", "refund", "rude", "cheap", "useless")
PLAIN = (
    "the",
    "a",
    "it",
    "parcel",
    "shop",
    "came",
    "was",
    "and",
    "box",
    "colour",
    "today",
    "for",
    "my",
    "sister",
    "again",
    "size",
)


def main(rows: int = 600) -> None:
    """Writes `data/reviews.csv`."""
    draw = random.Random(3)  # noqa: S311  # nothing is secret here
    (HERE / "data").mkdir(exist_ok=True)
    with (HERE / "data" / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "channel", "text", "praise"])
        for review in range(rows):
            praise = draw.random() < 0.6
            told = draw.choices(GOOD if praise else BAD, k=draw.randint(1, 3))
            other = draw.choices(BAD if praise else GOOD, k=int(draw.random() < 0.15))
            words = [*told, *other, *draw.choices(PLAIN, k=draw.randint(4, 9))]
            draw.shuffle(words)
            writer.writerow([review, draw.choice(("web", "shop")), " ".join(words), str(praise).lower()])


if __name__ == "__main__":
    main()
