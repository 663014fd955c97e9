"""The language in which runs, and whatever else is searched, are asked for.

`params.depth = '5' AND metrics.accuracy > 0.9` is read in three steps, of which the first two know no database:

1. `parse_filter(text, fields)` gives a tree of `Comparison`, `AllOf`, `AnyOf`, `Not` (None for an empty text), in which names
   are those of the `Fields` table (aliases are resolved) and values fit their field. `parse_order(texts, fields)` gives
   a list of `Order`.
2. `Fields` says what may be asked of one kind of thing. Runs have theirs in `search.py`; others write their own:

       MODELS = Fields(
           what="registered model",
           groups=(
               Group(name="attribute", aliases=("attributes",), keys={"name": Field(kind="text", operators=TEXT_OR_LIST)}),
               Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=TEXT)),
           ),
       )

   A group has either named `keys` (one that ends with `*` stands for all that begin so) or `any_key`. A name without a
   dot is looked up in the group `bare`.
3. `to_sql(node, condition)` gives the SQLAlchemy expression, where `condition(comparison)` gives that of one comparison. It is
   made with the helpers of `filter_sql.py`, which bind every value and mean the same on SQLite and PostgreSQL:

       def condition(asked: Comparison) -> sa.ColumnElement[bool]:
           if asked.group == "tag":
               return keyed(asked, tags, owner=(tags.c.model == models.c.number), dialect=name)
           return compare(models.c.name, asked, dialect=name)

MLflow's protocol passes `native=False`: then OR, NOT, parentheses and operators that only we have are refused. A field that is not
there (no such param, a metric that was never logged, no end yet) makes every comparison false except IS NULL; NOT turns that
round.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from flyball.clock import parse_time
from flyball.errors import InvalidInput, did_you_mean
from flyball.tracking._filter_reader import HINT, MOST_COMPARISONS, Branch, Raw, read, too_large

if TYPE_CHECKING:
    import sqlalchemy as sa
    from lark import Token

Operator = Literal[
    "=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "RLIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"
]  # fmt: skip
Kind = Literal["text", "number", "time", "text or number"]
Value = str | int | float | datetime | tuple[str, ...] | None

EQUAL: tuple[Operator, ...] = ("=", "!=")
TEXT: tuple[Operator, ...] = ("=", "!=", "LIKE", "ILIKE")
LIST: tuple[Operator, ...] = ("IN", "NOT IN")
TEXT_OR_LIST: tuple[Operator, ...] = (*TEXT, *LIST)
NULL: tuple[Operator, ...] = ("IS NULL", "IS NOT NULL")
NUMBER: tuple[Operator, ...] = ("=", "!=", ">", ">=", "<", "<=")
_ORDERED = (">", ">=", "<", "<=")

LONGEST = 100_000
MOST_ITEMS = 5_000
MOST_ORDERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What may be asked of one field.

    Attributes:
        kind: What it holds. A `time` is asked for in milliseconds since 1970, or natively as a text in ISO 8601; `text or number`
            takes either.
        operators: What it may be compared with.
        native: Further operators that only our own language has.
        native_kind: What it may be compared with in our own language, where that is more.
        sortable: Whether one may order by it.
    """

    kind: Kind
    operators: tuple[Operator, ...]
    native: tuple[Operator, ...] = ()
    native_kind: Kind | None = None
    sortable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The fields that stand behind one word and a dot, such as `params.`.

    Attributes:
        name: What `Comparison.group` is.
        aliases: Other words for it.
        any_key: What any key holds.
        keys: What the known keys hold; other keys are refused.
        key_aliases: Other words for keys.
    """

    name: str
    aliases: tuple[str, ...] = ()
    any_key: Field | None = None
    keys: Mapping[str, Field] = field(default_factory=dict)
    key_aliases: Mapping[str, str] = field(default_factory=dict)

    def find(self, key: str) -> tuple[str, Field] | None:
        """The key by its proper name, and what it holds; None where there is none."""
        key = self.key_aliases.get(key, key)
        if self.any_key is not None:
            return key, self.any_key
        found = self.keys.get(key)
        if found is None:
            starts = (known for known in self.keys if known.endswith("*") and len(key) >= len(known))
            found = next((self.keys[known] for known in starts if key.startswith(known[:-1])), None)
        return None if found is None else (key, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What may be asked of one kind of thing.

    Attributes:
        what: Its name in messages, such as `run`.
        bare: The group of a name without a dot.
    """

    what: str
    groups: tuple[Group, ...]
    bare: str = "attribute"

    def group(self, word: str) -> Group | None:
        """The group of that name or alias."""
        return next((group for group in self.groups if word == group.name or word in group.aliases), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One field, compared with a value.

    Attributes:
        value: A text, a number, a moment (only natively), several texts (IN), or None (IS NULL).
        at: Where it stands in the filter, counted from 1.
    """

    group: str
    key: str
    operator: Operator
    value: Value = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where all parts are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one of the parts is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is not."""

    part: Node


Node = Comparison | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One field to order by."""

    group: str
    key: str
    descending: bool = False


def parse_filter(text: str, fields: Fields, *, native: bool = True) -> Node | None:
    """The tree of a filter; None if it is empty.

    Args:
        native: Without it, only MLflow's own language is taken.

    Raises:
        InvalidInput: it is not understood, too large, or asks what cannot be asked; the message names the place.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise InvalidInput(f"A filter is a text of at most {LONGEST:,} characters.", hint="Ask in parts.")
    if not text.strip():
        return None
    _check_characters(text, "filter")
    # The tree is at most DEEPEST deep, so walking it recursively is safe.
    return _resolved(read(text), fields, native)


def parse_order(order_by: Sequence[str], fields: Fields) -> list[Order]:
    """The fields to order by.

    Args:
        order_by: Such as `metrics.accuracy DESC`, `start_time`.

    Raises:
        InvalidInput: one is not understood, or stands there twice.
    """
    if len(order_by) > MOST_ORDERS:
        raise InvalidInput(f"There are {len(order_by)} fields to order by, at most {MOST_ORDERS} are taken.")
    found: list[Order] = []
    for text in order_by:
        order = _order(text, fields)
        if any((order.group, order.key) == (other.group, other.key) for other in found):
            raise InvalidInput(f"`order_by` contains duplicate fields: {list(order_by)}", hint="Name each field once.")
        found.append(order)
    return found


def comparisons(node: Node | None) -> Iterator[Comparison]:
    """Every comparison of the tree."""
    match node:
        case Comparison():
            yield node
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part):
            yield from comparisons(part)


