"""Row 29: what the origin is told of the visitor, and from whom it is believed; and what no visitor may say."""

import pytest

from tests.waitroom.proxy.messages import Head
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.stage import Stage

# In the trusted networks of the stage's configuration; 127.0.0.1 is not.
TRUSTED = "127.0.0.9"
LIES = (
    b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\n"
    b"Forwarded: for=6.6.6.6;proto=https;host=b.example\r\n"
)
# Fields, and the visitor's address, scheme and host as the origin should be told when a trusted proxy sends them.
BELIEVED = {
    "nothing": (b"", (TRUSTED, "http", "a")),
    "one address": (b"X-Forwarded-For: 6.6.6.6\r\n", ("6.6.6.6", "http", "a")),
    "two: the last is the proxy's own word": (b"X-Forwarded-For: 6.6.6.6, 7.7.7.7\r\n", ("7.7.7.7", "http", "a")),
    "in two fields": (b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n", ("7.7.7.7", "http", "a")),
    "behind another trusted": (b"X-Forwarded-For: 6.6.6.6, 127.0.0.9\r\n", ("6.6.6.6", "http", "a")),
    "IPv6": (b"X-Forwarded-For: 2001:db8::6\r\n", ("2001:db8::6", "http", "a")),
    "no address": (b"X-Forwarded-For: unknown\r\n", (TRUSTED, "http", "a")),
    "scheme and host": (
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\n",
        ("6.6.6.6", "https", "b.example"),
    ),
    "no scheme that we know": (b"X-Forwarded-Proto: gopher\r\n", (TRUSTED, "http", "a")),
}
# Names that an origin behind CGI or WSGI takes for ours, too.
OURS = (
    "X-Waitroom-Admission",
    "x_waitroom_admission",
    "X-Waitroom_Admission",
    "X-Waitroom-Command",
    "X_Waitroom_Command",
    "X-Request-Id",
    "X_Request_Id",
    "X_Forwarded_For",
    "X_Forwarded-Host",
)


async def test_row_29_a_stranger_is_not_believed(stage: Stage) -> None:
    await stage.ask(request(b"/", LIES))
    assert told(stage.origin.requests[0].head) == ("127.0.0.1", "http", "a")


@pytest.mark.parametrize("name", BELIEVED)
async def test_row_29_a_trusted_proxy_is_believed_from_the_right(stage: Stage, name: str) -> None:
    fields, truth = BELIEVED[name]
    await stage.ask(request(b"/", fields), source=TRUSTED)
    assert told(stage.origin.requests[0].head) == truth


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("source", ["127.0.0.1", TRUSTED])
async def test_row_29_what_is_ours_to_say_no_visitor_says(stage: Stage, name: str, source: str) -> None:
    await stage.ask(request(b"/", f"{name}: forged\r\n".encode()), source=source)
    head = stage.origin.requests[0].head
    assert all(b"forged" not in value for _, value in head.fields)
    assert all("_" not in name for name in head.names)


def told(head: Head) -> tuple[str, str, str]:
    """Address, scheme and host of the visitor; both ways of telling them say the same (RFC 7239)."""
    address, scheme, host = (
        one(head, name.encode()) for name in ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
    )
    pairs = dict(pair.split("=", 1) for pair in one(head, b"forwarded").split(";"))
    node = f'"[{address}]"' if ":" in address else address
    assert pairs["for"].strip('"') == node.strip('"')
    assert (pairs["proto"], pairs["host"].strip('"')) == (scheme, host)
    return address, scheme, host


def one(head: Head, name: bytes) -> str:
    """The value of a field that is there once."""
    (value,) = head.all(name)
    return value.decode()
