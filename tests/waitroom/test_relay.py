"""Requests on their way to an origin and back, step by step, on transports that the test holds."""

import asyncio

from tests.waitroom.wire.in_memory import Host, Site, check, visiting
from waitroom.response import Response
from waitroom.wire.limits import WireLimits

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
MUCH = 500_000


def upload(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % size


def sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


# Back-pressure.


async def test_an_upload_stops_while_the_origin_takes_nothing_of_it() -> None:
    """Also where its first part alone fills the connection."""
    host = Host(site=Site(is_taken=False))
    visitor = visiting(host)
    visitor.come(upload(10 * MUCH) + b"x" * MUCH)
    assert visitor.is_paused
    host.site.wires[0].take()
    assert not visitor.is_paused


async def test_an_upload_stops_where_it_waited_for_the_connection() -> None:
    host = Host(site=Site(is_taken=False, may_connect=asyncio.Event()))
    visitor = visiting(host)
    visitor.come(upload(10 * MUCH) + b"x" * MUCH)
    assert visitor.is_paused
    host.site.may_connect.set()
    await turns()
    assert visitor.is_paused
    host.site.wires[0].take()
    assert not visitor.is_paused


async def test_an_upload_that_waited_for_a_decision_goes_on() -> None:
    host = Host()
    visitor = visiting(host)
    visitor.come(upload(MUCH + 1) + b"x" * MUCH)
    assert visitor.is_paused
    host.site = Site()
    host.relay(host.exchanges[0])
    visitor.come(b"y")
    assert host.site.wires[0].sent.endswith(b"x" * MUCH + b"y")


async def test_a_tunnel_goes_on_behind_much_that_came_before_it() -> None:
    host = Host(site=Site())
    visitor = visiting(host)
    visitor.come(UPGRADE)
    visitor.come(b"a" * MUCH)
    assert visitor.is_paused
    host.site.wires[0].come(SWITCHED)
    visitor.come(b"b")
    assert host.site.wires[0].sent.endswith(b"a" * MUCH + b"b")


async def test_a_request_waits_while_the_answer_before_is_not_taken() -> None:
    """Else a visitor who asks much, and takes nothing, would fill the memory: RFC 9112, section 9.3.2."""
    host = Host(site=Site())
    visitor = visiting(host, is_taken=False)
    visitor.come(GET + GET)
    host.site.wires[0].come(sized(MUCH))
    assert len(host.exchanges) == 1
    host.clock.now_s += 50  # far beyond the time for a head: it is the visitor's turn to read
    check(visitor)
    visitor.take()
    assert len(host.exchanges) == 2
    assert not host.refusals


async def test_answers_that_nobody_takes_are_bounded() -> None:
    host = Host(answer=Response(200, (), b"x" * 1000))
    visitor = visiting(host, is_taken=False)
    for _ in range(10):
        visitor.come(GET * 200)
    assert visitor.get_write_buffer_size() < 100_000
    assert visitor.is_paused
    visitor.take()
    assert not visitor.is_paused


async def test_a_kept_connection_is_read_on_though_the_visitor_before_was_slow() -> None:
    host = Host(site=Site())
    slow, other = visiting(host, is_taken=False), visiting(host)
    slow.come(GET)
    host.site.wires[0].come(sized(MUCH))
    other.come(GET)
    assert host.site.reused == 1
    host.site.wires[0].come(NOTHING)
    assert other.sent.startswith(b"HTTP/1.1 200")


async def test_a_slow_visitor_gets_all_of_an_answer() -> None:
    """However long it takes, as long as there is progress."""
    host = Host(limits=WireLimits(idle_s=5, send_s=10), site=Site())
    for request in (GET, GET.replace(b"1.1", b"1.0")):
        visitor = visiting(host, is_taken=False)
        visitor.come(request)
        host.site.wires[-1].come(sized(MUCH))
        for _ in range(10):
            host.clock.now_s += 8
            visitor._taken += 1000
            check(visitor)
        assert not visitor.was_aborted
        host.clock.now_s += 11
        check(visitor)
        assert visitor.was_aborted


async def test_a_connection_with_a_request_half_sent_is_not_kept() -> None:
    host = Host(site=Site(is_taken=False))
    visitor = visiting(host)
    visitor.come(upload(MUCH) + b"x" * MUCH)
    host.site.wires[0].come(NOTHING)
    assert visitor.sent.startswith(b"HTTP/1.1 200")
    assert not host.site.idle
    assert host.site.wires[0].was_aborted


async def test_an_origin_that_takes_nothing_is_let_go_with_its_visitor() -> None:
    host = Host(site=Site(is_taken=False))
    visitor = visiting(host)
    visitor.come(upload(MUCH) + b"x" * 200_000)
    visitor.lose()
    assert host.site.wires[0].was_aborted


async def test_what_a_tunnel_has_taken_still_reaches_the_origin() -> None:
    host = Host(site=Site())
    visitor = visiting(host)
    visitor.come(UPGRADE)
    origin = host.site.wires[0]
    origin.come(SWITCHED)
    origin.is_taken = False
    visitor.come(b"last words")
    visitor.lose()
    assert origin.is_closed
    assert not origin.was_aborted


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
