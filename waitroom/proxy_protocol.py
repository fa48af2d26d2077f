"""The PROXY protocol, versions 1 and 2: what a balancer says, ahead of a connection's bytes, of who connected to it.

The specification is haproxy's doc/proxy-protocol.txt; sections are of its edition of 2020/03/05.
"""

import ipaddress
import re
from dataclasses import dataclass

V1_START = b"PROXY "
# The longest line that section 2.1 allows, with its CRLF.
V1_LONGEST = 107
V2_START = b"\r\n\r\n\0\r\nQUIT\n"
V2_FIXED = 16
# Its own length may be 65,535; addresses take 216, and no known sender says more than some hundred bytes beside them.
V2_LONGEST = 4096

LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6, UNIX_STREAM, UNSPECIFIED = 0x11, 0x21, 0x31, 0x00
# Source and destination, and two ports (section 2.2).
ADDRESSES_BYTES = {TCP4: 12, TCP6: 36, UNIX_STREAM: 216, UNSPECIFIED: 0}

PORT = r"(0|[1-9][0-9]{0,4})"
TCP_LINE = re.compile(rf"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) {PORT} {PORT}\r\n")


class ProxyHeaderError(Exception):
    """What came is no PROXY header: the connection must be closed, since nobody knows whose it is."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`source` is the address that connected to the balancer, None where it speaks for itself (a health check) or does
    not know; `consumed` counts the header's bytes."""

    source: str | None
    port: int
    consumed: int


def parse(data: bytes) -> ProxyHeader | None:
    """The header at the start of what came so far; None while it is not whole. Raises ProxyHeaderError."""
    if V2_START.startswith(data[: len(V2_START)]):
        return _version_2(data) if len(data) >= V2_FIXED else None
    if V1_START.startswith(data[: len(V1_START)]):
        return _version_1(data)
    raise ProxyHeaderError("the connection does not begin with a PROXY header")


def _version_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, V1_LONGEST)
    if end < 0:
        if len(data) >= V1_LONGEST:
            raise ProxyHeaderError(f"its line has no end within {V1_LONGEST} bytes")
        return None
    consumed = end + 2
    # What follows UNKNOWN must be ignored (section 2.1).
    if re.match(rb"PROXY UNKNOWN[ \r]", data):
        return ProxyHeader(None, 0, consumed)
    line = TCP_LINE.fullmatch(data[:consumed].decode("latin-1"))
    if not line:
        raise ProxyHeaderError("its line is none of version 1")
    family, source, destination, *ports = line.groups()
    if max(map(int, ports)) > 65_535:
        raise ProxyHeaderError("it names a port that there is not")
    _address(family, destination)
    return ProxyHeader(_address(family, source), int(ports[0]), consumed)


def _address(family: str, text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text) if family == "4" else ipaddress.IPv6Address(text)
    except ValueError as exc:
        raise ProxyHeaderError(f"{text!r} is no address of its family") from exc
    return _plain(address)


def _version_2(data: bytes) -> ProxyHeader | None:
    command, family = data[12], data[13]
    consumed = V2_FIXED + int.from_bytes(data[14:16])
    if command not in (LOCAL, PROXY):
        raise ProxyHeaderError(f"its version and command {command:#04x} are unknown")
    if consumed > V2_LONGEST:
        raise ProxyHeaderError(f"it is {consumed} bytes long, and more than {V2_LONGEST} are not read")
    if command == PROXY and family not in ADDRESSES_BYTES:
        raise ProxyHeaderError(f"its family and transport {family:#04x} are none of a stream")
    if command == PROXY and consumed - V2_FIXED < ADDRESSES_BYTES[family]:
        raise ProxyHeaderError("it is too short for its addresses")
    if len(data) < consumed:
        return None
    # Whatever a LOCAL header has, and what follows the addresses, is skipped.
    if command == PROXY and family == TCP4:
        return ProxyHeader(_plain(ipaddress.IPv4Address(data[16:20])), int.from_bytes(data[24:26]), consumed)
    if command == PROXY and family == TCP6:
        return ProxyHeader(_plain(ipaddress.IPv6Address(data[16:32])), int.from_bytes(data[48:50]), consumed)
    return ProxyHeader(None, 0, consumed)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """One spelling for one address, so that one visitor is one to all rules."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
