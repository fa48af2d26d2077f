"""How an origin is reached: real sockets, real TLS, real failures, and look-ups whose answers the test holds."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from aiohappyeyeballs import AddrInfoType

from tests.servers import Authority, eventually, free_port
from tests.waitroom.test_rooms import room
from waitroom.addresses import Resolve, resolve
from waitroom.errors import OriginError, OriginTimeoutError, OriginUnreachableError
from waitroom.origin import Origin
from waitroom.origin_terms import OriginTerms
from waitroom.origins import Origins

# asyncio's own loop, and the one that waitroom runs on.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

# To wait for where no answer comes, and where one does: on a busy machine in its own time.
SHORT_S, LONG_S = 0.3, 60


class Connection(asyncio.Protocol):
    """What the pool keeps: it collects what it is sent."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.is_usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False

    def close(self) -> None:
        assert self.transport
        self.transport.close()

    def told(self, name: str) -> Any:
        """What the transport knows of the connection."""
        assert self.transport
        return self.transport.get_extra_info(name)


@dataclass
class Site:
    """A server that gives `answer` whatever it is asked; nothing, if that is None; and hangs up, if it is empty."""

    answer: bytes | None = b"HTTP/1.1 200 OK\r\n\r\n"
    asked: list[bytes] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    connections: "list[SiteConnection]" = field(default_factory=list)
    port: int = field(default_factory=free_port)

    @contextlib.asynccontextmanager
    async def serving(
        self, host: str = "127.0.0.1", path: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[None]:
        """On its port, or on a unix socket. In the end nothing of it is left."""
        loop = asyncio.get_running_loop()
        if tls:
            tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        if path:
            server = await loop.create_unix_server(lambda: SiteConnection(self), str(path))
        else:
            server = await loop.create_server(lambda: SiteConnection(self), host, self.port, ssl=tls)
        try:
            yield
        finally:
            server.close()
            self.hang_up()
            await eventually(lambda: not any(connection.is_usable for connection in self.connections))

    def hang_up(self) -> None:
        for connection in self.connections:
            connection.close()


class SiteConnection(Connection):
    """The site's end of one."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._site.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self._site.asked.append(data)
        if self._site.answer == b"":
            self.close()
        elif self._site.answer and self.transport:
            self.transport.write(self._site.answer)


def an_origin(url: str, resolve: Resolve = resolve, **terms: Any) -> Origin[Connection]:
    """One origin, on the loop's clock."""
    return origins(url, resolve=resolve, **terms)[1]


def origins(
    *urls: str, resolve: Resolve = resolve, now_s: Callable[[], float] | None = None, **terms: Any
) -> tuple[Origins[Connection], Origin[Connection]]:
    """The origins of a room, and the one of them that is chosen first."""
    found = Origins(Connection, now_s or asyncio.get_running_loop().time, Random(1).random, resolve)
    site = room(origins=urls, origin_terms=OriginTerms(**{"connect_s": LONG_S} | terms))
    found.apply([site])
    origin = found.choose(site)
    assert origin
    return found, origin


async def close(origin: Origin[Connection], *connections: Connection) -> None:
    for connection in connections:
        origin.give_back(connection, reusable=False)
    await eventually(lambda: not any(connection.is_usable for connection in connections))


async def fault(origin: Origin[Connection], kind: type[OriginError] = OriginUnreachableError) -> str:
    """Why it can't be reached."""
    with pytest.raises(kind) as caught:
        await origin.connect()
    assert origin.busy == 0
    assert caught.value.origin == origin.url
    return caught.value.fault


@dataclass
class Names:
    """A resolver: what it says of a host is up to the test."""

    addresses: Sequence[str] = ("127.0.0.1",)
    fails: bool = False
    asked: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def resolve(self, host: str, port: int) -> Sequence[AddrInfoType]:
        self.asked += 1
        await self.may_answer.wait()
        if self.fails:
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a listener whose queue is full: who connects to it hears nothing."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.9", 0))
        listener.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_a_connection_carries_bytes_without_delay_and_is_used_again() -> None:
    site = Site()
    async with site.serving():
        origin = an_origin(f"http://127.0.0.1:{site.port}")
        connection = await origin.connect()
        assert connection.told("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.told("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert connection.transport
        connection.transport.write(b"ping")
        await eventually(lambda: connection.received == site.answer)
        origin.give_back(connection, reusable=True)
        assert (origin.busy, origin.idle) == (0, 1)
        assert origin.take() is connection
        await close(origin, connection)


async def test_a_pooled_connection_that_the_origin_closes_is_not_taken() -> None:
    site = Site()
    async with site.serving():
        origin = an_origin(f"http://127.0.0.1:{site.port}")
        connection = await origin.connect()
        origin.give_back(connection, reusable=True)
        await eventually(lambda: site.connections)
        site.hang_up()
        await eventually(lambda: not connection.is_usable)
        assert origin.take() is None


async def test_an_origin_may_be_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    async with Site().serving(path=path):
        origin = an_origin(f"unix:{path}")
        connection = await origin.connect()
        assert connection.told("peername") == str(path)
        await close(origin, connection)


async def test_an_origin_may_have_an_ipv6_address() -> None:
    site = Site()
    async with site.serving("::1"):
        origin = an_origin(f"http://[::1]:{site.port}")
        connection = await origin.connect()
        assert connection.told("peername")[0] == "::1"
        await close(origin, connection)


async def test_a_refused_connection_is_told() -> None:
    assert await fault(an_origin(f"http://127.0.0.1:{free_port()}")) == "it refused the connection"


async def test_a_missing_socket_is_told(tmp_path: Path) -> None:
    assert "does not exist" in await fault(an_origin(f"unix:{tmp_path / 'none.sock'}"))


async def test_a_socket_that_nobody_listens_on_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unused:
        unused.bind(str(tmp_path / "left.sock"))
    assert await fault(an_origin(f"unix:{tmp_path / 'left.sock'}")) == "it refused the connection"


async def test_an_origin_that_does_not_answer_a_connection_is_given_up_in_time(black_hole: int) -> None:
    origin = an_origin(f"http://127.0.0.9:{black_hole}", connect_s=SHORT_S)
    assert await fault(origin, OriginTimeoutError) == "no connection within 0.3 s"


async def test_an_origin_that_does_not_speak_tls_in_time_is_given_up() -> None:
    site = Site(answer=None)
    async with site.serving():
        origin = an_origin(f"https://127.0.0.1:{site.port}", connect_s=SHORT_S)
        assert await fault(origin, OriginTimeoutError) == "no connection within 0.3 s"


async def test_a_look_up_without_an_answer_is_given_up_in_time() -> None:
    names = Names()
    names.may_answer.clear()
    origin = an_origin("http://site.example:8081", names.resolve, connect_s=SHORT_S)
    await fault(origin, OriginTimeoutError)
    names.may_answer.set()


async def test_requests_of_one_moment_count_before_any_connection_is_there() -> None:
    """They come in one turn of the loop; none has connected when the next is given to an origin."""
    site, other = Site(), Site()
    async with site.serving(), other.serving():
        found, _ = origins(*(f"http://127.0.0.1:{one.port}" for one in (site, other)), connections=2)
        under_way = [(origin, origin.connect()) for _ in range(5) if (origin := found.choose(room()))]
        assert sorted(origin.url for origin, _ in under_way) == sorted([state.url for state in found.states()] * 2)
        for origin, connecting in under_way:
            await close(origin, await connecting)
        assert [state.busy for state in found.states()] == [0, 0]


async def test_a_visitor_who_leaves_before_we_begin_to_connect_is_not_counted_any_more(black_hole: int) -> None:
    origin = an_origin(f"http://127.0.0.9:{black_hole}")
    connecting = origin.connect()
    assert origin.busy == 1
    connecting.cancel()
    await asyncio.wait([connecting])
    assert origin.busy == 0


async def test_a_visitor_who_leaves_while_we_connect_is_not_counted_any_more(black_hole: int) -> None:
    origin = an_origin(f"http://127.0.0.9:{black_hole}")
    connecting = origin.connect()
    await eventually(lambda: origin.busy == 1)
    connecting.cancel()
    await asyncio.wait([connecting])
    assert connecting.cancelled()
    assert origin.busy == 0


async def test_an_unknown_host_is_told() -> None:
    assert "no address is known for its host" in await fault(an_origin("http://nowhere.invalid"))


async def test_a_name_that_no_host_can_have_is_told() -> None:
    assert "no address is known for its host" in await fault(an_origin(f"http://{'a' * 64}.invalid"))


TLS_CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "as it should be": ({}, {}, ""),
    "for another name": ({"host": "elsewhere.example"}, {}, "Hostname mismatch"),
    "for the name that is asked for": ({"host": "elsewhere.example"}, {"server_name": "elsewhere.example"}, ""),
    "for another name than is asked for": ({}, {"server_name": "elsewhere.example"}, "Hostname mismatch"),
    "ended": ({"ends_in": timedelta(hours=-1)}, {}, "certificate has expired"),
    "by an authority unknown": ({}, {"ca_file": ""}, "unable to get local issuer certificate"),
    "not to be verified": ({"host": "elsewhere.example"}, {"ca_file": "", "verify": False}, ""),
}


