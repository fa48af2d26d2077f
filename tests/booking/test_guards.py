"""Who may come in: every route, without an admission, without an account, and from another site."""

import re
from pathlib import Path

import pytest

from tests.booking.bench import HOUR_S, NOW_S, Answer, Room, Route, Visitor, all_routes, everything
from tests.booking.conftest import Site

# These do not depend on the database.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EXEMPT = {("GET", "/healthz"), ("GET", "/static"), ("POST", "/webhooks/{gateway}")}
# Whoever has an admission may do these without an account. Every other route belongs to an account.
PUBLIC = {
    ("GET", "/"),
    ("GET", "/flights"),
    ("GET", "/flights/{flight_id}"),
    ("POST", "/language"),
    ("GET", "/sign-up"),
    ("POST", "/sign-up"),
    ("GET", "/log-in"),
    ("POST", "/log-in"),
    ("POST", "/log-out"),
    ("GET", "/api/airports"),
    ("GET", "/api/flights"),
    ("GET", "/api/flights/{flight_id}/seats"),
    ("POST", "/api/accounts"),
    ("POST", "/api/session"),
    ("DELETE", "/api/session"),
    ("GET", "/api/openapi.yaml"),
    ("GET", "/api/docs"),
}


ROUTES = all_routes()
GUARDED = [route for route in ROUTES if route not in EXEMPT]
OWNED = [route for route in GUARDED if route not in PUBLIC]
OF_BOOKINGS = [route for route in GUARDED if "{reference}" in route[1]]


def filled(path: str, reference: str = "BCDFGH") -> str:
    return path.replace("{flight_id}", "1").replace("{reference}", reference)


async def ask(visitor: Visitor, route: Route, reference: str = "BCDFGH") -> Answer:
    """As an app or as a browser would, by the path."""
    method, path = route[0], filled(route[1], reference)
    if path.startswith("/api/"):
        return await visitor.call(method, path)
    if method == "GET":
        return await visitor.page(path)
    return await visitor.submit("/log-in", path, seat="7C")


def test_the_tables_name_routes_that_exist() -> None:
    assert set(ROUTES) >= EXEMPT | PUBLIC
    assert len(OWNED) >= 24
    assert len(OF_BOOKINGS) >= 13


@on_sqlite
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_every_route_refuses_a_request_without_an_admission(site: Site, accept: str) -> None:
    """By problem+json also for a browser: a person never gets here but through the waiting room."""
    stranger = site.stranger()
    for method, path in GUARDED:
        answer = await stranger.ask(method, filled(path), headers={"Accept": accept})
        assert (answer.status, answer.code) == (401, "admission_missing"), (method, path)
        assert answer.headers["Content-Type"].startswith("application/problem+json")


@on_sqlite
async def test_every_route_of_an_account_refuses_a_stranger(site: Site) -> None:
    visitor = site.visitor()
    for route in OWNED:
        answer = await ask(visitor, route)
        if route[1].startswith("/api/"):
            assert (answer.status, answer.code) == (401, "signed_out"), route
        else:
            assert answer.status == 303, route
            assert answer.headers["Location"].startswith("/log-in?next=%2F"), route


@on_sqlite
async def test_every_route_refuses_an_admission_that_is_none_of_ours(site: Site, tmp_path: Path) -> None:
    """One that has ended, and one that another room has signed in the name of ours."""
    refused = {
        "admission_expired": site.room.admission(exp=NOW_S - 6),
        "admission_signature": Room(tmp_path / "elsewhere", site.room.kid).admission(),
    }
    for code, token in refused.items():
        foreigner = site.stranger(token)
        for method, path in GUARDED:
            answer = await foreigner.ask(method, filled(path))
            assert (answer.status, answer.code) == (401, code), (method, path)


