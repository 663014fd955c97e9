"""Which addresses the server may listen on, and which names it answers to."""

from __future__ import annotations

from urllib.parse import urlsplit

from flyball.errors import InvalidInput
from flyball.settings import Settings

LOOPBACK_HOST = "127.0.0.1"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check_address(settings: Settings) -> None:
    """Makes sure that the server may bind to the address of the settings.

    Raises:
        InvalidInput: others could reach it without logging in, or what they send could be read on the way.
    """
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise InvalidInput("A certificate and its key belong together.", hint="Set both tls_cert and tls_key.")
    if settings.host in LOOPBACK and not settings.behind_proxy:
        return
    if settings.auth != "on":
        raise InvalidInput(
            f"The server will not listen on {settings.host}: no login is set up, so anyone who reaches it could change everything.",
            hint='Use --host 127.0.0.1 and a tunnel (ssh -L) to reach it from elsewhere, or set auth = "on" and TLS.',
        )
    if settings.behind_proxy and not settings.behind_proxy.startswith("https://"):
        raise InvalidInput(f"'{settings.behind_proxy}' is not https.", hint="Let the proxy speak https to people.")
    if not settings.tls_cert and not settings.behind_proxy:
        raise InvalidInput(
            f"The server will not listen on {settings.host} without TLS: passwords and tokens could be read on the way.",
            hint='Set tls_cert and tls_key, or behind_proxy = "https://name" where a proxy in front speaks https.',
        )


def names_of(settings: Settings) -> frozenset[str]:
    """The names in addresses that the server answers to."""
    further = {name.strip().lower() for name in settings.hosts.split(",") if name.strip()}
    behind = urlsplit(settings.behind_proxy).hostname
    named = {settings.host} if settings.host not in ("0.0.0.0", "::") else set()  # noqa: S104 - compared, not bound to
    return LOOPBACK | further | named | ({behind} if behind else set())


def is_loopback(settings: Settings) -> bool:
    """Whether this machine alone reaches the server."""
    return settings.host in LOOPBACK and not settings.behind_proxy