@pytest.mark.parametrize(("issued", "terms", "expected"), TLS_CASES.values(), ids=TLS_CASES.keys())
async def test_a_certificate_is_verified(
    authority: Authority, issued: dict[str, Any], terms: dict[str, Any], expected: str
) -> None:
    site = Site()
    async with site.serving(tls=server_tls(*authority.issue("other", **issued))):
        origin = an_origin(f"https://localhost:{site.port}", **{"ca_file": str(authority.ca)} | terms)
        if expected:
            told = await fault(origin)
            assert told.startswith("its certificate can't be trusted: ")
            assert expected in told
        else:
            connection = await origin.connect()
            assert connection.told("ssl_object").selected_alpn_protocol() == "http/1.1"
            assert site.server_names == [terms.get("server_name", "localhost")]
            await close(origin, connection)


async def test_a_certificate_for_an_address_is_verified(authority: Authority) -> None:
    site = Site()
    async with site.serving(tls=server_tls(authority.certificate, authority.key)):
        origin = an_origin(f"https://127.0.0.1:{site.port}", ca_file=str(authority.ca))
        await close(origin, await origin.connect())


async def test_an_origin_that_asks_who_we_are_is_shown_our_certificate(authority: Authority) -> None:
    certificate, key = authority.issue("waitroom")
    tls = server_tls(authority.certificate, authority.key)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority.ca)
    site = Site()
    async with site.serving(tls=tls):
        url = f"https://localhost:{site.port}"
        origin = an_origin(url, ca_file=str(authority.ca), certificate=str(certificate), key=str(key))
        connection = await origin.connect()
        await eventually(lambda: site.connections)
        assert "waitroom of a test" in str(site.connections[0].told("peercert"))
        await close(origin, connection)


