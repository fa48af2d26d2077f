"""Requests on their way to an origin and back, step by step, on transports that the test holds."""

import asyncio

import pytest

from tests.waitroom.wire.in_memory import Host, Site, check, visiting
from waitroom.front_connection import FrontConnection
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
    may_connect = asyncio.Event()
    host = Host(site=Site(is_taken=False, may_connect=may_connect))
    visitor = visiting(host)
    visitor.come(upload(10 * MUCH) + b"x" * MUCH)
    assert visitor.is_paused
    may_connect.set()
    await turns()
    assert visitor.is_paused
    host.site.wires[0].take()
    assert not visitor.is_paused


async def test_an_upload_that_waited_for_a_decision_goes_on() -> None:
    host = Host(holds=True)
    visitor = visiting(host)
    visitor.come(upload(MUCH + 1) + b"x" * MUCH)
    assert visitor.is_paused
    host.relay(host.exchanges[0])
    visitor.come(b"y")
    assert host.site.wires[0].sent.endswith(b"x" * MUCH + b"y")


async def test_a_visitor_who_leaves_at_once_leaves_no_connection_behind() -> None:
    """Before the first step to connect, or with the connection just made."""
    for steps in range(4):
        may_connect = asyncio.Event()
        may_connect.set()
        host = Host(site=Site(may_connect=may_connect))
        visitor = visiting(host)
        visitor.come(GET)
        for _ in range(steps):
            await asyncio.sleep(0)
        visitor.lose()
        await turns()
        assert all(wire.is_closed for wire in host.site.wires)


async def test_a_tunnel_goes_on_behind_much_that_came_before_it() -> None:
    host = Host()
    visitor = visiting(host)
    visitor.come(UPGRADE)
    visitor.come(b"a" * MUCH)
    assert visitor.is_paused
    host.site.wires[0].come(SWITCHED)
    visitor.come(b"b")
    assert host.site.wires[0].sent.endswith(b"a" * MUCH + b"b")


async def test_a_request_waits_while_the_answer_before_is_not_taken() -> None:
    """Else a visitor who asks much, and takes nothing, would fill the memory: RFC 9112, section 9.3.2."""
    host = Host()
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
    host = Host(answer=Response(200, (), b"x" * 100))
    visitor = visiting(host, is_taken=False)
    for _ in range(10):
        visitor.come(GET * 500)
    assert visitor.get_write_buffer_size() < 100_000
    assert visitor.is_paused
    visitor.take()
    assert not visitor.is_paused


async def test_a_kept_connection_is_read_on_though_the_visitor_before_was_slow() -> None:
    host = Host()
    slow, other = visiting(host, is_taken=False), visiting(host)
    slow.come(GET)
    host.site.wires[0].come(sized(MUCH))
    other.come(GET)
    assert host.site.reused == 1
    host.site.wires[0].come(NOTHING)
    assert other.sent.startswith(b"HTTP/1.1 200")


async def test_a_slow_visitor_gets_all_of_an_answer() -> None:
    """However long it takes, as long as there is progress."""
    host = Host(limits=WireLimits(idle_s=5, send_s=10))
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


# Ends.


