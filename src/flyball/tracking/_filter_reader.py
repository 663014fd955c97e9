"""Reads the text of a filter, by the grammar beside this file, into a tree that knows no fields yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Literal, cast

from flyball.errors import InvalidInput

if TYPE_CHECKING:
    from lark import Lark, Token

MOST_COMPARISONS = 200
DEEPEST = 30
HINT = "Write it as params.depth = '5' AND metrics.accuracy > 0.9."


@dataclass(frozen=True, slots=True)
class Raw:
    """A comparison as it was written."""

    name: Token
    operator: str
    values: tuple[Token, ...]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Branch:
    """What joins comparisons, as it was written."""

    word: Literal["AND", "OR", "NOT", "parentheses"]
    parts: tuple[Raw | Branch, ...]
    depth: int


class _Callbacks:
    """Makes the raw tree while the parser reads."""

    def any_of(self, *parts: Raw | Branch) -> Raw | Branch:
        return branch("OR", parts) if len(parts) > 1 else parts[0]

    def all_of(self, *parts: Raw | Branch) -> Raw | Branch:
        return branch("AND", parts) if len(parts) > 1 else parts[0]

    def group(self, part: Raw | Branch) -> Branch:
        return branch("parentheses", (part,))

    def invert(self, _word: Token, part: Raw | Branch) -> Branch:
        return branch("NOT", (part,))

    def compare(self, name: Token, operator: Token, value: Token) -> Raw:
        return Raw(name, operator.upper(), (value,))

    def among(self, name: Token, _in: Token, *values: Token) -> Raw:
        return Raw(name, "IN", values)

    def not_among(self, name: Token, _not: Token, _in: Token, *values: Token) -> Raw:
        return Raw(name, "NOT IN", values)

    def is_null(self, name: Token, *_words: Token) -> Raw:
        return Raw(name, "IS NULL", ())

    def is_not_null(self, name: Token, *_words: Token) -> Raw:
        return Raw(name, "IS NOT NULL", ())


def branch(word: Literal["AND", "OR", "NOT", "parentheses"], parts: tuple[Raw | Branch, ...]) -> Branch:
    depth = 1 + max(part.depth for part in parts)
    if depth > DEEPEST or len(parts) > MOST_COMPARISONS:
        raise too_large()
    return Branch(word, parts, depth)


def too_large() -> InvalidInput:
    return InvalidInput(
        f"The filter has more than {MOST_COMPARISONS} comparisons, or more than {DEEPEST} levels.",
        hint="Ask in parts, or use IN.",
    )


@lru_cache(maxsize=1)
def _parser() -> Lark:
    # Reading the grammar takes longer than reading a hundred filters.
    from lark import Lark, Transformer, v_args

    # Made here, so that importing this module does not import the parser.
    methods = {name: method for name, method in vars(_Callbacks).items() if not name.startswith("_")}
    made = v_args(inline=True)(type("Reading", (Transformer,), methods))
    grammar = resources.files("flyball.tracking").joinpath("filter.lark").read_text()
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=made())


def read(text: str) -> Raw | Branch:
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    try:
        # What the parser gives is what its callbacks made.
        return cast("Raw | Branch", _parser().parse(text))
    except UnexpectedCharacters as error:
        raise _not_understood(text, error.pos_in_stream or 0, set(error.allowed or ())) from None
    except UnexpectedToken as error:
        at = len(text) if error.token.type == "$END" else error.pos_in_stream or 0
        raise _not_understood(text, at, set(error.expected)) from None
    except UnexpectedInput:
        raise _not_understood(text, len(text), set()) from None


def _not_understood(text: str, at: int, expected: set[str]) -> InvalidInput:
    near = text[at : at + 30].strip()
    place = f"at character {at + 1}, near {near!r}" if near else "at its end"
    return InvalidInput(f"The filter is not understood {place}.", hint=_expectation(expected, near))


_SHOWN = {
    "FIELD": "a field such as metrics.accuracy",
    "TEXT": "a text in quotes",
    "NUMBER": "a number",
    "COMPARATOR": "=, !=, >, >=, <, <=",
    "LIKE": "LIKE, ILIKE",
    "IN": "IN",
    "NOT": "NOT",
    "IS": "IS NULL",
    "NULL": "NULL",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "_AND": "AND",
    "_OR": "OR",
}


def _expectation(expected: set[str], near: str) -> str:
    if near.startswith(("==", "<>")):
        return f"Write {'=' if near.startswith('==') else '!='}."
    if near[:1] in ("'", '"', "`"):
        return "Is its quotation mark closed?"
    if "TEXT" in expected and re.match(r"\w", near):
        return "Texts stand in quotes: 'like this'."
    words = [shown for name, shown in _SHOWN.items() if name in expected]
    return f"There can be: {'; '.join(words)}." if words else HINT
