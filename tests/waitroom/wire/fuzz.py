"""What must hold for any bytes, whoever sends them. In the suite for a few hundred examples of each kind; for as long
as wanted by `python -m tests.waitroom.wire.fuzz --minutes 10`."""

import argparse
import itertools
import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import h11
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.waitroom.wire.in_memory import OURS, Host, Wire, visiting
from tests.waitroom.wire.messages import Message, cut, damaged, responses, streams
from tests.waitroom.wire.oracles import h11_request, h11_response, llhttp_requests, llhttp_responses
from waitroom.exchange import Exchange
from waitroom.relay import OriginOf
from waitroom.response import Response
from waitroom.rooms import Room

LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SPACED = re.compile(rb"^([^\s:]+)[ \t]+:", re.MULTILINE)
METHODS = (b"GET", b"HEAD", b"POST")


class Taker:
    """Takes an exchange as far as it comes, and answers it once it is whole."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.content = b""

    def receive(self, content: bytes) -> None:
        self.content += content

    def received(self) -> None:
        self.exchange.answer(Response(200, ()))

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def half_closed(self) -> None:
        pass

    def cancel(self) -> None:
        pass

    def check(self, now_s: float) -> None:
        pass


class TakingHost(Host):
    """Takes all exchanges; `read` are those that came whole."""

    def handle(self, exchange: Exchange) -> None:
        self.takers: list[Taker] = [*getattr(self, "takers", ()), Taker(exchange)]
        exchange.carry(self.takers[-1])

    @property
    def read(self) -> list[Message]:
        takers = getattr(self, "takers", ())
        return [_message(taker) for taker in takers if taker.exchange.was_received]


class OneTryHost(Host):
    """Has no other connection to an origin."""

    def choose(self, room: Room, failed: OriginOf | None) -> OriginOf | None:
        return None if self.site.wires else super().choose(room, failed)


def _message(taker: Taker) -> Message:
    head = taker.exchange.head
    return Message((head.method, head.target, b"1.%d" % head.minor), _pairs(head.fields), taker.content)


def _pairs(fields: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    parted = (line.partition(b":") for _, line in fields)
    return tuple((name, value.strip(b" \t")) for name, _, value in parted)


def taken(pieces: Sequence[bytes]) -> tuple[list[Message], bool]:
    """The requests that waitroom reads in a stream, and whether it reads on behind them."""
    host = TakingHost()
    visitor = visiting(host)
    for piece in pieces:
        visitor.come(piece)
    return host.read, visitor.is_reading() and not visitor.has_sent_eof


def carried(pieces: Sequence[bytes]) -> list[tuple[Exchange, bytes]]:
    """The exchanges in a stream, each with what the origin got of it: on a connection of its own, which it closes."""
    host = Host()
    visitor = visiting(host)
    for piece in pieces:
        visitor.come(piece)
        while host.exchanges and host.exchanges[-1].was_received and not host.exchanges[-1].is_over:
            host.site.wires[-1].come(LAST)
    return [(exchange, wire.sent) for exchange, wire in zip(host.exchanges, host.site.wires, strict=True)]


def answered(method: bytes, pieces: Sequence[bytes], *, minor: int = 1) -> tuple[Wire, Exchange]:
    """The visitor's end of an exchange that an origin answers with these pieces, and then closes."""
    host = OneTryHost()
    visitor = visiting(host)
    visitor.come(b"%b / HTTP/1.%d\r\nHost: shop\r\n\r\n" % (method, minor))
    wire = host.site.wires[0]
    for piece in pieces:
        wire.come(piece)
    wire.come_to_an_end()
    wire.turn()
    return visitor, host.exchanges[0]


# What holds.


def splits_of_requests_change_nothing(pieces: list[bytes]) -> None:
    assert taken(pieces) == taken([b"".join(pieces)])


def valid_requests_are_read_as_llhttp_reads_them(stream: bytes) -> None:
    assert taken([stream]) == (llhttp_requests(stream)[0], True)


def whatever_is_taken_llhttp_reads_in_the_same_way(pieces: list[bytes]) -> None:
    """Or we are stricter. Laxer in one thing: bytes above ASCII in a target pass as they are, as RFC 9110 (section
    4.2.5) lets them; they end nothing."""
    ours, goes_on = taken(pieces)
    theirs, fault = llhttp_requests(b"".join(pieces))
    for mine, other in zip(ours, theirs, strict=False):
        assert mine == other
    if len(ours) < len(theirs):
        assert not goes_on, "missed"
    for lax in ours[len(theirs) :]:
        assert "nvalid char" in fault or "url" in fault.lower(), fault
        assert not lax.start[1].isascii(), (lax, fault)
        break


