"""What the scripts share that run under a real client: many checks in one start, and a record of what was asked for.

A script's checks run one after the other, each on what those before it left. The last line it prints is JSON: each check
with "ok" or what went wrong, and each request that the client sent, with the status that came back.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

outcome: dict[str, str] = {}
calls: list[list[Any]] = []


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Runs a check at once and notes how it went."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
        places = traceback.extract_tb(error.__traceback__)
        own = next((place for place in reversed(places) if place.filename == sys.argv[0]), places[-1])
        outcome[function.__name__] = f"line {own.lineno}: {type(error).__name__}: {str(error)[:600]}"
    else:
        outcome[function.__name__] = "ok"
    return function


def same(found: object, wanted: object) -> None:
    """Fails and shows both if they differ."""
    assert found == wanted or (_is_nan(found) and _is_nan(wanted)), f"found {found!r}, wanted {wanted!r}"


def refused(call: Callable[[], object], code: str, *words: str) -> None:
    """Fails unless the call is answered with that error code of MLflow and a message that holds the words."""
    from mlflow.exceptions import MlflowException

    try:
        answer = call()
    except MlflowException as error:
        said = str(error)
        assert error.error_code == code, f"found {error.error_code}, wanted {code}: {said[:300]}"
        missing = [word for word in words if word not in said]
        assert not missing, f"'{missing[0]}' is not said in: {said[:300]}"
    else:
        raise AssertionError(f"not refused: {answer!r}")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _recorded(send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    def recorded(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(self, request, **options)
        if str(request.url).startswith(os.environ["MLFLOW_TRACKING_URI"]):
            calls.append([request.method, urlsplit(str(request.url)).path, answer.status_code])
        return answer

    return recorded


def _tell() -> None:
    unique = sorted({tuple(call) for call in calls})
    sys.stdout.write("\n" + json.dumps({"checks": outcome, "calls": unique}) + "\n")


requests.Session.send = _recorded(requests.Session.send)  # type: ignore[method-assign]  # every request is written down
atexit.register(_tell)