@on_sqlite
async def test_every_route_of_a_booking_refuses_another_account(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    """In the words by which it refuses a booking that is not there, whatever state it is in; and nothing is changed."""
    reference = await ada.held(flight_id, "7C")
    for state in ("held", "ticketed"):
        before = await everything(site.db)
        for route in OF_BOOKINGS:
            theirs, none = await ask(grace, route, reference), await ask(grace, route, "BCDFGH")
            assert theirs.status == none.status == 404, (state, route)
            assert anonymous(theirs, reference) == anonymous(none, "BCDFGH"), (state, route)
        assert await everything(site.db) == before
        await ada.pay(reference)


def anonymous(answer: Answer, reference: str) -> str:
    """An answer without what is new in each page."""
    return re.sub(r'(name="idempotency_key" value=)"[^"]+"', r"\1", answer.text.replace(reference, ""))


@on_sqlite
@pytest.mark.parametrize("path", ["/nowhere", "/healthz/x", "/static/../trips", "/static%2f..%2ftrips", "//healthz"])
async def test_no_spelling_of_a_path_gets_around_the_admission(site: Site, path: str) -> None:
    answer = await site.stranger().get(path)
    assert answer.status in {401, 404}
    assert "trip" not in answer.text.lower()


@on_sqlite
async def test_health_and_static_files_need_no_admission(site: Site) -> None:
    assert (await site.stranger().get("/healthz")).json == {"status": "ok"}
    assert (await site.stranger().get("/static/style.css")).status == 200


@on_sqlite
async def test_tokens_are_judged_at_the_door(site: Site, tmp_path: Path) -> None:
    """The same codes over HTTP as in the contract; a token that was good yesterday is not good for ever."""
    room = site.room
    refused = {
        "admission_expired": room.admission(exp=NOW_S - 6),
        "admission_audience": room.admission(aud="elsewhere"),
        "admission_issuer": room.admission(iss="mallory"),
        "admission_unknown_key": Room(tmp_path / "elsewhere", "unheard-of").admission(),
        "admission_signature": Room(tmp_path / "elsewhere", room.kid).admission(),
        "admission_malformed": "a.b",
    }
    for code, token in refused.items():
        assert (await site.stranger(token).get("/")).code == code

    admitted = site.stranger(room.admission(exp=NOW_S + HOUR_S))
    assert (await admitted.get("/")).status == 200
    site.clock.pass_s(HOUR_S + 5)
    assert (await admitted.get("/")).code == "admission_expired"


@on_sqlite
async def test_two_admissions_are_none(site: Site) -> None:
    twice = [("X-Waitroom-Admission", site.room.admission())] * 2
    answer = await site.stranger().get("/", headers=twice)
    assert answer.code == "admission_missing"


@on_sqlite
async def test_nobody_gets_in_while_there_are_no_keys(site: Site) -> None:
    token = site.room.admission()
    site.room.key_file.unlink()
    answer = await site.stranger(token).get("/")
    assert (answer.status, answer.code) == (503, "admission_keys_unavailable")
    assert answer.headers["Retry-After"] == "5"


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://shop.example", "X-Forwarded-Host": "shop.example"}, True),
        ({"Origin": "http://evil.example", "X-Forwarded-Host": "shop.example"}, False),
        ({}, True),
    ],
)
async def test_what_another_site_sends_is_refused(site: Site, headers: dict[str, str], *, is_ours: bool) -> None:
    """For an app with JSON and for a form with a good token alike."""
    visitor = site.visitor()
    json_answer = await visitor.ask("POST", "/api/session", json={"email": "a@b.de", "password": "x"}, headers=headers)
    form_token = re.search(r'name="form_token" value="([^"]+)"', (await visitor.page("/log-in")).text)
    assert form_token
    form_answer = await visitor.ask("POST", "/log-out", data={"form_token": form_token[1]}, headers=headers)

    assert json_answer.code == ("wrong_credentials" if is_ours else "forged_request")
    assert form_answer.status == (303 if is_ours else 403)


@on_sqlite
@pytest.mark.parametrize("form_token", [None, "", "guessed"])
async def test_a_form_without_the_token_of_its_cookie_is_refused(site: Site, form_token: str | None) -> None:
    visitor = site.visitor()
    await visitor.page("/log-in")
    data = {} if form_token is None else {"form_token": form_token}
    assert (await visitor.ask("POST", "/log-out", data=data)).code == "forged_request"


@on_sqlite
async def test_the_api_takes_nothing_that_a_form_can_send(site: Site) -> None:
    visitor = site.visitor()
    body = '{"email": "a@example.org", "name": "A", "password": "0123456789"}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await visitor.ask("POST", "/api/accounts", data=body, headers={"Content-Type": content_type})
        assert answer.status == 415


@on_sqlite
async def test_every_answer_carries_the_safety_headers(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/", "/nowhere", "/healthz", "/api/airports", "/api/docs"):
        headers = (await visitor.page(path)).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "private, no-store"


@on_sqlite
@pytest.mark.parametrize(("scheme", "prefix"), [("https", "__Host-halcyon-"), ("http", "halcyon-")])
async def test_the_cookies_of_a_session_are_out_of_reach(site: Site, scheme: str, prefix: str) -> None:
    """For scripts always, and for plain HTTP where the visitor came by HTTPS."""
    document = {"email": "ada@example.org", "name": "Ada", "password": "0123456789"}
    headers = {"X-Forwarded-Proto": scheme}
    answer = await site.visitor().ask("POST", "/api/accounts", json=document, headers=headers)

    cookies = {value for key, value in answer.headers.items() if key == "Set-Cookie" and "Max-Age=0" not in value}
    assert {cookie.partition("=")[0] for cookie in cookies} == {f"{prefix}access", f"{prefix}refresh"}
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) == (scheme == "https")


@on_sqlite
async def test_a_wrong_method_is_told_which_are_right(site: Site) -> None:
    """Logging out by a link is impossible."""
    answer = await site.visitor().get("/log-out")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@on_sqlite
@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE"])
async def test_what_no_route_takes_is_told_so_before_its_form_is_looked_at(site: Site, method: str) -> None:
    answer = await site.visitor().ask(method, "/api/airports")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
