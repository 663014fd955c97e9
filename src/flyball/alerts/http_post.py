"""Telling something to an address by HTTP POST, as every channel that speaks HTTP does it.

Redirects are not followed. Answers that say that the receiver is busy (429, 502, 503, 504) are tried again twice at
once, everything else by the outbox later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from flyball.alerts.public_addresses import PublicPool
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import JsonValue, to_json
from flyball.storage.as_one import settle
from flyball.version import __version__

_BUSY = (429, 502, 503, 504)
SECONDS = 5.0
"""How long an answer is waited for where a channel is not told."""


def check_url(url: str, what: str = "webhook") -> str:
    """Gives the address back if something may be sent there.

    Raises:
        InvalidInput: it is none of http or https, has no host, or holds a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except (ValueError, AttributeError):
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise InvalidInput(f"A {what} needs an address.", hint="Write it as https://host/path.")
    if parts.username or parts.password:
        raise InvalidInput(f"The address of a {what} holds a password.", hint="Use `secret` to sign what is sent.")
    return url


def check_timeout(timeout: float) -> float:
    """Gives the seconds back if an answer may be waited for so long.

    Raises:
        InvalidInput: they are none, or more than half a minute.
    """
    if not 0 < timeout <= 30:
        raise InvalidInput(f"timeout is {timeout:g}.", hint="Give up to 30 seconds.")
    return float(timeout)


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    timeout: float = SECONDS,
    what: str = "webhook",
    only_public: bool = False,
) -> urllib3.BaseHTTPResponse:
    """The answer to a POST, if it is one of success.

    Raises:
        WorkFailed: there was no answer, or one that says no. It names the host alone: a path is often a password.
    """
    answer = request("POST", url, body, headers, timeout=timeout, what=what, only_public=only_public)
    if not 200 <= answer.status < 300:
        raise WorkFailed(f"The {what} at {host_of(url)} answered {answer.status}.", status=answer.status)
    return answer


def post_json(url: str, body: JsonValue, settings: Mapping[str, Any], *, what: str) -> urllib3.BaseHTTPResponse:
    """As `post`, with plain values as JSON, as the settings of a channel want it."""
    timeout, only_public = float(settings.get("timeout", SECONDS)), bool(settings.get("only_public"))
    told = {"content-type": "application/json"}
    return post(url, to_json(body), told, timeout=timeout, what=what, only_public=only_public)


def request(
    method: str,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    *,
    timeout: float = SECONDS,
    what: str = "webhook",
    only_public: bool = False,
) -> urllib3.BaseHTTPResponse:
    """The answer to a request, whatever it says.

    Args:
        only_public: Whether an address that is not public is refused.

    Raises:
        WorkFailed: there was none.
        InvalidInput: the address is not public.
    """
    retries = urllib3.Retry(
        total=2, read=0, redirect=0, backoff_factor=0.2, status_forcelist=_BUSY, allowed_methods=(method,),
        raise_on_status=False,
        respect_retry_after_header=False,  # a receiver must not decide how long we sleep; the outbox waits instead
    )  # fmt: skip
    limit = urllib3.Timeout(connect=timeout, read=timeout)
    told = {"user-agent": f"flyball/{__version__}", **headers}
    settle()  # nobody may wait for the database while we wait for a network
    try:
        with (PublicPool if only_public else urllib3.PoolManager)(retries=retries) as pool:
            return pool.request(method, url, body=body, headers=told, timeout=limit, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise WorkFailed(f"The {what} at {host_of(url)} did not answer ({type(error).__name__}).") from error


def host_of(url: str) -> str:
    """The part of an address that may be told."""
    return urlsplit(url).netloc
