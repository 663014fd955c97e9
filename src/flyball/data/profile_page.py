"""A profile for people: as a page of HTML that needs nothing else, and as rows of a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from flyball.data.profile import ColumnProfile, TableProfile

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .3rem}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
section{border-top:1px solid #8884;padding:.5rem 0;display:flex;gap:2rem;flex-wrap:wrap}
section>div{min-width:15rem}.k{opacity:.7}.flag{background:#d9480f;color:#fff;border-radius:3px;padding:0 .4em;font-size:.8rem}
svg{display:block}rect{fill:#3b82f6}
"""


def spark(counts: Sequence[int]) -> str:
    """A histogram of one line.

    >>> spark([0, 1, 4, 8])
    ' ▁▄█'
    """
    most = max(counts, default=0)
    if not most:
        return ""
    # What is there at all is seen.
    return "".join(_BLOCKS[max(1, round(count / most * 8)) if count else 0] for count in counts)


def summary_rows(profile: TableProfile) -> Iterator[list[object]]:
    """One row for each column: name, type, missing, distinct, least, mean or most frequent, greatest, histogram, personal."""
    flags = {flag.column: f"{flag.kind} ({flag.confidence:.0%})" for flag in profile.flags}
    for column in profile.columns:
        missing = f"{column.missing / column.rows:.1%}" if column.missing and column.rows else ""
        distinct = "" if column.distinct is None else f"{column.distinct:,}"
        middle = number(column.mean) if column.type not in ("bool", "string") else _most_frequent(column)
        yield [
            column.column, column.type, missing, distinct, number(column.minimum), middle, number(column.maximum),
            spark(column.histogram or [each.rows for each in column.top[:20]]), flags.get(column.column, ""),
        ]  # fmt: skip


def number(value: object) -> str:
    """A value, short."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def to_html(profile: TableProfile, title: str) -> str:
    """A page without scripts that loads nothing from elsewhere."""
    facts = [f"{profile.rows:,} rows", f"{len(profile.columns)} columns"]
    if profile.duplicates is not None:
        facts.append(f"{profile.duplicates:,} rows repeat others")
    body = [f"<h1>{escape(title)}</h1>", f"<p>{' · '.join(facts)}</p>"]
    if profile.sample < profile.rows:
        body.append(
            f"<p class=k>Quantiles, histograms and correlations are of {profile.sample:,} rows drawn at random.</p>"
        )
    flags = {flag.column: flag for flag in profile.flags}
    for column in profile.columns:
        flag = flags.get(column.column)
        mark = f" <span class=flag title='{escape(flag.reason)}'>{escape(flag.kind)}</span>" if flag else ""
        body.append(f"<h2>{escape(column.column)} <span class=k>{column.type}</span>{mark}</h2>")
        body.append(f"<section>{_facts(column)}{_drawing(column)}{_top(column)}</section>")
    strong = [each for each in profile.correlations if abs(each.value) >= 0.3][:30]
    if strong:
        rows = "".join(
            f"<tr><td>{escape(each.one)}<td>{escape(each.other)}<td>{each.kind}<td class=n>{each.value:+.3f}"
            for each in strong
        )
        body.append(f"<h2>Columns that go together</h2><table>{rows}</table>")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _facts(column: ColumnProfile) -> str:
    told: dict[str, object] = {"rows": column.rows, "missing": column.missing, "distinct": column.distinct}
    if column.infinite:
        told["infinite"] = column.infinite
    told |= {"least": column.minimum, "greatest": column.maximum, "mean": column.mean, "deviation": column.std}
    if column.zeros is not None:
        told["empty" if column.type == "string" else "false" if column.type == "bool" else "zero"] = column.zeros
    if column.lengths is not None:
        told["length"] = f"{column.lengths.least} to {column.lengths.most}, mean {column.lengths.mean:.1f}"
    if column.quantiles:
        told["1 %, median, 99 %"] = ", ".join(number(column.quantiles[place]) for place in (0, 3, 6))
    if not column.top and column.examples:
        told["such as"] = ", ".join(str(each) for each in column.examples)
    rows = "".join(
        f"<tr><td class=k>{escape(name)}<td class=n>{escape(number(value))}"
        for name, value in told.items()
        if value is not None
    )
    return f"<div><table>{rows}</table></div>"


def _drawing(column: ColumnProfile) -> str:
    counts = column.histogram
    most = max(counts, default=0)
    if not most:
        return ""
    bars = "".join(
        f"<rect x='{place * 12}' y='{80 - 80 * count / most:.1f}' width=11 height='{80 * count / most:.1f}'>"
        f"<title>{count:,}</title></rect>"
        for place, count in enumerate(counts)
    )
    return f"<div><svg width='{len(counts) * 12}' height=80 role=img aria-label='histogram'>{bars}</svg></div>"


def _top(column: ColumnProfile) -> str:
    if not column.top:
        return ""
    rows = "".join(f"<tr><td>{escape(str(each.value))}<td class=n>{each.rows:,}" for each in column.top[:10])
    more = "" if column.is_top_complete and len(column.top) <= 10 else "<tr><td class=k>and others<td>"
    of = "" if column.is_top_exact else " (of the sample)"
    return f"<div><table><tr><th>most frequent{of}<th>rows{rows}{more}</table></div>"


def _most_frequent(column: ColumnProfile) -> str:
    if not column.top:
        return ""
    text = number(column.top[0].value)
    return text if len(text) <= 20 else text[:19] + "…"