async def test_an_origin_without_tls_is_told_apart() -> None:
    site = Site()
    async with site.serving():
        assert (await fault(an_origin(f"https://127.0.0.1:{site.port}"))).startswith("TLS failed: ")


async def test_a_name_that_no_certificate_can_have_is_told(authority: Authority) -> None:
    site = Site()
    async with site.serving(tls=server_tls(authority.certificate, authority.key)):
        origin = an_origin(f"https://127.0.0.1:{site.port}", server_name=".example")
        assert (await fault(origin)).startswith("it can't be reached: ")


async def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    origin = an_origin("https://127.0.0.1:1", ca_file=str(tmp_path / "gone.pem"))
    assert "does not exist" in await fault(origin)


async def test_the_next_address_is_tried_where_one_refuses() -> None:
    site = Site()
    async with site.serving("127.0.0.2"):
        origin = an_origin(f"http://site.example:{site.port}", Names(["127.0.0.3", "127.0.0.2"]).resolve)
        connections = [await origin.connect() for _ in range(2)]
        assert [connection.told("peername")[0] for connection in connections] == ["127.0.0.2"] * 2
        await close(origin, *connections)


async def test_the_next_address_is_tried_where_one_is_silent(black_hole: int) -> None:
    site = Site(port=black_hole)
    async with site.serving("127.0.0.2"):
        origin = an_origin(f"http://site.example:{black_hole}", Names(["127.0.0.9", "127.0.0.2"]).resolve)
        connections = [await origin.connect() for _ in range(2)]
        assert [connection.told("peername")[0] for connection in connections] == ["127.0.0.2"] * 2
        await close(origin, *connections)


