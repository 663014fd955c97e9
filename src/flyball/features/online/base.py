"""What keeps the latest values of features, by key: one plug-in for each kind of store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable
from urllib.parse import urlsplit

from flyball.errors import FlyballError, InvalidInput, ServerUnreachable
from flyball.plugins import PluginGroup


class Cell(NamedTuple):
    """The last row of one thing.

    Attributes:
        time: From when on it holds, in microseconds since 1970.
        created: When it became known, likewise.
        value: Its packed values.
    """

    time: int
    created: int
    value: bytes


class KeyedCell(NamedTuple):
    """A cell and the key of its thing."""

    key: bytes
    time: int
    created: int
    value: bytes


Change = Callable[[Cell | None], Cell | None]
"""Gives what shall stand in a cell, from what stands there; None removes it."""


class OnlineStore(Protocol):
    """One store. Every view's version has a slot in it; a slot has one cell for each key.

    All methods may be called from several threads and processes at once, and raise `ServerUnreachable` when the store is down.
    """

    def slot(self, name: str) -> int:
        """The number of a slot, which is made if there is none of that name."""
        ...

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none of that name."""
        ...

    def drop(self, name: str) -> None:
        """Removes a slot and its cells; nothing happens if there is none."""
        ...

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells of slots and keys, in the order in which they are wanted."""
        ...

    def write(self, slot: int, cells: Sequence[KeyedCell]) -> int:
        """Writes each cell whose (time, created) is not before what stands there; all or none of those it takes at once.

        Returns:
            How many were written.
        """
        ...

    def fold(self, slot: int, changes: Sequence[tuple[bytes, Change]]) -> None:
        """Changes cells; nobody else changes one between its being read and written."""
        ...

    def delete(self, slot: int, keys: Sequence[bytes]) -> int:
        """Removes cells; gives how many there were."""
        ...

    def scan(self, slot: int, limit: int) -> list[KeyedCell]:
        """Up to so many cells of a slot, in no order that means anything."""
        ...

    def note(self, name: str) -> bytes:
        """A small note; empty if there is none."""
        ...

    def set_note(self, name: str, value: bytes) -> None:
        """Keeps a small note."""
        ...

    def close(self) -> None:
        """Closes the store."""
        ...


@runtime_checkable
class QuickStore(Protocol):
    """A store that is asked view by view at no more cost than for all views at once, as it lies in this process."""

    def fresh(
        self, slot: int, keys: Sequence[bytes], since: int, until: int, read: Callable[[bytes], Any]
    ) -> list[Any]:
        """The values of cells whose time is neither before nor after, as `read` gives them; None where there is no such cell."""
        ...


class OnlineKind(Protocol):
    """A kind of store.

    Attributes:
        schemes: What the addresses of such stores begin with.
    """

    schemes: tuple[str, ...]

    def open(self, url: str) -> OnlineStore:
        """The store at an address, which is made if there is none.

        Raises:
            MissingExtra: its library is not installed.
            ServerUnreachable: it cannot be opened.
        """
        ...


ONLINE: PluginGroup[OnlineKind] = PluginGroup("online", "flyball.features.online")
"""The kinds of online stores."""

_SCHEMES = {"sqlite": "sqlite", "lmdb": "lmdb", "redis": "redis", "rediss": "redis", "postgresql": "postgres"}


def open_online(url: str) -> OnlineStore:
    """The store at an address: `sqlite:///path`, `lmdb:///folder`, `redis://host/0`, `postgresql://user@host/name`.

    Raises:
        InvalidInput: no kind of store has such addresses.
        MissingExtra: its library is not installed.
        ServerUnreachable: it cannot be opened.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme in _SCHEMES:  # asked without loading the others
        return ONLINE.get(_SCHEMES[scheme]).open(url)
    for kind in ONLINE.all().values():
        if scheme in kind.schemes:
            return kind.open(url)
    raise InvalidInput(
        f"There is no online store for addresses such as '{scheme}://'.",
        hint="Write it as sqlite:///path, lmdb:///folder, redis://host/0 or postgresql://user@host/name.",
    )


@contextmanager
def reaching(what: str, *failures: type[Exception]) -> Iterator[None]:
    """Tells failures of a store's library as what they are to us: the store is down.

    Args:
        what: How the store is called.
        failures: What its library raises.
    """
    try:
        yield
    except FlyballError:
        raise
    except failures as error:
        told = str(error).partition("\n")[0][:300]
        raise ServerUnreachable(
            f"The online store {what} cannot be used: {told or type(error).__name__}.",
            hint="Is it running? Its address is the setting `online`.",
        ) from error


def chunks(items: Sequence[KeyedCell], size: int) -> Iterator[Sequence[KeyedCell]]:
    """The items in pieces of at most so many."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
