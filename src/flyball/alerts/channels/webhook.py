"""A webhook: the alert as JSON by HTTP POST, signed.

Settings: `url` (http or https), `secret` (optional), `timeout` in seconds (optional). The body is `{"alert": {...}}`.
With a secret, the header `x-flyball-signature` is `t=<seconds since 1970>,v1=<HMAC-SHA256>` over `<t>.<body>`; `verify`
checks it. Redirects are not followed. An answer other than 2xx, or none, is a failure; answers that say that the
receiver is busy (429, 502, 503, 504) are tried again twice at once, everything else by the outbox later.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

import urllib3

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.clock import SystemClock
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import to_json
from flyball.version import __version__

SIGNATURE = "x-flyball-signature"
_BUSY = (429, 502, 503, 504)


class Webhook:
    """Posts alerts to an address."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Posts an alert."""
        url, secret = check_url(settings.get("url", "")), str(settings.get("secret", ""))
        body = to_json({"alert": alert})
        headers = {
            "content-type": "application/json",
            "user-agent": f"flyball/{__version__}",
            "x-flyball-alert": alert.id,
        }
        if secret:
            headers[SIGNATURE] = sign(body, secret)
        answer = _post(url, body, headers, float(settings.get("timeout", 5.0)))
        if not 200 <= answer.status < 300:
            raise WorkFailed(f"The webhook at {_host(url)} answered {answer.status}.", status=answer.status)


def sign(body: bytes, secret: str, *, at: int | None = None) -> str:
    """The signature of a body, as the header carries it.

    >>> sign(b"{}", "secret", at=0)[:10]
    't=0,v1=4bb'
    """
    moment = int(SystemClock().now().timestamp()) if at is None else at
    code = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


def verify(body: bytes, signature: str, secret: str, *, within_seconds: float = 300) -> bool:
    """Whether a received body was signed with the secret, and not long ago; for the receiver of a webhook."""
    moment = signature.partition(",")[0].removeprefix("t=")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 15):
        return False
    age = abs(SystemClock().now().timestamp() - int(moment))
    return age <= within_seconds and hmac.compare_digest(signature, sign(body, secret, at=int(moment)))


def check_url(url: str) -> str:
    """Gives the address back if alerts may be sent there.

    Raises:
        InvalidInput: it is none of http or https, has no host, or holds a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except (ValueError, AttributeError):
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise InvalidInput("A webhook needs an address.", hint="Write it as https://host/path.")
    if parts.username or parts.password:
        raise InvalidInput("The address of a webhook holds a password.", hint="Use `secret` to sign what is sent.")
    return url


def _post(url: str, body: bytes, headers: dict[str, str], timeout: float) -> urllib3.BaseHTTPResponse:
    retries = urllib3.Retry(
        total=2, read=0, redirect=0, backoff_factor=0.2, status_forcelist=_BUSY, allowed_methods=("POST",),
        raise_on_status=False,
        respect_retry_after_header=False,  # a receiver must not decide how long we sleep; the outbox waits instead
    )  # fmt: skip
    limit = urllib3.Timeout(connect=timeout, read=timeout)
    try:
        with urllib3.PoolManager(retries=retries) as pool:
            return pool.request("POST", url, body=body, headers=headers, timeout=limit, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        # The host alone: the path of a webhook is often its password.
        raise WorkFailed(f"The webhook at {_host(url)} did not answer ({type(error).__name__}).") from error


def _host(url: str) -> str:
    return urlsplit(url).netloc


plugin: Channel = Webhook()
