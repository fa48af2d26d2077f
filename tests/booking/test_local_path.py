"""Going back after log-in: to a path of this site, and to nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from booking.local_path import local_path
from tests.booking.bench import PASSWORD
from tests.booking.conftest import Site

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
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


@pytest.mark.parametrize("wish", ["/", "/trips", "/flights/12?seat=7C", "/flights?a=b//c&d=%2F%2Fe", "/a:b@c"])
def test_a_path_of_ours_is_kept(wish: str) -> None:
    assert local_path(wish) == wish


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_nothing_leads_to_another_host(text: str) -> None:
    """As a browser joins it, backslashes read as slashes."""
    path = local_path("/" + text).replace("\\", "/")
    assert URL("https://ours.example/log-in").join(URL(path, encoded=True)).host == "ours.example"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wish", [wish for wish in ELSEWHERE if wish and wish.isprintable()])
async def test_log_in_and_sign_up_redirect_to_no_other_site(site: Site, wish: str) -> None:
    visitor = site.visitor()
    person = {"name": "Ada", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}
    signed_up = await visitor.submit("/sign-up", "/sign-up", next=wish, **person)
    logged_in = await visitor.submit("/log-in", "/log-in", next=wish, **person)

    assert [answer.headers["Location"] for answer in (signed_up, logged_in)] == ["/", "/"]
