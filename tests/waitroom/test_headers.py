"""Header fields on their way: what is dropped, what is ours, who is believed."""

import ipaddress

import pytest

from waitroom.headers import Client, client, command, cookie, cookie_names, to_origin, to_visitor

ASKING = Client("203.0.113.9", "https", "shop.example")
TRUSTED = [ipaddress.ip_network("10.0.0.0/8")]


def passed(*fields: tuple[str, str]) -> list[tuple[str, str]]:
    """What of a visitor's fields the origin gets, without what we add."""
    added = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id", "Via"}
    return [field for field in to_origin(list(fields), ASKING, None, "id") if field[0] not in added]


def test_end_to_end_fields_keep_their_count_order_and_case() -> None:
    fields = [("X-D", "1"), ("Accept", "*/*"), ("x-d", "2")]
    assert passed(*fields) == fields


def test_hop_by_hop_fields_and_what_connection_names_are_dropped() -> None:
    assert passed(("Connection", "close, X-Private"), ("X-Private", "1"), ("TE", "trailers"), ("Upgrade", "h2c")) == []


def test_connection_can_not_remove_what_the_origin_decides_by() -> None:
    kept = [("Host", "a"), ("Cookie", "a=b"), ("Authorization", "x"), ("Content-Length", "3")]
    assert passed(("Connection", "host, cookie, authorization, content-length"), *kept) == kept


def test_an_admission_that_a_visitor_sends_is_removed_and_ours_is_added() -> None:
    fields = to_origin([("x-waitroom-admission", "forged")], ASKING, "ours", "id")
    assert [value for name, value in fields if name.lower() == "x-waitroom-admission"] == ["ours"]


def test_connection_can_not_remove_our_admission() -> None:
    fields = to_origin([("Connection", "X-Waitroom-Admission")], ASKING, "ours", "id")
    assert ("X-Waitroom-Admission", "ours") in fields


def test_our_cookies_do_not_reach_the_origin_and_others_do() -> None:
    cookies = "a=1; wr-site=t; __Host-wr-site.admission=j; b=2; wr-site.admission=j"
    assert passed(("Cookie", cookies)) == [("Cookie", "a=1; b=2")]
    assert passed(("Cookie", "wr-site=t")) == []


def test_an_origin_does_not_set_our_cookies() -> None:
    fields = to_visitor([("Set-Cookie", "wr-site=x"), ("Set-Cookie", "s=1"), ("Set-Cookie", "__Host-wr-site=x")])
    assert [value for name, value in fields if name == "Set-Cookie"] == ["s=1"]


def test_commands_are_between_the_origin_and_us() -> None:
    assert passed(("X-Waitroom-Command", "release"), ("x-waitroom-command", "revoke")) == []
    fields = to_visitor([("x-waitroom-command", "release"), ("X-A", "1")])
    assert [name for name, _ in fields] == ["X-A", "Via"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (["release"], "release"),
        ([" Revoke "], "revoke"),
        (["release", "revoke"], "revoke"),
        (["release, revoke"], None),
        (["promote"], None),
        ([""], None),
    ],
)
def test_an_origin_commands_what_we_know_or_nothing(values: list[str], expected: str | None) -> None:
    assert command([("X-Waitroom-Command", value) for value in values]) == expected


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
        pytest.param("10.0.0.1", {"X-Forwarded-For": "<script>"}, ("10.0.0.1", "http", "shop"), id="only addresses"),
        pytest.param("10.0.0.1", {"X-Forwarded-Proto": "gopher"}, ("10.0.0.1", "http", "shop"), id="only known"),
    ],
)
def test_who_asks(peer: str, fields: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert client(peer, "http", [("Host", "shop"), *fields.items()], TRUSTED) == Client(*expected)
