"""Whose program is at the other end of a connection on this machine, as the kernel says."""

from __future__ import annotations

import os
import socket
import struct
import sys
from functools import lru_cache
from typing import Final

from starlette.types import Scope

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_ESTABLISHED: Final = "01"


class Peer:
    """The other end of a connection; looked up once, since a connection has one owner for as long as it lasts."""

    def __init__(self, client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> None:
        self._client = client
        self._server = server
        self._uid: int | None = None
        self.is_known = client is None or client[0] not in LOOPBACK

    def is_us(self) -> bool:
        """Whether it is a program of the same user on this machine; reads a file when it is asked for the first time."""
        if not self.is_known:
            assert self._client is not None
            self._uid = uid_of(self._client, self._server)
            self.is_known = True
        return self._uid is not None and self._uid == _own_uid()


def uid_of(client: tuple[str, int], server: tuple[str, int | None] | None) -> int | None:
    """The user whose socket is at that end of a loopback connection; None where the system does not say (only Linux does)."""
    if server is None or server[1] is None or not sys.platform.startswith("linux"):
        return None
    wanted = (_hex(client[0], client[1]), _hex(server[0], server[1]), _ESTABLISHED)
    try:
        with open("/proc/net/tcp6" if ":" in client[0] else "/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - a file of the kernel, read with each connection
            next(table)
            for line in table:
                fields = line.split(maxsplit=8)
                if (fields[1], fields[2], fields[3]) == wanted:
                    return int(fields[7])
    except (OSError, StopIteration, IndexError, ValueError):
        return None
    return None


def _hex(host: str, port: int) -> str:
    """An address as the kernel writes it: words in the machine's byte order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    order = "<" if sys.byteorder == "little" else ">"
    return "".join(struct.pack(f"{order}I", word).hex().upper() for word in words) + f":{port:04X}"


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "?"


@lru_cache(maxsize=1)
def _own_uid() -> int:
    return os.getuid()
