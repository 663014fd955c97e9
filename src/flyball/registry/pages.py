"""Pages of a search in the registry, and what tags may be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.tracking import limits
from flyball.tracking.filters import Order
from flyball.tracking.page_tokens import read_offset, write_offset

TAG_LENGTH = 100_000
"""How long a tag of a model or version may be: a prompt's text is one."""


class Place:
    """Where a page begins, and the token of the next one. A token holds only for the search that it was given for."""

    def __init__(self, token: str, *asked: object, size: int) -> None:
        self._asked = asked
        self._size = size
        self._first = read_offset(token, asked)

    def of(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query for this page, with one row more to see whether there is a next one."""
        return query.offset(self._first).limit(self._size + 1)

    def shown(self, rows: Sequence[sa.Row[Any]]) -> Sequence[sa.Row[Any]]:
        """The rows of this page."""
        return rows[: self._size]

    def token_after(self, rows: Sequence[sa.Row[Any]]) -> str:
        """The token of the next page; empty if there is none."""
        if len(rows) <= self._size:
            return ""
        return write_offset(self._first + self._size, self._asked)


def sorted_by(
    orders: Sequence[Order], columns: Mapping[str, sa.ColumnElement[Any]], then: Sequence[str]
) -> list[sa.ColumnElement[Any]]:
    """What to order by: what is asked for, then the rest. A name with a leading dash is descending."""
    asked = {order.key for order in orders}
    rest = [name for name in then if name.lstrip("-") not in asked]
    found = [columns[order.key].desc() if order.descending else columns[order.key].asc() for order in orders]
    return found + [columns[name[1:]].desc() if name[0] == "-" else columns[name].asc() for name in rest]


def check_model_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Gives the tags back if a model or version may have them.

    Raises:
        InvalidInput: there are too many, or a key or value cannot be kept.
    """
    limits.check_count(len(tags), "tags", limits.MOST_PARAMS)
    return {
        limits.check_key(key, "tag"): limits.check_text(text, f"tag '{key}'", TAG_LENGTH) for key, text in tags.items()
    }
