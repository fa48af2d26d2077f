"""What a visitor understands is read from what it says it accepts."""

import pytest

from tests.waitroom.fields import block
from waitroom.asking import Kind, read
from waitroom.headers import Client


@pytest.mark.parametrize(
    ("accept_encoding", "accepts"),
    [
        ([], False),
        (["gzip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["br", "GZip;q=0.001"], True),
        (["x-gzip"], True),
        (["*"], True),
        (["br, *;q=0.5"], True),
        ([""], False),
        (["br"], False),
        (["identity, *;q=0"], False),
        (["gzip;q=0"], False),
        (["gzip; q=0.000, *"], False),
        (["gzip;q=much"], False),
        (["gzipped"], False),
    ],
)
def test_gzip_goes_to_who_accepts_it(accept_encoding: list[str], accepts: bool) -> None:
    """RFC 9110, section 12.5.3; who names no coding gets none."""
    fields = [("Accept-Encoding", value) for value in accept_encoding]
    asking = read("GET", "/", block(fields), client=Client("127.0.0.1", "http", "shop"), request_id="1")
    assert asking.manner.accepts_gzip == accepts


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param(["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], "page", id="Firefox"),
        pytest.param(["text/html, application/json;q=0.9"], "page", id="a page rather than JSON"),
        pytest.param(["application/json, text/html"], "page", id="at equal weights a page, in either order"),
        pytest.param(["TEXT/HTML"], "page", id="in capitals"),
        pytest.param(["text/html;charset=utf-8"], "page", id="with a parameter"),
        pytest.param(["text/*"], "page", id="any text"),
        pytest.param(["text/*, application/*"], "page", id="any text before anything for programs"),
        pytest.param(["image/png", "text/html"], "page", id="in two fields"),
        pytest.param(["text/html;level=1;q=0.4, application/json;q=0.3"], "page", id="a weight behind a parameter"),
        pytest.param(["text/html ; q = 0.4 , application/json ; q = 0.3"], "page", id="with spaces"),
        pytest.param(["application/json"], "json", id="JSON"),
        pytest.param(["APPLICATION/JSON;Q=0.5"], "json", id="JSON in capitals"),
        pytest.param(["application/json; charset=utf-8"], "json", id="JSON with a parameter"),
        pytest.param(["application/json, text/plain, */*"], "json", id="axios"),
        pytest.param(["application/json, text/javascript, */*; q=0.01"], "json", id="jQuery"),
        pytest.param(["application/problem+json"], "json", id="problems"),
        pytest.param(["application/vnd.api+json"], "json", id="JSON of a vendor's"),
        pytest.param(['application/ld+json;profile="a"'], "json", id="linked data"),
        pytest.param(["application/*"], "json", id="anything for programs"),
        pytest.param(["application/json, text/html;q=0.9"], "json", id="JSON rather than a page"),
        pytest.param(["application/*, text/html;q=0.9"], "json", id="a weight counts more than a name"),
        pytest.param(["application/json, text/*"], "json", id="at equal weights the more specific range counts"),
        pytest.param(["text/html;q=0, application/json;q=0.1"], "json", id="no page at all"),
        pytest.param(["text/*, text/html;q=0.1, application/json;q=0.5"], "json", id="the specific weight holds"),
        pytest.param(["text/*, text/html;q=0, application/*;q=0.1"], "json", id="what is excluded by name is excluded"),
        pytest.param(["application/json;q=0, application/hal+json"], "json", id="one kind of JSON for another"),
        pytest.param(["text/html;q=much, application/json;q=0.001"], "json", id="what has no weight comes last"),
        pytest.param(["text/html;q=, image/png"], "page", id="and still is named"),
        pytest.param(["text/html;q=-1, application/json;q=nan"], "page", id="neither weight can be read"),
        pytest.param(["text/html;q=.4, application/json;q=0.3"], "page", id="a weight without its nought"),
        pytest.param(["application/json;q=7, text/html"], "page", id="no weight is above one"),
        pytest.param([], "other", id="nothing said"),
        pytest.param([""], "other", id="nothing named"),
        pytest.param([",;,q=1,"], "other", id="nothing that means anything"),
        pytest.param(["*/*"], "other", id="anything"),
        pytest.param(["image/avif,image/webp,image/*,*/*;q=0.8"], "other", id="an image"),
        pytest.param(["text/css,*/*;q=0.1"], "other", id="a style sheet"),
        pytest.param(["text/html;q=0"], "other", id="anything but a page"),
        pytest.param(["text/html;q=0, */*"], "other", id="anything else"),
        pytest.param(["text/html;q=0.000, text/*"], "other", id="any text but a page"),
        pytest.param(["application/*;q=0"], "other", id="nothing for programs"),
        pytest.param(["text/event-stream"], "other", id="events"),
        pytest.param(["text/html5, application/jsonp, image/svg+json"], "other", id="names that only look alike"),
        pytest.param(["html, json, text, text/"], "other", id="no ranges"),
    ],
)
def test_who_is_answered_how_is_negotiated_by_accept(accept: list[str], kind: Kind) -> None:
    """RFC 9110, section 12.5.1; who is told neither a page nor JSON takes no number."""
    fields = [("Accept", value) for value in accept]
    asking = read("GET", "/", block(fields), client=Client("127.0.0.1", "http", "shop"), request_id="1")
    assert asking.kind == kind
    assert asking.joins == (kind != "other")


@pytest.mark.parametrize(
    ("destination", "kind"),
    [("document", "page"), ("iframe", "page"), ("empty", "other"), ("script", "other"), ("style", "other")],
)
def test_a_page_is_for_who_looks_at_one(destination: str, kind: Kind) -> None:
    """A script that fetches what a browser would show takes no number."""
    fields = [("Accept", "text/html"), ("Sec-Fetch-Dest", destination)]
    asking = read("GET", "/", block(fields), client=Client("127.0.0.1", "http", "shop"), request_id="1")
    assert asking.kind == kind


def test_who_asks_the_same_way_again_is_read_once() -> None:
    """A crowd comes with a few browsers."""
    fields = [
        ("Accept", "text/html"),
        ("Accept-Language", "ko"),
        ("User-Agent", "Mozilla/5.0 (compatible; bingbot/2.0)"),
    ]
    client = Client("127.0.0.1", "http", "shop")
    one, other = (read("GET", path, block(fields), client=client, request_id=path) for path in ("/1", "/2"))
    assert one.manner is other.manner
    assert (one.manner.languages, one.manner.engine, one.fields[1]) == ("ko", "bing", ("accept-language", "ko"))


def test_what_is_fetched_ahead_of_need_takes_no_number() -> None:
    fields = [("Accept", "text/html"), ("Sec-Purpose", "prefetch;prerender")]
    asking = read("GET", "/", block(fields), client=Client("127.0.0.1", "http", "shop"), request_id="1")
    assert (asking.kind, asking.joins) == ("page", False)
