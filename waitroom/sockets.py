"""The listening sockets of a waitroom, by address. They outlive the processes that accept from them."""

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from waitroom import keepalive
from waitroom.errors import ListenError

BACKLOG = 4096
# What to do about it.
REMEDIES = {
    errno.EADDRINUSE: "stop what listens there (`waitroom serve --take-over` relieves a waitroom), or choose another",
    errno.EACCES: "ports under 1024 need the capability CAP_NET_BIND_SERVICE; or choose another",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
}

# As the system has it: IPv6 with more to it.
Where = tuple[Any, ...]
# Of each address one socket for each process; a name that stands for several addresses has as many for each.
Sockets = dict[str, list[socket.socket]]


def open_sockets(addresses: Iterable[str], processes: int, held: Mapping[str, list[socket.socket]]) -> Sockets:
    """The sockets of the addresses: those that are held already, and new ones until each process has its own.

    None that is held is left out: visitors may be queued in it. Raises ListenError, and then has opened none.
    """
    opened: list[socket.socket] = []
    sockets: Sockets = {}
    try:
        for address in addresses:
            sockets[address] = list(held.get(address, ()))
            if not sockets[address]:
                _refuse_taken(address)
            for new in _lacking(address, processes, held.get(address, ())):
                opened.append(new)
                sockets[address].append(new)
            # So that the share of each process has some of each kind.
            sockets[address].sort(key=lambda one: one.family)
    except ListenError:
        for one in opened:
            one.close()
        raise
    return sockets


def share(sockets: Mapping[str, list[socket.socket]], index: int, processes: int) -> Sockets:
    """Those of the sockets from which one of several processes accepts: between them they have all."""
    return {address: all_of_it[index::processes] for address, all_of_it in sockets.items()}


def close(sockets: Mapping[str, list[socket.socket]], kept: Mapping[str, list[socket.socket]] | None = None) -> None:
    """Closes all but those that are kept."""
    keep = {one for some in (kept or {}).values() for one in some}
    for one in (one for some in sockets.values() for one in some if one not in keep):
        one.close()


def _refuse_taken(address: str) -> None:
    """SO_REUSEPORT would let us have a port of which another waitroom of the same user has sockets, and half of its
    visitors. A socket without it is refused there."""
    for family, where in _resolve(address):
        with _errors_named(address), socket.socket(family, socket.SOCK_STREAM) as probe:
            _bind(probe, family, where)


def _lacking(address: str, processes: int, held: Sequence[socket.socket]) -> Iterator[socket.socket]:
    """A name may stand for several addresses: each process has a socket for each of them."""
    for family, where in _resolve(address):
        have = sum(one.family == family and one.getsockname()[0] == where[0] for one in held)
        for _ in range(processes - have):
            with _errors_named(address):
                yield _listen(family, where)


def _listen(family: int, where: Where) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(one, family, where)
        keepalive.ask(one)  # what is accepted from it inherits this
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    one.setblocking(False)
    return one


def _bind(one: socket.socket, family: int, where: Where) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # "[::]:8080" beside "0.0.0.0:8080": each has its own visitors.
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind(where)


def _resolve(address: str) -> list[tuple[int, Where]]:
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        raise ListenError(f"can't listen on {address}: {exc.strerror}") from exc
    return [(family, where) for family, _, _, _, where in dict.fromkeys(found)]


@contextlib.contextmanager
def _errors_named(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        remedy = REMEDIES.get(exc.errno or 0)
        raise ListenError(f"can't listen on {address}: {exc.strerror}{f': {remedy}' if remedy else ''}") from exc
