"""What a page gives so that the next one can be asked for: opaque texts that hold where it begins."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flyball.errors import InvalidInput
from flyball.serialization import canonical_json, digest, from_json, to_json


def write_token(place: object) -> str:
    """The text of a place."""
    return base64.urlsafe_b64encode(to_json(place)).decode()


def read_token(text: str, kind: Any) -> Any:
    """The place that a text stands for, which is of a kind.

    Raises:
        InvalidInput: the text is no token of ours.
    """
    try:
        return from_json(base64.urlsafe_b64decode(text), kind)
    except (ValueError, InvalidInput) as error:
        raise no_token() from error


def check_offset(offset: int) -> int:
    """Gives an offset of a token back.

    Raises:
        InvalidInput: no page begins there.
    """
    if not 0 <= offset < 1 << 62:
        raise no_token()
    return offset


def no_token() -> InvalidInput:
    """Says that a text is no token."""
    return InvalidInput("Invalid page token.", hint="Give the one of the page before, as it is.")


def write_offset(offset: int, asked: object) -> str:
    """The text of an offset, which holds only for the question that it was given for."""
    return write_token((offset, _mark(asked)))


def read_offset(token: str, asked: object) -> int:
    """The offset of a token; 0 without one.

    Raises:
        InvalidInput: it is no token, or one of another question.
    """
    if not token:
        return 0
    try:
        offset, mark = from_json(base64.urlsafe_b64decode(token.encode("ascii")), tuple[int, str])
    except (binascii.Error, ValueError, InvalidInput) as error:
        raise InvalidInput("Invalid page token, could not base64-decode") from error
    if mark != _mark(asked) or not 0 <= offset < 1 << 40:
        raise InvalidInput("The page token belongs to another search.", hint="Ask for the first page again.")
    return int(offset)


def _mark(asked: object) -> str:
    return digest(canonical_json(asked))[:16]