def to_sql(node: Node | None, condition: Callable[[Comparison], sa.ColumnElement[bool]]) -> sa.ColumnElement[bool]:
    """The tree as one SQL expression; true for None.

    Args:
        condition: Gives the expression of one comparison, which is true or false and never NULL.
    """
    import sqlalchemy as sa

    match node:
        case None:
            return sa.true()
        case AllOf(parts):
            return sa.and_(*(to_sql(part, condition) for part in parts))
        case AnyOf(parts):
            return sa.or_(*(to_sql(part, condition) for part in parts))
        case Not(part):
            return sa.not_(to_sql(part, condition))
    return condition(node)


def quoted(key: str) -> str:
    """The key as it stands in a filter, in backticks where it must.

    >>> quoted("depth"), quoted("my key")
    ('depth', '`my key`')
    """
    return key if re.fullmatch(r"[^\W\d]\w*", key) else "`" + key.replace("`", "``") + "`"


def _resolved(raw: Raw | Branch, fields: Fields, native: bool) -> Node:
    found, left = _resolve(raw, fields, native, MOST_COMPARISONS)
    if left < 0:
        raise too_large()
    return found


def _resolve(raw: Raw | Branch, fields: Fields, native: bool, left: int) -> tuple[Node, int]:
    if isinstance(raw, Raw):
        return _comparison(raw, fields, native), left - 1
    if not native and raw.word != "AND":
        raise InvalidInput(
            f"Invalid clause(s) in filter string: {raw.word} is not part of MLflow's filters.",
            hint="Join comparisons with AND.",
        )
    parts: list[Node] = []
    for part in raw.parts:
        found, left = _resolve(part, fields, native, left)
        if left < 0:
            raise too_large()
        parts.append(found)
    if raw.word == "AND":
        return AllOf(tuple(parts)), left
    if raw.word == "OR":
        return AnyOf(tuple(parts)), left
    return (Not(parts[0]) if raw.word == "NOT" else parts[0]), left