async def test_all_addresses_of_a_host_get_their_share() -> None:
    site = Site()
    async with site.serving("127.0.0.2"), Site(port=site.port).serving("127.0.0.3"):
        origin = an_origin(f"http://site.example:{site.port}", Names(["127.0.0.2", "127.0.0.3"]).resolve)
        connections = [await origin.connect() for _ in range(4)]
        peers = sorted(connection.told("peername")[0] for connection in connections)
        assert peers == ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]
        await close(origin, *connections)


async def test_many_who_connect_at_once_wait_for_one_look_up() -> None:
    site, names = Site(), Names()
    names.may_answer.clear()
    async with site.serving():
        origin = an_origin(f"http://site.example:{site.port}", names.resolve)
        tasks = [origin.connect() for _ in range(20)]
        await eventually(lambda: origin.busy == 20 and names.asked)
        tasks[0].cancel()
        names.may_answer.set()
        connections = await asyncio.gather(*tasks[1:])
        assert names.asked == 1
        await close(origin, *connections)


async def test_a_host_is_looked_up_anew_and_its_old_connections_are_given_up() -> None:
    """Also those that are busy when it moves: a pool in steady use would lead to the old place for ever."""
    site, names, clock_s = Site(), Names(["127.0.0.2"]), [0.0]
    async with site.serving("127.0.0.2"), Site(port=site.port).serving("127.0.0.3"):
        url = f"http://site.example:{site.port}"
        _, origin = origins(url, resolve=names.resolve, now_s=lambda: clock_s[0], resolve_s=30, idle_s=100)
        idle, busy = await origin.connect(), await origin.connect()
        origin.give_back(idle, reusable=True)
        names.addresses = ["127.0.0.3"]
        clock_s[0] = 29.0
        origin.tidy()
        assert names.asked == 1
        clock_s[0] = 30.0
        origin.tidy()
        await eventually(lambda: names.asked == 2)
        origin.tidy()
        await eventually(lambda: not idle.is_usable)
        assert busy.is_usable
        origin.give_back(busy, reusable=True)
        await eventually(lambda: not busy.is_usable)
        new = await origin.connect()
        assert new.told("peername")[0] == "127.0.0.3"
        origin.give_back(new, reusable=True)
        assert origin.take() is new
        await close(origin, new)


async def test_connections_to_an_address_that_stays_are_kept() -> None:
    site, names, clock_s = Site(), Names(["127.0.0.2", "127.0.0.3"]), [0.0]
    async with site.serving("127.0.0.2"):
        url = f"http://site.example:{site.port}"
        _, origin = origins(url, resolve=names.resolve, now_s=lambda: clock_s[0], resolve_s=30, idle_s=100)
        connection = await origin.connect()
        origin.give_back(connection, reusable=True)
        names.addresses = ["127.0.0.4", "127.0.0.2"]
        clock_s[0] = 30.0
        origin.tidy()
        await eventually(lambda: names.asked == 2)
        origin.tidy()
        assert origin.take() is connection
        await close(origin, connection)


async def test_a_host_without_an_address_is_asked_for_once_a_second_at_most() -> None:
    names, clock_s = Names(fails=True), [0.0]
    _, origin = origins("http://site.example", resolve=names.resolve, now_s=lambda: clock_s[0])
    for clock_s[0] in (0.0, 0.9, 1.0, 1.1):
        assert await fault(origin) == "no address is known for its host: temporary failure"
        origin.tidy()
    assert names.asked == 2


async def test_a_look_up_that_fails_leaves_the_addresses_that_are_known() -> None:
    site, names, clock_s = Site(), Names(), [0.0]
    async with site.serving():
        url = f"http://site.example:{site.port}"
        _, origin = origins(url, resolve=names.resolve, now_s=lambda: clock_s[0], resolve_s=30, idle_s=100)
        connection = await origin.connect()
        origin.give_back(connection, reusable=True)
        names.fails = True
        clock_s[0] = 31.0
        origin.tidy()
        await eventually(lambda: names.asked == 2)
        origin.tidy()
        assert origin.take() is connection
        await close(origin, connection, await origin.connect())


