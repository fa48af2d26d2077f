"""The PROXY protocol's headers: read wherever the network splits them, and nothing else is taken for one."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.proxy_protocol import V1_LONGEST, V2_LONGEST, V2_START, ProxyHeader, ProxyHeaderError, parse

PORTS = st.integers(0, 65_535)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str).filter(lambda address: not ipaddress.IPv6Address(address).ipv4_mapped)


def version_1(source: str, port: int, destination: str = "", family: str = "4") -> bytes:
    return f"PROXY TCP{family} {source} {destination or source} {port} 443\r\n".encode()


def version_2(source: str, port: int, *, command: int = 0x21, tlvs: bytes = b"") -> bytes:
    family, kind = (socket.AF_INET6, 0x21) if ":" in source else (socket.AF_INET, 0x11)
    address = socket.inet_pton(family, source)
    body = address + address + port.to_bytes(2) + (443).to_bytes(2) + tlvs
    return V2_START + bytes([command, kind]) + len(body).to_bytes(2) + body


HEADERS = st.one_of(
    st.builds(version_1, V4, PORTS),
    st.builds(version_1, V6, PORTS, family=st.just("6")),
    st.builds(version_2, V4 | V6, PORTS, tlvs=st.binary(max_size=300)),
)


@given(HEADERS, st.binary(max_size=40))
def test_a_header_is_whole_at_its_last_byte_and_not_before(header: bytes, rest: bytes) -> None:
    whole = parse(header + rest)
    assert whole
    assert whole.consumed == len(header)
    assert [parse(header[:length]) for length in range(len(header))] == [None] * len(header)
    assert parse(header) == whole


@given(V4, PORTS)
def test_both_versions_tell_who_connected(address: str, port: int) -> None:
    for header in (version_1(address, port), version_2(address, port)):
        assert parse(header) == ProxyHeader(address, port, len(header))


@given(V6, PORTS)
def test_both_versions_tell_who_connected_by_ipv6(address: str, port: int) -> None:
    for header in (version_1(address, port, family="6"), version_2(address, port)):
        assert parse(header) == ProxyHeader(address, port, len(header))


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ff:: ff:: 1 2\r\n",
        version_2("10.0.0.1", 5, command=0x20),
        V2_START + b"\x20\x00\x00\x00",
        V2_START + b"\x21\x00\x00\x03abc",
        V2_START + b"\x21\x31\x00\xd8" + b"/" * 216,
    ],
)
def test_a_balancer_that_speaks_for_itself_or_does_not_know_names_nobody(header: bytes) -> None:
    assert parse(header + b"GET /") == ProxyHeader(None, 0, len(header))


def test_an_address_of_ipv4_in_ipv6_is_spelled_as_everywhere_else() -> None:
    for header in (version_1("::ffff:10.0.0.1", 5, family="6"), version_2("::ffff:10.0.0.1", 5)):
        assert parse(header) == ProxyHeader("10.0.0.1", 5, len(header))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 10.0.0.1\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 -1 2\r\n",
        b"PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.256 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n\r\n",
        b"PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY UNKNOWN " + b"x" * V1_LONGEST,
        V2_START + b"\x11\x11\x00\x0c" + b"x" * 12,
        V2_START + b"\x22\x11\x00\x0c" + b"x" * 12,
        V2_START + b"\x21\x12\x00\x0c" + b"x" * 12,
        V2_START + b"\x21\x41\x00\x0c" + b"x" * 12,
        V2_START + b"\x21\x11\x00\x0b" + b"x" * 11,
        V2_START + b"\x21\x21\x00\x0c" + b"x" * 12,
        V2_START + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(data)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(V2_START.__add__), HEADERS), st.data())
def test_nothing_but_a_header_or_its_beginning_is_taken_for_one(data: bytes, choose: st.DataObject) -> None:
    """Whatever comes: a header with an address that there is, a beginning that is shorter than any header, or an
    error of ours."""
    if data:
        at = choose.draw(st.integers(0, len(data) - 1))
        data = data[:at] + choose.draw(st.binary(max_size=2)) + data[at + 1 :]
    try:
        header = parse(data)
    except ProxyHeaderError:
        return
    if header is None:
        assert len(data) < V2_LONGEST
    else:
        assert 0 < header.consumed <= len(data)
        assert header.source is None or ipaddress.ip_address(header.source)
