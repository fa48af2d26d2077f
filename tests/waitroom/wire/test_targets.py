"""Targets and hosts (RFC 9112, section 3)."""

import pytest

from waitroom.wire.errors import RequestError
from waitroom.wire.heads import request_head
from waitroom.wire.targets import Target, target_of


def aimed(target: bytes, *hosts: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> Target:
    lines = [b"%b %b HTTP/%b" % (method, target, version), *(b"Host: " + host for host in hosts), b"\r\n"]
    return target_of(request_head(b"\r\n".join(lines)))


@pytest.mark.parametrize(
    "raw", [b"/", b"/a%2e%2e/%zz//b?", b"/?", b"/a?b=c/d?e", b"//evil/", b"/\xc3\xa9", b"/[x]|\\^"]
)
def test_path_and_query_stay_byte_for_byte(raw: bytes) -> None:
    """RFC 9110, section 7.7."""
    assert aimed(raw, b"shop") == Target(raw, b"shop", "shop", raw.partition(b"?")[0])
    assert aimed(raw, b"shop").path == raw.partition(b"?")[0]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"Shop.Example", "shop.example"),
        (b"shop:8080", "shop"),
        (b"shop:", "shop"),
        (b"shop.", "shop"),
        (b"[2001:DB8::1]:80", "[2001:db8::1]"),
        (b"my_host", "my_host"),
        (b"\t192.0.2.1 ", "192.0.2.1"),
    ],
)
def test_a_host_is_known_by_its_name(authority: bytes, host: str) -> None:
    """RFC 9110, section 4.2.3."""
    target = aimed(b"/", authority)
    assert (target.authority, target.host) == (authority.strip(), host)


@pytest.mark.parametrize(
    "hosts",
    [
        pytest.param([], id="none"),
        pytest.param([b""], id="an empty one"),
        pytest.param([b"a", b"a"], id="two"),
        pytest.param([b"a, b"], id="a list"),
        pytest.param([b"a b"], id="a space"),
        pytest.param([b"a/c?d"], id="a path"),
        pytest.param([b"user@a"], id="a user"),
        pytest.param([b"a:80:80"], id="two ports"),
        pytest.param([b"a:x"], id="a port that is none"),
        pytest.param([b"::1"], id="an address without brackets"),
        pytest.param([b"[::1"], id="half a bracket"),
        pytest.param([b'a"b'], id="a quote"),
        pytest.param([b"a\xe9"], id="bytes above ASCII"),
        pytest.param([b"."], id="nothing but the root"),
        pytest.param([b"a" * 256], id="more than DNS knows"),
    ],
)
def test_a_host_that_is_missing_or_none_is_refused(hosts: list[bytes]) -> None:
    """RFC 9112, section 3.2."""
    with pytest.raises(RequestError) as refused:
        aimed(b"/", *hosts)
    assert (refused.value.status, refused.value.code) == (400, "bad_host")


def test_http_1_0_need_not_name_a_host() -> None:
    """RFC 9112, section 3.2."""
    assert aimed(b"/", version=b"1.0") == Target(b"/", b"", "", b"/")


@pytest.mark.parametrize(
    ("raw", "method", "expected"),
    [
        (b"http://Real:81/a?b", b"GET", Target(b"/a?b", b"Real:81", "real", b"/a", is_absolute=True)),
        (b"HTTPS://real", b"GET", Target(b"/", b"real", "real", b"/", is_absolute=True)),
        (b"http://real?q", b"GET", Target(b"/?q", b"real", "real", b"/", is_absolute=True)),
        (b"http://real", b"OPTIONS", Target(b"*", b"real", "real", b"/", is_absolute=True)),
    ],
)
def test_the_authority_of_an_absolute_target_stands_for_the_host(raw: bytes, method: bytes, expected: Target) -> None:
    """RFC 9112, sections 3.2.2 and 3.2.4, whatever Host says."""
    assert aimed(raw, b"shop", method=method) == expected


def test_options_may_ask_of_the_whole_server() -> None:
    """RFC 9112, section 3.2.4."""
    assert aimed(b"*", b"shop", method=b"OPTIONS") == Target(b"*", b"shop", "shop", b"/")
    assert aimed(b"*", b"shop", method=b"OPTIONS").path == b"/"


@pytest.mark.parametrize(
    "raw",
    [
        b"*",
        b"a",
        b"shop:80",
        b"http://",
        b"http:///a",
        b"http://u@real/",
        b"ftp://real/",
        b"http://a b/",
        b"/a#b",
        b"?a",
    ],
)
def test_other_targets_are_refused(raw: bytes) -> None:
    """RFC 9112, section 3.2; RFC 9110, section 4.2.4, of users in them."""
    with pytest.raises(RequestError) as refused:
        aimed(raw, b"shop")
    assert refused.value.status == 400