async def test_nobody_waits_for_a_look_up_while_addresses_are_known() -> None:
    site, names, clock_s = Site(), Names(), [0.0]
    async with site.serving():
        _, origin = origins(f"http://site.example:{site.port}", resolve=names.resolve, now_s=lambda: clock_s[0])
        await close(origin, await origin.connect())
        names.may_answer.clear()
        clock_s[0] = 31.0
        await close(origin, await origin.connect())
        assert names.asked == 2
        names.may_answer.set()


CHECKS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", ""),
    (b"HTTP/1.0 302 Found\r\n\r\n", ""),
    (b"HTTP/1.1 204\r\n\r\n", ""),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answers 503"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "it answers 404"),
    (b"SSH-2.0-OpenSSH\r\n", "it sends no HTTP"),
    (b"x" * 5000, "it sends no HTTP"),
    (b"", "it sends no HTTP"),
    (None, "no answer within 0.3 s"),
]


@pytest.mark.parametrize(("answer", "expected"), CHECKS)
async def test_a_health_check_finds_what_is_wrong(answer: bytes | None, expected: str) -> None:
    site = Site(answer)
    async with site.serving():
        patience_s = SHORT_S if answer is None else LONG_S
        origin = an_origin(f"http://127.0.0.1:{site.port}", health_path="/health", health_timeout_s=patience_s)
        await origin.check()
        assert origin.fault == expected
        assert site.asked[0].startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % site.port)
        await eventually(lambda: not site.connections[0].is_usable)


async def test_a_health_check_tells_an_origin_that_refuses() -> None:
    origin = an_origin(f"http://127.0.0.1:{free_port()}", health_path="/")
    await origin.check()
    assert origin.fault == "it refused the connection"


@contextlib.asynccontextmanager
async def running(found: Origins[Connection]) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    yield
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_an_origin_that_falls_ill_is_left_alone_until_it_is_well() -> None:
    well, ill = Site(), Site()
    async with well.serving(), ill.serving():
        urls = [f"http://127.0.0.1:{site.port}" for site in (well, ill)]
        found, _ = origins(*urls, health_path="/", health_interval_s=0.3, health_timeout_s=LONG_S, health_fall=2)
        async with running(found):
            await eventually(lambda: well.asked and ill.asked)
            assert all(state.is_available for state in found.states())
            ill.answer = b"HTTP/1.1 500 Oh\r\n\r\n"
            await eventually(lambda: found.states()[1].why_not == "unhealthy")
            assert found.states()[1].fault == "it answers 500"
            assert {found.choose(room()) for _ in range(20)} == {found.choose(room())}
            ill.answer = well.answer
            await eventually(lambda: found.states()[1].is_available)


async def test_where_all_checks_fail_no_origin_is_left() -> None:
    found, _ = origins(
        f"http://127.0.0.1:{free_port()}", health_path="/", health_interval_s=0.1, health_timeout_s=0.1, health_fall=1
    )
    async with running(found):
        await eventually(lambda: found.choose(room()) is None)


async def test_without_a_path_to_ask_for_no_origin_is_asked() -> None:
    site, other = Site(), Site()
    async with site.serving(), other.serving():
        found, _ = origins(f"http://127.0.0.1:{site.port}", health_interval_s=0.1, health_timeout_s=0.1)
        asked, _ = origins(
            f"http://127.0.0.1:{other.port}", health_path="/", health_interval_s=0.1, health_timeout_s=0.1
        )
        async with running(found), running(asked):
            await eventually(lambda: len(other.asked) > 1)
        assert not site.asked


async def test_connections_that_nobody_wants_are_closed_in_time() -> None:
    site = Site()
    async with site.serving():
        found, origin = origins(f"http://127.0.0.1:{site.port}", idle_s=0.2)
        connection = await origin.connect()
        origin.give_back(connection, reusable=True)
        async with running(found):
            await eventually(lambda: not connection.is_usable)
        assert origin.idle == 0
