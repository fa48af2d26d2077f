"""A head that has not all come: what can still become a good one is waited for, and nothing else."""

import pytest

from waitroom.wire.heads import is_hopeless, request_head

HEAD = b"GET /a?b HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab:\ta\tb\r\nX-Text: gr\xc3\xbc\xff\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(HEAD)))
def test_a_good_head_may_be_cut_anywhere(cut: int) -> None:
    request_head(HEAD)
    assert not is_hopeless(HEAD[:cut])


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nHost: a\n", b"GET /\r HTTP/1.1", b"GET /\0"]
)
def test_what_can_not_become_one_is_known_at_once(data: bytes) -> None:
    assert is_hopeless(data)
