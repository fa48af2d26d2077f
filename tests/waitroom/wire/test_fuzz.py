"""Whatever comes, from visitors or origins, cut anywhere or damaged: what `fuzz.py` says holds."""

import os

import pytest

from tests.waitroom.wire import fuzz
from tests.waitroom.wire.oracles import llhttp_requests

EXAMPLES = 600 if os.environ.get("CI") == "true" else 300


def test_requests_cut_anywhere_are_read_as_whole_ones() -> None:
    fuzz.prove(fuzz.splits_of_requests_change_nothing, EXAMPLES)


def test_valid_requests_are_read_as_llhttp_reads_them() -> None:
    fuzz.prove(fuzz.valid_requests_are_read_as_llhttp_reads_them, EXAMPLES)


def test_no_request_is_read_in_another_way_than_by_llhttp() -> None:
    fuzz.prove(fuzz.whatever_is_taken_llhttp_reads_in_the_same_way, EXAMPLES)


def test_an_origin_never_gets_a_second_request_or_another_than_was_read() -> None:
    fuzz.prove(fuzz.the_origin_gets_one_request_or_a_part_of_one, EXAMPLES)


def test_responses_cut_anywhere_are_passed_on_as_whole_ones() -> None:
    fuzz.prove(fuzz.splits_of_responses_change_nothing, EXAMPLES)


def test_a_visitor_never_gets_a_second_response_or_a_broken_one_that_looks_whole() -> None:
    fuzz.prove(fuzz.the_visitor_gets_one_response_or_a_part_of_one, EXAMPLES)


def test_no_response_is_read_in_another_way_than_by_llhttp() -> None:
    fuzz.prove(fuzz.a_response_that_is_passed_on_llhttp_reads_in_the_same_way, EXAMPLES)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: shop\r\n\r\n", "bytes above ASCII in a target pass as they are"),
    ],
)
def test_where_we_take_what_llhttp_refuses(stream: bytes, why: str) -> None:
    """All such kinds; none of them has a say in where a message ends."""
    assert len(fuzz.taken([stream])[0]) == 1, why
    assert llhttp_requests(stream)[0] == []


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a request without a host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "two hosts"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "a host that is none"),
        (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "a fragment in a target"),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "a user in a target"),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "a tunnel to anywhere"),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "an echo of what was added"),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks before HTTP/1.1"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "a coding to undo"),
    ],
)
def test_where_we_refuse_what_llhttp_takes(stream: bytes, why: str) -> None:
    """RFC 9110, sections 4.2.4, 7.2 and 9.3.6; RFC 9112, sections 3.2, 6.1."""
    assert fuzz.taken([stream]) == ([], False), why
    assert len(llhttp_requests(stream)[0]) == 1
