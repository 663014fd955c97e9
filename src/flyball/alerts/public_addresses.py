"""Connections to public addresses only, so that nobody lets the server speak to what stands beside it.

A name is looked up once, all its addresses are looked at, and the connection goes to one of those: a name that is looked up
twice may give another address the second time. So nothing is ever sent to an address that is not public, not even the
question whether somebody listens there.
"""

from __future__ import annotations

import ipaddress
import socket

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from flyball.errors import InvalidInput

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether anyone could reach the address; also where it is an IPv4 address in the clothes of IPv6.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        found = inner or found
    return found.is_global and not found.is_multicast


class NotPublic(InvalidInput):
    """The host stands at an address that is not public."""


class PublicPool(urllib3.PoolManager):
    """Speaks to public addresses only."""

    def __init__(self, *, retries: urllib3.Retry) -> None:
        super().__init__(retries=retries)
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def public_address(host: str, port: int) -> str:
    """The address that a name stands at, if all that it stands at are public.

    Raises:
        NotPublic: one of them is not.
        OSError: the name is not known.
    """
    found = [str(place[4][0]) for place in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)]
    if not found or not all(map(is_public, found)):
        raise NotPublic(
            f"{host} does not stand at a public address.",
            hint="Set `webhook_networks` to `any` if webhooks may reach your own network.",
        )
    return found[0]


def _connected(asked: HTTPConnection) -> socket.socket:
    try:
        address = public_address(asked.host, asked.port)
        return create_connection((address, asked.port), asked.timeout, socket_options=asked.socket_options)
    except TimeoutError as error:
        raise urllib3.exceptions.ConnectTimeoutError(asked, f"{asked.host} did not answer in time.") from error
    except OSError as error:
        raise urllib3.exceptions.NewConnectionError(asked, f"{asked.host} cannot be reached: {error}") from error
