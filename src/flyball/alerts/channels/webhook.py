"""A webhook: the alert as JSON by HTTP POST, signed.

Settings: `url` (http or https), `secret` (optional), `timeout` in seconds (optional). The body is `{"alert": {...}}`.
With a secret, the header `x-flyball-signature` is `t=<seconds since 1970>,v1=<HMAC-SHA256>` over `<t>.<body>`; `verify`
checks it. An answer other than 2xx, or none, is a failure.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import SECONDS, check_url, post
from flyball.clock import SystemClock
from flyball.serialization import to_json

SIGNATURE = "x-flyball-signature"


class Webhook:
    """Posts alerts to an address."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Posts an alert."""
        url, secret = check_url(settings.get("url", "")), str(settings.get("secret", ""))
        body = to_json({"alert": alert})
        headers = {"content-type": "application/json", "x-flyball-alert": alert.id}
        if secret:
            headers[SIGNATURE] = sign(body, secret)
        timeout, only_public = float(settings.get("timeout", SECONDS)), bool(settings.get("only_public"))
        post(url, body, headers, timeout=timeout, only_public=only_public)


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


plugin: Channel = Webhook()