def _comparison(raw: Raw, fields: Fields, native: bool) -> Comparison:
    at = (raw.name.start_pos or 0) + 1
    group, key, asked = _field(str(raw.name), fields, f" (at character {at})")
    operators = (*asked.operators, *(asked.native if native else ()))
    # The grammar knows no other operators.
    operator = cast("Operator", raw.operator)
    if operator not in operators:
        raise InvalidInput(
            f"Invalid comparator '{operator}' for {group.name} '{key[:100]}' (at character {at}).",
            hint=f"Valid comparators are {', '.join(operators)}." if operators else "",
        )
    kind = asked.native_kind or asked.kind if native else asked.kind
    if operator in NULL:
        value: Value = None
    elif operator in LIST:
        if len(raw.values) > MOST_ITEMS:
            raise InvalidInput(f"The list at character {at} has more than {MOST_ITEMS:,} items.", hint="Ask in parts.")
        value = tuple(_text(token) for token in raw.values)
    else:
        value = _value(raw.values[0], kind, operator, f"{group.name} '{key[:100]}' (at character {at})", native)
    return Comparison(group=group.name, key=key, operator=operator, value=value, at=at)


def _value(token: Token, kind: Kind, operator: str, where: str, native: bool) -> Value:
    is_number = token.type == "NUMBER"
    wants_text = kind == "text" or (kind == "text or number" and operator in ("LIKE", "ILIKE", "RLIKE"))
    if wants_text:
        if is_number:
            raise InvalidInput(
                f"Expected a quoted string value for {where}. Found {token[:40]}.", hint=f"Write '{token[:40]}'."
            )
        return _text(token)
    if is_number:
        return _number(token)
    if kind == "text or number" and operator not in _ORDERED:
        return _text(token)
    if kind == "time" and native:
        return parse_time(_text(token))
    raise InvalidInput(
        f"Expected numeric value type for {where}. Found {token[:40]}.", hint="Write a number, without quotes."
    )


def _number(token: Token) -> int | float:
    if re.fullmatch(r"[+-]?\d{1,18}", token):
        return int(token)
    number = float(token)
    # No database knows a larger one.
    return math.copysign(1.797e308, number) if math.isinf(number) else number


def _text(token: Token) -> str:
    mark, inner = token[0], token[1:-1]
    return inner.replace(mark * 2, mark)


_NAME = re.compile(r"""(?P<first>[^\W\d]\w*|`(?:``|[^`])*`|"(?:""|[^"])*")(?:\.(?P<rest>.+))?""", re.DOTALL)


def _field(name: str, fields: Fields, place: str) -> tuple[Group, str, Field]:
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise InvalidInput(f"{name[:60]!r} names no field of a {fields.what}{place}.", hint=HINT)
    first, rest = _bare(parts["first"]), parts["rest"]
    word, key = (fields.bare, first) if rest is None else (first, _bare(rest))
    group = fields.group(word)
    if group is None:
        known = [group.aliases[0] if group.aliases else group.name for group in fields.groups]
        raise InvalidInput(
            f"Invalid entity type '{word[:60]}'{place}.",
            hint=f"{did_you_mean(word, known)} A key with dots stands in backticks.",
        )
    found = group.find(key)
    if found is None:
        keys = [*group.keys, *group.key_aliases]
        raise InvalidInput(f"Invalid {group.name} key '{key[:60]}' specified{place}.", hint=did_you_mean(key, keys))
    return group, *found


def _bare(key: str) -> str:
    if len(key) >= 2 and key[0] == key[-1] and key[0] in "`\"'":
        return key[1:-1].replace(key[0] * 2, key[0])
    return key


_ORDER = re.compile(
    r"""\s*(?P<name>(?:[^`"\s.]+|`(?:``|[^`])*`|"(?:""|[^"])*")(?:\.(?:[^`"\s.]*|`(?:``|[^`])*`|"(?:""|[^"])*"))*)
    (?:\s+(?P<way>asc|desc))?\s*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def _order(text: str, fields: Fields) -> Order:
    if not isinstance(text, str) or len(text) > 2_000:
        raise InvalidInput("A field to order by is a text of at most 2,000 characters.")
    _check_characters(text, "order_by clause")
    parts = _ORDER.fullmatch(text)
    if parts is None:
        raise InvalidInput(
            f"Invalid order_by clause '{text[:100]}'. Could not be parsed.", hint="Write it as metrics.accuracy DESC."
        )
    group, key, asked = _field(parts["name"], fields, f" in '{text[:100]}'")
    if not asked.sortable:
        raise InvalidInput(f"One cannot order by {group.name} '{key[:60]}'.")
    return Order(group=group.name, key=key, descending=(parts["way"] or "asc").lower() == "desc")


def _check_characters(text: str, what: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"The {what} holds characters that no text has (NUL or half a pair).")
