"""Accepts connections: finds out who connects, by the PROXY protocol where it is believed, and by TLS or not."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from waitroom import proxy_protocol
from waitroom.proxy_protocol import ProxyHeader, ProxyHeaderError
from waitroom.seldom import Seldom
from waitroom.sockets import BACKLOG

log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# How many connections are accepted before others get their turn.
BATCH = 64
# Without a free file descriptor nothing can be accepted for a while.
PAUSE_S = 0.5


class Peer(NamedTuple):
    """Who connected, and whether by TLS. Where a PROXY header told, it is who connected to the balancer; "" where
    nothing but the transport tells (`address_of`)."""

    address: str
    is_tls: bool


ProtocolFactory = Callable[[Peer], asyncio.Protocol]


class Listener(Protocol):
    """What accepts from one socket."""

    def close(self) -> None:
        """Accepts no more, and closes the socket; connections stay."""


async def accept(
    sock: socket.socket,
    protocol_of: ProtocolFactory,
    *,
    tls: ssl.SSLContext | None = None,
    proxies: Sequence[Network] = (),
    head_s: float,
) -> Listener:
    """Accepts from a listening socket. Each connection gets a protocol of its own, made for its peer.

    A connection from one of the `proxies` must begin with a PROXY header, which comes in the clear, before TLS; from
    anywhere else such a header is no more than a bad request. `head_s` is for this header, and for the TLS handshake.
    """
    handshake_s = head_s if tls else None
    if proxies:
        return ProxiedListener(sock, protocol_of, tls, proxies, head_s)
    unknown = Peer("", tls is not None)
    return await asyncio.get_running_loop().create_server(
        lambda: protocol_of(unknown),
        sock=sock,
        ssl=tls,
        ssl_handshake_timeout=handshake_s,
        backlog=BACKLOG,
    )


class ProxiedListener:
    """Accepts by itself, to read each header from the bare socket, not a byte more: what follows is the visitor's, and
    may be TLS."""

    def __init__(
        self,
        sock: socket.socket,
        protocol_of: ProtocolFactory,
        tls: ssl.SSLContext | None,
        proxies: Sequence[Network],
        head_s: float,
    ) -> None:
        self._sock = sock
        self._protocol_of = protocol_of
        self._tls = tls
        self._proxies = proxies
        self._head_s = head_s
        self._loop = asyncio.get_running_loop()
        self._welcomes: set[asyncio.Task[None]] = set()
        self._refused = Seldom(log)
        self._is_open = True
        self._resume()

    def close(self) -> None:
        """Accepts no more; who has not sent a whole header yet may still do so."""
        self._loop.remove_reader(self._sock)
        self._is_open = False
        self._sock.close()

    def _resume(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                connection, name = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:
                self._refused.warn("can't accept connections: %s", exc.strerror)
                self._loop.remove_reader(self._sock)
                self._loop.call_later(PAUSE_S, self._resume)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(_plain(name[0]), self._tls is not None)
            task = self._loop.create_task(self._welcome(connection, peer))
            self._welcomes.add(task)
            task.add_done_callback(self._welcomes.discard)

    async def _welcome(self, connection: socket.socket, peer: Peer) -> None:
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(connection.close)
                peer = await self._told_by(connection, peer) if self._believes(peer.address) else peer
                stack.pop_all()
            await self._loop.connect_accepted_socket(
                lambda: self._protocol_of(peer),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._head_s if self._tls else None,
            )
        except ProxyHeaderError as exc:
            self._refused.warn("a connection from %s was closed: %s", peer.address, exc)
        except OSError as exc:  # it went away, took too long, or speaks no TLS
            log.debug("a connection from %s came to nothing: %s", peer.address, exc)

    async def _told_by(self, connection: socket.socket, balancer: Peer) -> Peer:
        """Raises ProxyHeaderError, OSError."""
        async with asyncio.timeout(self._head_s):
            header = await _read_header(connection)
        return balancer if header.source is None else Peer(header.source, balancer.is_tls)

    def _believes(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._proxies)


async def _read_header(connection: socket.socket) -> ProxyHeader:
    """Raises ProxyHeaderError, OSError."""
    data = b""
    while True:
        seen = await _peek(connection)
        header = proxy_protocol.parse(data + seen)
        # As long as the header is not whole, all that is there is a part of it.
        data += connection.recv(len(seen) if header is None else header.consumed - len(data))
        if header:
            return header


async def _peek(connection: socket.socket) -> bytes:
    """What there is to read, or will be; it can be read again. Raises OSError."""
    while True:
        try:
            seen = connection.recv(proxy_protocol.V2_LONGEST, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            await _readable(connection)
            continue
        if not seen:
            raise ConnectionResetError
        return seen


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)


def address_of(transport: asyncio.BaseTransport) -> str:
    """Who is at the other end; "" where the visitor is gone already."""
    name = transport.get_extra_info("peername")
    return _plain(str(name[0])) if isinstance(name, tuple) and name else ""


def _plain(address: str) -> str:
    """Without the zone of a link-local address, which no network in a configuration has."""
    return address.partition("%")[0]