async def test_a_response_that_breaks_off_looks_like_that_to_http_1_0() -> None:
    """RFC 9112, section 8: a body that ends with the connection must not just end."""
    host = Host()
    visitor = visiting(host)
    visitor.come(b"GET / HTTP/1.0\r\n\r\n")
    host.site.wires[0].come(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    host.site.wires[0].lose()
    assert visitor.was_aborted


@pytest.mark.parametrize("visitor_first", [True, False])
async def test_a_tunnel_ends_once_both_sides_are_closed(visitor_first: bool) -> None:
    host = Host()
    visitor = visiting(host)
    visitor.come(UPGRADE)
    origin = host.site.wires[0]
    origin.come(SWITCHED)
    first, second = (visitor, origin) if visitor_first else (origin, visitor)
    first.come_to_an_end()
    assert not first.is_closed
    second.come(b"last words")
    assert first.sent.endswith(b"last words")
    second.come_to_an_end()
    assert (visitor.is_closed, origin.is_closed) == (True, True)
    assert host.over


async def test_an_origin_that_closes_its_side_has_answered_all_that_it_will() -> None:
    """Even if it takes nothing of the request: there is nothing to wait for."""
    host = Host(site=Site(is_taken=False))
    visitor = visiting(host)
    visitor.come(upload(MUCH) + b"x" * MUCH)
    host.site.wires[0].come_to_an_end()
    assert visitor.sent.startswith(b"HTTP/1.1 502")


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
    host = Host()
    visitor = visiting(host)
    visitor.come(UPGRADE)
    origin = host.site.wires[0]
    origin.come(SWITCHED)
    origin.is_taken = False
    visitor.come(b"last words")
    visitor.lose()
    assert origin.is_closed
    assert not origin.was_aborted


async def test_a_slow_upload_is_not_the_origins_fault() -> None:
    host = Host(limits=WireLimits(body_s=100))
    visitor = visiting(host)
    visitor.come(upload(10))
    host.clock.now_s += 90  # beyond response_s
    check(visitor)
    assert host.site.failures == 0
    visitor.come(b"0123456789")
    host.clock.now_s += 50
    check(visitor)
    host.site.wires[0].come(NOTHING)
    assert visitor.sent.startswith(b"HTTP/1.1 200")


async def test_an_origin_that_stops_taking_an_upload_is_at_fault() -> None:
    host = Host(site=Site(is_taken=False))
    visitor = visiting(host)
    visitor.come(upload(10 * MUCH) + b"x" * MUCH)
    host.clock.now_s += 61
    check(visitor)
    assert host.site.failures == 1
    assert visitor.sent.startswith(b"HTTP/1.1 504")


async def test_bytes_behind_an_upgrade_that_nobody_asked_for_go_nowhere() -> None:
    """RFC 9110, section 7.8."""
    host = Host()
    visitor = visiting(host)
    visitor.come(GET)
    host.site.wires[0].come(SWITCHED + b"HTTP/1.1 200 OK\r\n\r\n")
    assert visitor.sent.count(b"HTTP/1.1") == 1
    assert visitor.sent.endswith(b"failed")
    assert not host.site.idle


async def test_a_command_is_obeyed_though_the_visitor_is_gone() -> None:
    may_obey = asyncio.Event()
    host = Host(may_obey=may_obey)
    visitor = visiting(host)
    visitor.come(GET)
    host.site.wires[0].come(NOTHING.replace(b"\r\n\r\n", b"\r\nX-Waitroom-Command: release\r\n\r\n"))
    await turns()
    visitor.lose()
    may_obey.set()
    await turns()
    assert host.commands == ["release"]


async def test_what_is_tried_again_is_sent_on_a_new_connection() -> None:
    """An origin that closes one idle connection closes them all: RFC 9110, section 9.2.2."""
    host = Host()
    visitors = [visiting(host) for _ in range(2)]
    for visitor in visitors:
        visitor.come(GET)
    for wire in host.site.wires:
        wire.come(NOTHING)
    assert len(host.site.idle) == 2
    visitors[0].come(GET)
    next(wire for wire in host.site.wires if wire.sent.count(GET[:5]) == 2).lose()
    await turns()
    host.site.wires[2].come(NOTHING)
    assert visitors[0].sent.count(b"HTTP/1.1 200") == 2


async def test_requests_sent_before_a_half_close_are_all_answered() -> None:
    """RFC 9112, section 9.6: who closes its side may still read."""
    host = Host()
    visitor = visiting(host)
    visitor.come(GET * 3)
    visitor.come_to_an_end()
    for _ in range(3):
        host.site.wires[0].come(NOTHING)
    assert visitor.sent.count(b"HTTP/1.1 200") == 3
    assert visitor.sent.count(b"Connection: close") == 1
    assert visitor.is_closed


@pytest.mark.parametrize("count", [1, 2])
async def test_a_half_close_behind_an_answer_that_is_not_taken_yet_ends_the_connection_in_time(count: int) -> None:
    host = Host()
    visitor = visiting(host, is_taken=False)
    visitor.come(GET * count)
    host.site.wires[0].come(sized(MUCH))
    visitor.come_to_an_end()
    assert visitor.is_closed == (count == 1)
    visitor.take()
    for wire in host.site.wires[: count - 1]:
        wire.come(NOTHING)
    assert visitor.sent.count(b"HTTP/1.1 200") == count
    assert visitor.is_closed


async def test_what_a_half_close_cuts_off_is_never_waited_for() -> None:
    host = Host()
    visitor = visiting(host)
    visitor.come(GET + b"GET / HT")
    visitor.come_to_an_end()
    host.site.wires[0].come(NOTHING)
    assert visitor.sent.count(b"HTTP/1.1 200") == 1
    assert visitor.is_closed or visitor.has_sent_eof


async def test_a_half_closed_visitor_is_asked_whether_it_still_reads() -> None:
    host = Host()
    visitor = visiting(host)
    visitor.come(GET)
    visitor.come_to_an_end()
    assert visitor.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    visitor.lose()
    assert host.site.wires[0].is_closed


def test_a_connection_tells_its_state() -> None:
    host = Host(holds=True)
    visitor = visiting(host)
    visitor.come(GET + b"GET")
    assert repr(visitor.protocol) == "<FrontConnection 127.0.0.1 buffered=3 <Exchange b'GET' b'/' status=0 over=False>>"
    assert isinstance(visitor.protocol, FrontConnection)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# Fields.


async def test_a_date_is_added_only_where_there_is_none() -> None:
    """RFC 9110, section 6.6.1: and to final responses alone."""
    dates = []
    for head in (NOTHING, NOTHING[:-2] + b"date: x\r\n\r\n", b"HTTP/1.1 103 Hints\r\n\r\n"):
        host = Host()
        visitor = visiting(host)
        visitor.come(GET)
        host.site.wires[0].come(head)
        dates.append(visitor.sent.lower().count(b"\r\ndate:"))
    assert dates == [1, 1, 0]
