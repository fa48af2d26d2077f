"""Going back after log-in: to a path of this site, and to nowhere else."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from booking.local_path import local_path
from tests.booking.bench import PASSWORD
from tests.booking.conftest import Site
from tests.booking.forms import fill_in

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/trips\\..\\..\\\\evil.example",
    "http:/\\evil.example",
    "HTTPS://evil.example",
    "//evil.example/?next=/trips",
    "//evil.example:80#/trips",
    "//ada@evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "/\x00/evil.example",
    "/\x7f/evil.example",
    "/\r/evil.example",
    "/trips\x85",
    "/\uff0fevil.example",
    "data:text/html,x",
    "?next=/trips",
    "/\t/evil.example",
    "/\n/evil.example",
    "/.//evil.example",
    "/a/..//evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/trips\r\nSet-Cookie: a=b",
    "/ /evil.example",
    "/\u2028/evil.example",
    "",
    None,
    "/" + "a" * 3_000,
]


@pytest.mark.parametrize("wish", ELSEWHERE)
def test_what_could_lead_elsewhere_leads_home(wish: str | None) -> None:
    assert local_path(wish) == "/"


@pytest.mark.parametrize(
    "wish",
    [
        "/",
        "/trips",
        "/flights/12?seat=7C&seat=7D&fare=flex",
        "/flights?a=b//c&d=%2F%2Fe",
        "/flights?next=//evil.example",
        "/a:b@c",
        # No browser decodes these before it asks: they are paths of ours, though of nothing.
        "/%2F%2Fevil.example",
        "/%2F/evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "/trips%0D%0ASet-Cookie:%20a=b",
    ],
)
def test_a_path_of_ours_is_kept(wish: str) -> None:
    assert local_path(wish) == wish
    assert URL("https://ours.example/log-in").join(URL(wish, encoded=True)).host == "ours.example"


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_nothing_leads_to_another_host(text: str) -> None:
    """As a browser joins it, backslashes read as slashes."""
    path = local_path("/" + text).replace("\\", "/")
    assert URL("https://ours.example/log-in").join(URL(path, encoded=True)).host == "ours.example"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_log_in_and_sign_up_redirect_to_no_other_site(site: Site) -> None:
    visitor = site.visitor()
    locations = set()
    for i, wish in enumerate(wish for wish in ELSEWHERE if wish and "\n" not in wish):
        person = {"name": "Ada", "email": f"{i}@example.org", "password": PASSWORD, "password_again": PASSWORD}
        signed_up = await visitor.submit("/sign-up", "/sign-up", next=wish, **person)
        logged_in = await visitor.submit("/log-in", "/log-in", next=wish, **person)
        locations |= {signed_up.headers["Location"], logged_in.headers["Location"]}
    assert locations == {"/"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whoever_logs_in_or_signs_up_goes_on_where_they_were(site: Site) -> None:
    """The query included, by the forms as they are: and by log-in to sign-up and back."""
    visitor = site.visitor()
    wanted = "/bookings/BCDFGH?from=mail&page=2&back=%2Ftrips%3Fa%3Db"
    to_log_in = (await visitor.page(wanted)).headers["Location"]

    log_in = await visitor.page(to_log_in)
    to_sign_up = re.search(r'href="(/sign-up\?next=[^"]+)"', log_in.text)
    assert to_sign_up
    sign_up = await visitor.page(unescape(to_sign_up[1]))
    person = {"name": "Ada", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}
    signed_up = await fill_in(visitor, sign_up, "/sign-up", **person)
    logged_in = await fill_in(
        visitor, await visitor.page(to_log_in), "/log-in", email=person["email"], password=PASSWORD
    )

    assert [answer.headers["Location"] for answer in (signed_up, logged_in)] == [wanted, wanted]
