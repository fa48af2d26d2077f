"""Listening sockets, and who connects to them: by a PROXY header where it is believed, by TLS or not."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from tests.servers import Authority, eventually, free_port
from tests.waitroom.test_proxy_protocol import version_1, version_2
from waitroom import sockets
from waitroom.errors import ListenError
from waitroom.listener import Network, Peer, accept, address_of
from waitroom.tls import PublicTls

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Teller(asyncio.Protocol):
    """Says who its peer is, then what it said."""

    serving: ClassVar[set["Teller"]] = set()

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.serving.add(self)
        transport.write(f"{self._peer.address or address_of(transport)} {self._peer.is_tls}\n".encode())

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.serving.remove(self)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    await eventually(lambda: not Teller.serving)


async def listen(
    stack: AsyncExitStack, *, proxies: Sequence[Network] = (), tls: PublicTls | None = None, head_s: float = 20
) -> int:
    """The port of a listener that tells each peer who it is."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    opened = sockets.open_sockets([address], 1, {})
    listener = await accept(
        opened[address][0],
        Teller,
        tls=tls.context if tls else None,
        proxies=proxies,
        head_s=head_s,
    )
    stack.callback(listener.close)
    return port


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def told(stack: AsyncExitStack, port: int, *said: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What the listener says to one who says this, in pieces; what comes first of it goes in the clear."""
    loop = asyncio.get_running_loop()
    raw = stack.enter_context(socket.socket())
    raw.setblocking(False)
    await loop.sock_connect(raw, ("127.0.0.1", port))
    for piece in said[:-1]:
        await loop.sock_sendall(raw, piece)
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(sock=raw, ssl=tls, server_hostname="localhost" if tls else None)
    stack.push_async_callback(close, writer)
    writer.write(said[-1])
    async with asyncio.timeout(60):
        first = await reader.readline()
        return first + (await reader.readexactly(len(said[-1])) if first else b"")


@pytest.mark.parametrize("make", [version_1, version_2])
async def test_a_balancer_tells_who_connected(stack: AsyncExitStack, make: Callable[[str, int], bytes]) -> None:
    port = await listen(stack, proxies=LOOPBACK)
    assert await told(stack, port, make("192.0.2.7", 5), b"hello") == b"192.0.2.7 False\nhello"


@pytest.mark.parametrize("make", [version_1, version_2])
async def test_a_header_may_come_in_pieces(stack: AsyncExitStack, make: Callable[[str, int], bytes]) -> None:
    port = await listen(stack, proxies=LOOPBACK)
    pieces = [bytes([byte]) for byte in make("192.0.2.7", 5)]
    assert await told(stack, port, *pieces, b"hello") == b"192.0.2.7 False\nhello"


@pytest.mark.parametrize("make", [version_1, version_2])
async def test_a_header_comes_in_the_clear_before_tls(
    stack: AsyncExitStack, authority: Authority, make: Callable[[str, int], bytes]
) -> None:
    tls = PublicTls(str(authority.certificate), str(authority.key))
    port = await listen(stack, proxies=LOOPBACK, tls=tls)
    trusting = ssl.create_default_context(cafile=str(authority.ca))
    assert await told(stack, port, make("192.0.2.7", 5), b"hello", tls=trusting) == b"192.0.2.7 True\nhello"


@pytest.mark.parametrize("proxies", [(), LOOPBACK])
async def test_a_visitor_who_vanishes_is_noticed_in_the_end(stack: AsyncExitStack, proxies: Sequence[Network]) -> None:
    """By probes of TCP's own, also where nothing is to be sent."""
    port = await listen(stack, proxies=proxies)
    await told(stack, port, b"PROXY UNKNOWN\r\n", b"hello")
    accepted: socket.socket = next(iter(Teller.serving))._transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    assert [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [60, 10, 3]


async def test_a_balancer_that_checks_our_health_is_itself(stack: AsyncExitStack) -> None:
    port = await listen(stack, proxies=LOOPBACK)
    assert await told(stack, port, b"PROXY UNKNOWN\r\n", b"hello") == b"127.0.0.1 False\nhello"


async def test_a_connection_without_the_header_that_it_must_have_is_closed(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    port = await listen(stack, proxies=LOOPBACK)
    for _ in range(50):
        with suppress(ConnectionError):
            assert await told(stack, port, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert len([line for line in caplog.messages if "does not begin with a PROXY header" in line]) == 1


async def test_a_header_that_does_not_come_is_not_waited_for(stack: AsyncExitStack) -> None:
    port = await listen(stack, proxies=LOOPBACK, head_s=0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.push_async_callback(close, writer)
    writer.write(b"PROXY ")
    async with asyncio.timeout(60):
        with suppress(ConnectionResetError):  # it ended before it had read anything
            assert not await reader.read()


@pytest.mark.parametrize("proxies", [(), [ipaddress.ip_network("192.0.2.0/24")]])
async def test_a_header_from_anywhere_else_is_not_read(stack: AsyncExitStack, proxies: Sequence[Network]) -> None:
    port = await listen(stack, proxies=proxies)
    said = version_1("192.0.2.7", 5)
    assert await told(stack, port, said) == b"127.0.0.1 False\n" + said


async def test_without_balancers_tls_tells_the_peer_itself(stack: AsyncExitStack, authority: Authority) -> None:
    port = await listen(stack, tls=PublicTls(str(authority.certificate), str(authority.key)))
    trusting = ssl.create_default_context(cafile=str(authority.ca))
    assert await told(stack, port, b"hello", tls=trusting) == b"127.0.0.1 True\nhello"
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await told(stack, port, b"hello", tls=trusting) == b"127.0.0.1 True\nhello"


async def certificate(port: int) -> bytes:
    """The one that is served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await close(writer)
    return shown


async def test_a_renewed_certificate_is_served_and_a_bad_one_never(
    stack: AsyncExitStack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Replaced as mounted volumes do, by a link to the folder: the files' own paths never change."""
    Authority(tmp_path / "one")
    Authority(tmp_path / "two")
    (tmp_path / "..data").symlink_to("one")
    for name in ("server.pem", "server.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    tls = PublicTls(str(tmp_path / "server.pem"), str(tmp_path / "server.key"))
    following = asyncio.create_task(tls.follow())
    stack.callback(following.cancel)
    port = await listen(stack, tls=tls)
    first = await certificate(port)

    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "server.pem").write_bytes((tmp_path / "two" / "server.pem").read_bytes())
    (tmp_path / "bad" / "server.key").write_bytes((tmp_path / "one" / "server.key").read_bytes())
    async with asyncio.timeout(60):
        while "the old one stays in force" not in caplog.text:
            swap(tmp_path, "bad")
            await asyncio.sleep(0.05)
    assert await certificate(port) == first

    swap(tmp_path, "two")
    async with asyncio.timeout(60):
        while await certificate(port) == first:
            await asyncio.sleep(0.05)
    following.cancel()
    await asyncio.wait([following])


def swap(folder: Path, name: str) -> None:
    (folder / "new").symlink_to(name)
    (folder / "new").rename(folder / "..data")


def test_an_address_that_is_taken_is_named_with_what_to_do() -> None:
    address = f"127.0.0.1:{free_port()}"
    held = sockets.open_sockets([address], 2, {})
    with pytest.raises(ListenError, match=rf"can't listen on {address}: Address already in use: stop what listens"):
        sockets.open_sockets([address], 1, {})
    sockets.close(held)


def test_what_one_address_lacks_is_told_and_the_others_are_given_back() -> None:
    good, bad = f"127.0.0.1:{free_port()}", "192.0.2.1:80"
    with pytest.raises(ListenError, match=r"can't listen on 192\.0\.2\.1:80: .*no interface of this machine"):
        sockets.open_sockets([good, bad], 1, {})
    sockets.close(sockets.open_sockets([good], 1, {}))


def test_processes_share_all_sockets_however_many_they_are() -> None:
    address = f"127.0.0.1:{free_port()}"
    three = sockets.open_sockets([address], 3, {})
    assert [len(sockets.share(three, index, 2)[address]) for index in range(2)] == [2, 1]
    grown = sockets.open_sockets([address], 5, three)
    assert grown[address][:3] == three[address]
    assert [len(sockets.share(grown, index, 5)[address]) for index in range(5)] == [1] * 5
    sockets.close(grown)


def test_a_name_of_several_addresses_has_a_socket_of_each_for_each_process() -> None:
    address = f"localhost:{free_port()}"
    two = sockets.open_sockets([address], 2, {})
    shares = [sockets.share(two, index, 2)[address] for index in range(2)]
    assert [{one.family for one in share} for share in shares] == [{one.family for one in two[address]}] * 2
    assert len(sockets.open_sockets([address], 2, two)[address]) == len(two[address])
    sockets.close(two)


def test_an_address_of_ipv6_leaves_that_of_ipv4_to_others() -> None:
    port = free_port()
    both = sockets.open_sockets([f"[::]:{port}", f"0.0.0.0:{port}"], 1, {})
    assert sorted(one.family for some in both.values() for one in some) == [socket.AF_INET, socket.AF_INET6]
    sockets.close(both)
