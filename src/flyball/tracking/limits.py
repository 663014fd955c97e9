"""What may be the key of a param, its value, a tag, a metric, the name of an artifact."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from flyball.clock import parse_time
from flyball.errors import InvalidInput

ParamValue = str | int | float | bool | None

KEY_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
MOST_POINTS = 10_000
MOST_PARAMS = 1_000
_INT64 = 1 << 63


def check_key(key: str, what: str) -> str:
    """Gives the key back if it may be one.

    Raises:
        InvalidInput: it is empty, too long, or holds control characters.
    """
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH or not key.isprintable():
        raise InvalidInput(
            f"{str(key)[:60]!r} cannot be the name of a {what}.", hint=f"Use 1 to {KEY_LENGTH} printable characters."
        )
    return key


def check_text(text: str, what: str, longest: int) -> str:
    """Gives the text back if the database can keep it.

    Raises:
        InvalidInput: it is too long, or holds characters that are none (NUL, lone surrogates).
    """
    if not isinstance(text, str) or len(text) > longest:
        raise InvalidInput(
            f"The {what} is longer than {longest} characters, or no text.", hint="Log it as an artifact."
        )
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"The {what} holds characters that cannot be kept.", hint="Log it as an artifact.")
    return text


def check_params(params: dict[str, ParamValue]) -> dict[str, ParamValue]:
    """Gives the params back with values as they are kept.

    Raises:
        InvalidInput: there are too many, or a key or value cannot be used.
    """
    check_count(len(params), "params", MOST_PARAMS)
    return {check_key(key, "param"): _param(key, value) for key, value in params.items()}


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Gives the tags back.

    Raises:
        InvalidInput: there are too many, or a key or value cannot be used.
    """
    check_count(len(tags), "tags", MOST_PARAMS)
    return {check_key(key, "tag"): check_text(value, f"tag '{key}'", TAG_LENGTH) for key, value in tags.items()}


def check_count(count: int, what: str, most: int) -> None:
    """Makes sure that there are not too many at once.

    Raises:
        InvalidInput: there are.
    """
    if count > most:
        raise InvalidInput(f"{count} {what} were given at once, at most {most} are taken.", hint="Send them in parts.")


def check_point(key: str, value: float | None, step: int, at: datetime) -> dict[str, Any]:
    """The columns of a metric point; NaN and infinities are undefined.

    Raises:
        InvalidInput: the value is no number, the step no whole number of 64 bits, or the time none.
    """
    if isinstance(step, bool) or not isinstance(step, int) or not -_INT64 <= step < _INT64:
        raise InvalidInput(f"Metric '{key}' has the step {str(step)[:40]}.", hint="Use a whole number of 64 bits.")
    if not isinstance(at, datetime):
        raise InvalidInput(f"Metric '{key}' has no time.", hint="Give a datetime.")
    number = _number(key, value)
    return {"step": step, "at": parse_time(at), "value": number or 0.0, "undefined": int(number is None)}


def check_artifact_name(name: str) -> str:
    """Gives the name back if it may be that of an artifact: a relative path with slashes.

    Raises:
        InvalidInput: it is absolute, climbs, or holds odd characters.
    """
    check_key(name, "artifact")
    if "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise InvalidInput(f"{name[:60]!r} cannot be the name of an artifact.", hint="Write it as model/weights.bin.")
    return name


def _number(key: str, value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"Metric '{key}' is {str(value)[:40]!r}, which is no number.") from error
    return number if math.isfinite(number) else None


def _param(key: str, value: object) -> ParamValue:
    item = getattr(value, "item", None)
    value = item() if callable(item) and getattr(value, "shape", None) == () else value
    if isinstance(value, str):
        return check_text(value, f"param '{key}'", PARAM_LENGTH)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    raise InvalidInput(
        f"Param '{key}' is {str(value)[:40]!r}, of type {type(value).__name__}.",
        hint="Use a text, a number, true, false or none.",
    )
