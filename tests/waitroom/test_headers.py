"""Header fields as text: who is believed about who asks, and which cookies were brought."""

import ipaddress

import pytest

from waitroom.headers import Client, client, cookie, cookie_names

TRUSTED = [ipaddress.ip_network("10.0.0.0/8")]


def test_the_names_of_all_cookies_are_told_in_their_order() -> None:
    assert cookie_names([("Cookie", "b=1; a=2;;c"), ("cookie", "b=3")]) == ["b", "a", "c", "b"]


def test_a_cookie_is_found_among_others() -> None:
    fields = [("Cookie", "a=1; wr-site.admission=no"), ("cookie", "wr-site=yes; wr-site=second")]
    assert cookie(fields, "wr-site") == "yes"
    assert cookie(fields, "missing") == ""


@pytest.mark.parametrize(
    ("peer", "fields", "expected"),
    [
        pytest.param("203.0.113.9", {}, ("203.0.113.9", "http", "shop"), id="nothing forwarded"),
        pytest.param(
            "203.0.113.9",
            {"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"},
            ("203.0.113.9", "http", "shop"),
            id="a stranger is not believed",
        ),
        pytest.param(
            "10.0.0.1",
            {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"},
            ("203.0.113.9", "https", "shop.example"),
            id="a trusted proxy is",
        ),
        pytest.param(
            "10.0.0.1",
            {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.2"},
            ("203.0.113.9", "http", "shop"),
            id="from the right, the first that is not trusted",
        ),
        pytest.param(
            "10.0.0.1",
            {"Forwarded": 'for="[2001:db8::9]:4711";proto=https;host="shop.example:443", for=10.0.0.2'},
            ("2001:db8::9", "https", "shop.example:443"),
            id="in the standard's words (RFC 7239)",
        ),
        pytest.param(
            "203.0.113.9", {"Forwarded": "for=1.1.1.1;proto=https"}, ("203.0.113.9", "http", "shop"), id="nor there"
        ),
        pytest.param(
            "10.0.0.1", {"X-Forwarded-For": "203.0.113.9:4711"}, ("203.0.113.9", "http", "shop"), id="with its port"
        ),
        pytest.param("10.0.0.1", {"X-Forwarded-Host": 'a"b'}, ("10.0.0.1", "http", "shop"), id="only hosts"),
        pytest.param("10.0.0.1", {"X-Forwarded-For": "<script>"}, ("10.0.0.1", "http", "shop"), id="only addresses"),
        pytest.param("10.0.0.1", {"X-Forwarded-Proto": "gopher"}, ("10.0.0.1", "http", "shop"), id="only known"),
    ],
)
def test_who_asks(peer: str, fields: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert client(peer, "http", [("Host", "shop"), *fields.items()], TRUSTED) == Client(*expected)
