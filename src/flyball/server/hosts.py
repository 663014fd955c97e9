"""Which addresses the server may listen on."""

from __future__ import annotations

from flyball.errors import InvalidInput

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_host(host: str) -> str:
    """Gives the address back if the server may bind to it.

    Raises:
        InvalidInput: others could reach it, and no login is set up.
    """
    if host not in _LOOPBACK:
        raise InvalidInput(
            f"The server will not listen on {host}: no login is set up, so anyone who reaches it could change everything.",
            hint="Use --host 127.0.0.1, and a tunnel (ssh -L) to reach it from elsewhere.",
        )
    return host
