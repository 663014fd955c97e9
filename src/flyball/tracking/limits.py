"""What may be the key of a param, its value, a tag, a metric, the name of an artifact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flyball.clock import parse_time
from flyball.errors import InvalidInput

ParamValue = str | int | float | bool | None

KEY_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
EXPERIMENT_TAG_LENGTH = 20_000
NAME_LENGTH = 1_000
FOLDER_LENGTH = 300
EXPERIMENT_LENGTH = 500
MOST_POINTS = 10_000
MOST_PARAMS = 1_000
MOST_ARTIFACTS = 10_000
_INT64 = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_TIME = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_TIME = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def check_key(key: str, what: str, longest: int = KEY_LENGTH) -> str:
    """Gives the key back if it may be one.

    Raises:
        InvalidInput: it is empty, too long, or holds control characters.
    """
    if not isinstance(key, str) or not 0 < len(key) <= longest or not key.isprintable():
        raise InvalidInput(
            f"{str(key)[:60]!r} cannot be the name of a {what}.", hint=f"Use 1 to {longest} printable characters."
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


def check_tags(tags: dict[str, str], longest: int = TAG_LENGTH) -> dict[str, str]:
    """Gives the tags back.

    Raises:
        InvalidInput: there are too many, or a key or value cannot be used.
    """
    check_count(len(tags), "tags", MOST_PARAMS)
    return {check_key(key, "tag"): check_text(value, f"tag '{key}'", longest) for key, value in tags.items()}


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
    check_steps(key, [step])
    to_micros(key, at)
    number = _number(key, value)
    return {"step": step, "at": parse_time(at), "value": number or 0.0, "undefined": int(number is None)}


def are_plain(steps: Sequence[int], times: Sequence[int], values: Sequence[float | None]) -> bool:
    """Whether all of these can be kept as they are: whole numbers in their bounds, and finite floats."""
    return (
        set(map(type, values)) == {float}
        and all(map(math.isfinite, values))  # type: ignore[arg-type]  # all are floats
        and set(map(type, steps)) == {int} == set(map(type, times))
        and -_INT64 <= min(steps) <= max(steps) < _INT64
        and _FIRST_TIME <= min(times) <= max(times) <= _LAST_TIME
    )


def check_times(key: str, times: list[int]) -> list[int]:
    """Gives the times back: microseconds since 1970 UTC.

    Raises:
        InvalidInput: one is no whole number, or further away than calendars go.
    """
    if times and (not set(map(type, times)) <= {int} or min(times) < _FIRST_TIME or max(times) > _LAST_TIME):
        raise InvalidInput(f"Metric '{key}' has a time that is none.", hint="Give microseconds since 1970.")
    return times


def check_steps(key: str, steps: list[int]) -> list[int]:
    """Gives the steps back.

    Raises:
        InvalidInput: one is no whole number of 64 bits.
    """
    if steps and (not set(map(type, steps)) <= {int} or min(steps) < -_INT64 or max(steps) >= _INT64):
        wrong = next(step for step in steps if type(step) is not int or not -_INT64 <= step < _INT64)
        raise InvalidInput(f"Metric '{key}' has the step {str(wrong)[:40]}.", hint="Use a whole number of 64 bits.")
    return steps


def check_values(key: str, values: Sequence[float | None]) -> list[float | None]:
    """Gives the values as they are kept: NaN and infinities are undefined.

    Raises:
        InvalidInput: one is no number.
    """
    if set(map(type, values)) <= {float} and all(map(math.isfinite, values)):  # type: ignore[arg-type]  # all are floats
        return list(values)
    return [_number(key, value) for value in values]


def to_micros(key: str, at: datetime) -> int:
    """A moment as microseconds since 1970 UTC.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(at, datetime):
        raise InvalidInput(f"Metric '{key}' has no time.", hint="Give a datetime.")
    return (parse_time(at) - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment so many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def check_folder(folder: str) -> str:
    """Gives the name of a folder of files back, such as `logged-models/m-123`.

    Raises:
        InvalidInput: it is absolute, climbs, or holds odd characters.
    """
    if not folder.isascii() or len(folder) > FOLDER_LENGTH:
        raise InvalidInput(f"{folder[:60]!r} cannot be the name of a folder.", hint="Write it as logged-models/m-123.")
    return check_artifact_name(folder)


def check_size(name: str, size: int) -> int:
    """Gives the size of a file back.

    Raises:
        InvalidInput: it is none.
    """
    if size < 0:
        raise InvalidInput(f"Artifact '{name[:60]}' has {size} bytes.", hint="Give its size.")
    return size


def check_artifact_name(name: str) -> str:
    """Gives the name back if it may be that of an artifact: a relative path with slashes.

    Raises:
        InvalidInput: it is absolute, climbs, or holds odd characters.
    """
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) <= NAME_LENGTH:
        raise InvalidInput(
            f"{str(name)[:60]!r} cannot be the name of an artifact.",
            hint=f"Use 1 to {NAME_LENGTH} printable characters.",
        )
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
