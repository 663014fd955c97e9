"""Curves on a terminal, drawn with dots of which a character holds two by four."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_COLOURS = (36, 33, 35, 32, 31, 34)
_MARKS = "●■▲◆▼★"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: its name, and its points, x rising."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def draw(lines: Sequence[Line], *, width: int = 72, height: int = 16, title: str = "", unit: str = "step") -> str:
    """The curves as text: an axis at the left, one below, and what each colour stands for.

    Args:
        width: Characters across, the axis apart.
        height: Lines, the axis apart.
        unit: What the axis below counts.
    """
    shown = [line for line in lines if line.xs]
    if not shown:
        return "There are no points."
    left, right = min(min(line.xs) for line in shown), max(max(line.xs) for line in shown)
    low, high = min(min(line.ys) for line in shown), max(max(line.ys) for line in shown)
    cells = [[(0, 0)] * width for _ in range(height)]
    for number, line in enumerate(shown):
        for across, up in _dots(line, (left, right), (low, high), width * 2, height * 4):
            row, column = height - 1 - up // 4, across // 2
            bits, _ = cells[row][column]
            cells[row][column] = (bits | _DOTS[3 - up % 4][across % 2], number)
    labels = [
        _label(high - (high - low) * row / max(height - 1, 1)) if row % 5 == 0 or row == height - 1 else ""
        for row in range(height)
    ]
    margin = max(map(len, labels))
    text = [f"{title}"] if title else []
    text += [f"{label:>{margin}} ┤{_row(row)}" for label, row in zip(labels, cells, strict=True)]
    text.append(f"{'':>{margin}} └{'─' * width}")
    ends = f"{_label(left)}{_label(right):>{max(1, width - len(_label(left)))}}"
    text.append(f"{'':>{margin}}  {ends}  {unit}")
    text += [
        f"{'':>{margin}}  {_painted(_MARKS[n % len(_MARKS)], n)} {_plain(line.name)}" for n, line in enumerate(shown)
    ]
    return "\n".join(text)


def spark(values: Sequence[float | None], width: int = 24) -> str:
    """Values as a line of blocks, each as high as its value.

    >>> spark([1, 2, 3, None])
    '▁▄█ '
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    picked = [values[place * len(values) // width] for place in range(width)] if len(values) > width else values
    low, high = min(known), max(known)
    blocks = "▁▂▃▄▅▆▇█"
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else blocks[int((value - low) * scale)] for value in picked)


def _dots(
    line: Line, across: tuple[float, float], up: tuple[float, float], width: int, height: int
) -> list[tuple[int, int]]:
    """The dots of a curve, with those between two points that are not neighbours."""
    places = [(_scaled(x, across, width), _scaled(y, up, height)) for x, y in zip(line.xs, line.ys, strict=True)]
    found = [places[0]]
    for (x0, y0), (x1, y1) in pairwise(places):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        found += [(round(x0 + (x1 - x0) * n / steps), round(y0 + (y1 - y0) * n / steps)) for n in range(1, steps + 1)]
    return found


def _scaled(value: float, ends: tuple[float, float], size: int) -> int:
    low, high = ends
    # Halved first: the whole range may be larger than any number.
    share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
    return max(0, min(size - 1, round(share * (size - 1))))


def _row(cells: Sequence[tuple[int, int]]) -> str:
    return "".join(_painted(chr(0x2800 + bits), number) if bits else " " for bits, number in cells).rstrip()


def _painted(text: str, number: int) -> str:
    return f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{text}\x1b[0m" if sys.stdout.isatty() else text


def _plain(text: str) -> str:
    # A name may hold what would command the terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


def _label(value: float) -> str:
    return f"{value:.4g}"