def the_origin_gets_one_request_or_a_part_of_one(pieces: list[bytes]) -> None:
    for exchange, sent in carried(pieces):
        try:
            message, behind = h11_request(sent)
        except h11.RemoteProtocolError:
            assert not exchange.target.raw.isascii()  # h11 knows no such targets
            continue
        assert behind == b""
        assert (message is not None) == exchange.was_received
        theirs, fault = llhttp_requests(sent)
        assert len(theirs) == exchange.was_received
        assert not fault
        assert sent.count(OURS) == 1
        if message:
            assert message.start == (exchange.head.method, exchange.target.raw)
            assert theirs[0].start == (*message.start, b"1.1")
            assert len(message.content) == exchange.bytes_in
            assert theirs[0].content == message.content


def splits_of_responses_change_nothing(method: bytes, pieces: list[bytes]) -> None:
    visitor, exchange = answered(method, pieces)
    whole, other = answered(method, [b"".join(pieces)])
    if _is_failed(exchange) or _is_failed(other):  # before or after the head was passed on
        assert _is_failed(exchange) == _is_failed(other)
    else:
        assert _said(method, visitor) == _said(method, whole)


def the_visitor_gets_one_response_or_a_part_of_one(method: bytes, pieces: list[bytes]) -> None:
    visitor, exchange = answered(method, pieces)
    assert (_said(method, visitor) is None) == exchange.was_broken_off


def _is_failed(exchange: Exchange) -> bool:
    return exchange.was_broken_off or exchange.outcome == "failed"


def _said(method: bytes, visitor: Wire) -> Message | None:
    """What the visitor got, None for a part of a response."""
    try:
        message, behind = h11_response(method, visitor.sent, is_closed=visitor.is_closed and not visitor.was_aborted)
    except h11.RemoteProtocolError:
        assert visitor.is_closed  # cut off
        return None
    assert behind == b""
    if message is None:
        return None
    dated = tuple(pair for pair in message.fields if pair[0] != b"date")
    return Message(message.start, dated, message.content)


def a_response_that_is_passed_on_llhttp_reads_in_the_same_way(pieces: list[bytes]) -> None:
    """Or we are stricter, and say that the origin failed. Laxer in one thing, which RFC 9112 (section 5.1) asks of
    proxies: a space before the colon of a field is taken out."""
    visitor, exchange = answered(b"GET", pieces)
    message = None if _is_failed(exchange) else _said(b"GET", visitor)
    if message is None:
        return
    head, blank, rest = b"".join(pieces).partition(b"\r\n\r\n")
    theirs, fault = llhttp_responses(SPACED.sub(rb"\1:", head) + blank + rest)
    final = [other for other in theirs if not other.start[0].startswith(b"1")]
    assert final, fault
    assert (message.start[0], message.content) == (final[0].start[0], final[0].content)


requests = st.one_of(cut(streams), cut(damaged(streams)), cut(st.binary(max_size=60)))
answers = st.one_of(cut(responses()), cut(damaged(responses())), cut(st.binary(max_size=60)))
PROOFS: dict[Callable[..., None], dict[str, st.SearchStrategy[Any]]] = {
    splits_of_requests_change_nothing: {"pieces": requests},
    valid_requests_are_read_as_llhttp_reads_them: {"stream": streams},
    whatever_is_taken_llhttp_reads_in_the_same_way: {"pieces": requests},
    the_origin_gets_one_request_or_a_part_of_one: {"pieces": requests},
    splits_of_responses_change_nothing: {"method": st.sampled_from(METHODS), "pieces": answers},
    the_visitor_gets_one_response_or_a_part_of_one: {"method": st.sampled_from(METHODS), "pieces": answers},
    a_response_that_is_passed_on_llhttp_reads_in_the_same_way: {"pieces": answers},
}


def prove(proof: Callable[..., None], examples: int, number: int | None = None) -> None:
    """Tries so many examples; raises what the first that does not hold raises. A `number` makes it repeatable."""
    tried = given(**PROOFS[proof])(proof)
    tried = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        tried
    )
    if number is not None:
        tried = seed(number)(tried)
    tried()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    logging.disable()  # each failure of an origin is a line
    until_s = time.monotonic() + parser.parse_args().minutes * 60
    count = 0
    for number in itertools.count(time.time_ns() % 1_000_000):
        for proof in PROOFS:
            prove(proof, 2000, number)
            count += 2000
        if time.monotonic() > until_s:
            break
    print(f"{count} examples, none of which failed")  # noqa: T201


if __name__ == "__main__":
    main()
