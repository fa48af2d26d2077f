"""Redis is gone: who is logged in stays so for some minutes, and all that needs no account goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from booking import access
from booking.sessions import GRACE_S
from tests.booking.bench import PASSWORD, Visitor
from tests.booking.conftest import Site
from tests.servers import PrivateRedis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[PrivateRedis]:
    """One that may be killed, and comes back with what it was told."""
    server = PrivateRedis(tmp_path / "redis", appendonly="yes")
    server.start()
    yield server
    server.close()


async def test_a_good_access_token_goes_on(ada: Visitor, redis_server: PrivateRedis) -> None:
    redis_server.kill()
    assert (await ada.get("/api/account")).status == 200
    assert (await ada.get("/api/bookings")).status == 200


async def test_when_it_has_ended_what_needs_an_account_says_why(
    site: Site, ada: Visitor, redis_server: PrivateRedis
) -> None:
    """And does not say "log in", which would not work."""
    redis_server.kill()
    site.clock.pass_s(access.LIFE_S)
    answer = await ada.get("/api/bookings")
    assert (answer.status, answer.code) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "Set-Cookie" not in answer.headers, "the session is kept"
    assert (await ada.page("/trips")).status == 503


async def test_what_needs_no_account_goes_on(site: Site, ada: Visitor, redis_server: PrivateRedis) -> None:
    redis_server.kill()
    site.clock.pass_s(access.LIFE_S)
    for path in ("/", "/flights?origin=ICN&destination=CJU&start=2027-01-16&end=2027-01-17", "/log-in"):
        assert (await ada.page(path)).status == 200


async def test_logging_in_and_signing_up_wait_for_it(site: Site, ada: Visitor, redis_server: PrivateRedis) -> None:
    redis_server.kill()
    person = {"email": "Ada.Lovelace@example.org", "name": "Ada", "password": PASSWORD}
    for path, form in (("/api/session", {"email": person["email"], "password": PASSWORD}), ("/api/accounts", person)):
        assert (await site.visitor().post(path, form)).code == "store_unavailable"


async def test_a_password_is_not_changed_where_no_session_can_be_ended(
    ada: Visitor, redis_server: PrivateRedis
) -> None:
    redis_server.kill()
    change = {"old_password": PASSWORD, "password": "a staple for the battery"}
    assert (await ada.ask("PUT", "/api/account/password", json=change)).code == "store_unavailable"

    redis_server.start()
    credentials = {"email": "Ada.Lovelace@example.org", "password": PASSWORD}
    assert (await ada.post("/api/session", credentials)).status == 200


async def test_when_it_is_back_the_session_goes_on(site: Site, ada: Visitor, redis_server: PrivateRedis) -> None:
    redis_server.kill()
    site.clock.pass_s(access.LIFE_S + GRACE_S)
    assert (await ada.get("/api/account")).status == 503
    redis_server.start()
    assert (await ada.get("/api/account")).status == 200


async def test_who_logs_out_meanwhile_is_out_in_this_browser(ada: Visitor, redis_server: PrivateRedis) -> None:
    redis_server.kill()
    assert (await ada.ask("DELETE", "/api/session")).status == 503
    assert not {"halcyon-access", "halcyon-refresh"} & set(ada.cookies())
