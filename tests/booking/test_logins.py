"""Being logged in, over HTTP: by an access token for minutes, by a refresh token for weeks, and not a moment longer."""

import asyncio
import re
from collections.abc import Mapping

import pytest

from booking import access
from booking.sessions import GRACE_S, IDLE_S, LIFE_S
from tests.booking.bench import NOW_S, PASSWORD, Answer, Visitor
from tests.booking.conftest import Site
from tests.servers import PrivateRedis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EMAIL = "Ada.Lovelace@example.org"
NEW_PASSWORD = "a staple for the battery"


async def logged_in(visitor: Visitor, password: str = PASSWORD) -> Answer:
    return await visitor.post("/api/session", {"email": EMAIL, "password": password})


async def is_logged_in(visitor: Visitor, cookies: Mapping[str, str] | None = None) -> bool:
    answer = await visitor.get("/api/account", cookies=dict(cookies or {}))
    assert answer.status == 200 or answer.code == "signed_out"
    return answer.status == 200


def cookies_set(answer: Answer) -> dict[str, str]:
    """Name and the rest of each Set-Cookie."""
    lines = [value for name, value in answer.headers.items() if name == "Set-Cookie"]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


async def test_logging_in_and_out(site: Site, ada: Visitor) -> None:
    visitor = site.visitor()
    assert (await logged_in(visitor)).json["name"] == "Ada Lovelace"
    assert await is_logged_in(visitor)

    assert (await visitor.ask("DELETE", "/api/session")).status == 204
    assert not await is_logged_in(visitor)
    assert await is_logged_in(ada), "the other session goes on"


async def test_while_the_access_token_is_good_redis_is_not_asked(
    site: Site, ada: Visitor, redis_server: PrivateRedis
) -> None:
    def commands() -> int:
        return int(redis_server.client.info("stats")["total_commands_processed"])

    before = commands()
    for _ in range(10):
        assert await is_logged_in(ada)
    assert commands() == before + 1, "what counts them"


async def test_when_the_access_token_has_ended_both_are_renewed(site: Site, ada: Visitor) -> None:
    first = ada.cookies()
    site.clock.pass_s(access.LIFE_S)
    assert await is_logged_in(ada)

    second = ada.cookies()
    assert {name for name in first if first[name] != second[name]} == {"halcyon-access", "halcyon-refresh"}


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/bookings/BCDFGH", 404), ("/flights/0", 404), ("/api/bookings/BCDFGH", 404)]
)
async def test_pages_and_problems_bring_the_new_tokens_too(site: Site, ada: Visitor, path: str, status: int) -> None:
    site.clock.pass_s(access.LIFE_S)
    answer = await ada.page(path)
    assert answer.status == status
    assert {"halcyon-access", "halcyon-refresh"} <= set(cookies_set(answer))


async def test_redirects_bring_the_new_tokens_too(site: Site, ada: Visitor) -> None:
    shown = await ada.page("/account")
    form_token = re.search(r'name="form_token" value="([^"]+)"', shown.text)
    assert form_token
    site.clock.pass_s(access.LIFE_S)

    answer = await ada.ask("POST", "/account/name", data={"form_token": form_token[1], "name": "Ada King"})
    assert answer.status == 303
    assert {"halcyon-access", "halcyon-refresh"} <= set(cookies_set(answer))


async def test_twenty_requests_at_once_renew_the_session_together(site: Site, ada: Visitor) -> None:
    """As a page that loads many things, and a second tab."""
    site.clock.pass_s(access.LIFE_S)
    held = ada.cookies()
    answers = await asyncio.gather(*(ada.get("/api/account", cookies=held) for _ in range(20)))

    assert {answer.status for answer in answers} == {200}
    assert len({cookies_set(answer)["halcyon-refresh"] for answer in answers}) == 1
    site.clock.pass_s(access.LIFE_S)
    assert await is_logged_in(ada)


async def test_a_stolen_refresh_token_ends_the_session_for_the_thief_and_the_owner(site: Site, ada: Visitor) -> None:
    stolen = {"halcyon-refresh": ada.cookies()["halcyon-refresh"]}
    site.clock.pass_s(access.LIFE_S)
    assert await is_logged_in(ada)
    site.clock.pass_s(GRACE_S)

    thief = site.visitor()
    assert not await is_logged_in(thief, stolen)
    site.clock.pass_s(access.LIFE_S)
    assert not await is_logged_in(ada)
    assert (await logged_in(ada)).status == 200


async def test_an_old_refresh_token_is_never_exchanged_again(site: Site, ada: Visitor) -> None:
    old = []
    for _ in range(4):
        old.append({"halcyon-refresh": ada.cookies()["halcyon-refresh"]})
        site.clock.pass_s(access.LIFE_S)
        assert await is_logged_in(ada)
    for cookies in old:
        assert not await is_logged_in(site.visitor(), cookies)


async def test_a_session_does_not_outlast_its_log_out(site: Site, ada: Visitor) -> None:
    """A copy of the access token is good until it has ended: for minutes. The refresh token is good for nothing."""
    copy = ada.cookies()
    await ada.ask("DELETE", "/api/session")
    assert not await is_logged_in(site.visitor(), {"halcyon-refresh": copy["halcyon-refresh"]})

    site.clock.pass_s(access.LIFE_S)
    assert not await is_logged_in(site.visitor(), copy)


async def test_logging_in_ends_the_session_that_the_browser_had(site: Site, ada: Visitor) -> None:
    """So that nobody can plant one, and go on with it."""
    planted = {"halcyon-refresh": ada.cookies()["halcyon-refresh"]}
    await logged_in(ada)
    assert not await is_logged_in(site.visitor(), planted)
    assert await is_logged_in(ada)


async def test_logging_out_everywhere_ends_every_session(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    await logged_in(phone)
    assert (await ada.ask("DELETE", "/api/sessions")).status == 204
    assert not await is_logged_in(ada)

    site.clock.pass_s(access.LIFE_S)
    assert not await is_logged_in(phone)


async def test_a_new_password_ends_all_other_sessions(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    await logged_in(phone)
    change = {"old_password": PASSWORD, "password": NEW_PASSWORD}
    assert (await ada.ask("PUT", "/api/account/password", json=change)).status == 204

    site.clock.pass_s(access.LIFE_S)
    assert await is_logged_in(ada)
    assert not await is_logged_in(phone)
    assert (await logged_in(phone)).code == "wrong_credentials"
    assert (await logged_in(phone, NEW_PASSWORD)).status == 200


async def test_a_new_password_takes_the_old_one(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    await logged_in(phone)
    change = {"old_password": "not hers at all", "password": NEW_PASSWORD}
    answer = await ada.ask("PUT", "/api/account/password", json=change)
    assert (answer.status, set(answer.json["faults"])) == (400, {"old_password"})

    site.clock.pass_s(access.LIFE_S)
    assert await is_logged_in(phone), "nothing was changed"
    assert (await logged_in(phone)).status == 200


async def test_a_new_name_is_known_here_at_once_and_elsewhere_in_minutes(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    await logged_in(phone)
    await ada.ask("PATCH", "/api/account", json={"name": "Ada King", "language": "ko"})
    shown = (await ada.get("/api/account")).json
    assert (shown["name"], shown["language"]) == ("Ada King", "ko")

    site.clock.pass_s(access.LIFE_S)
    assert (await phone.get("/api/account")).json == shown


async def test_an_account_sees_where_it_is_logged_in(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    credentials = {"email": EMAIL, "password": PASSWORD}
    await phone.ask("POST", "/api/session", json=credentials, headers={"User-Agent": "Mozilla/5.0 (iPhone) Safari/6"})
    shown = (await phone.get("/api/sessions")).json
    assert len(shown) == 2
    assert [each["browser"] for each in shown if each["is_here"]] == ["Safari, iPhone"]


async def test_a_session_ends_in_time(site: Site, ada: Visitor) -> None:
    phone = site.visitor()
    await logged_in(phone)
    for _ in range(3):
        site.clock.pass_s(IDLE_S - 1 if site.clock.now_s + IDLE_S < NOW_S + LIFE_S else 60)
        ada.carry(site.room.admission(exp=site.clock.now_s + 60))
        assert await is_logged_in(ada), "it is used"
    phone.carry(site.room.admission(exp=site.clock.now_s + 60))
    assert not await is_logged_in(phone), "it was not"

    site.clock.now_s = NOW_S + LIFE_S
    ada.carry(site.room.admission(exp=site.clock.now_s + 60))
    assert not await is_logged_in(ada)


async def test_invented_cookies_are_nobodys_and_are_dropped(site: Site, ada: Visitor) -> None:
    good = ada.cookies()
    for token in ("x", "a" * 4_000, "1.aaaaaaaaaaaaaaaaaaaaaa.1." + "a" * 43, good["halcyon-refresh"][:-1], "e30.e30."):
        invented = {"halcyon-access": token, "halcyon-refresh": token}
        answer = await site.visitor().get("/api/account", cookies=invented)
        assert answer.code == "signed_out"


async def test_a_session_that_is_over_leaves_no_cookies(site: Site, ada: Visitor) -> None:
    over = {"halcyon-refresh": ada.cookies()["halcyon-refresh"]}
    await ada.ask("DELETE", "/api/session")
    answer = await site.visitor().page("/")
    assert not {"halcyon-access", "halcyon-refresh"} & set(cookies_set(answer))
    answer = await site.visitor().get("/", cookies=over)
    assert all("Max-Age=0" in cookies_set(answer)[name] for name in ("halcyon-access", "halcyon-refresh"))


async def test_cookies_are_kept_from_scripts_from_other_sites_and_from_plain_http(site: Site) -> None:
    person = {"email": EMAIL, "name": "Ada Lovelace", "password": PASSWORD}
    headers = {"X-Forwarded-Proto": "https"}
    answer = await site.visitor().ask("POST", "/api/accounts", json=person, headers=headers)
    cookies = cookies_set(answer)
    names = ("__Host-halcyon-access", "__Host-halcyon-refresh")
    for name in names:
        attributes = {part.strip() for part in cookies[name].split(";")[1:]}
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= attributes
        assert not any(part.startswith("Domain") for part in attributes)

    held = {name: cookies[name].partition(";")[0] for name in names}
    answer = await site.visitor().get("/api/account", cookies=held, headers=headers)
    assert answer.status == 200
    assert not await is_logged_in(site.visitor(), held), "over HTTP they are unknown: there they might be planted"


async def test_what_a_stranger_may_load_renews_nothing(site: Site, ada: Visitor) -> None:
    site.clock.pass_s(access.LIFE_S)
    answer = await ada.get("/static/style.css")
    assert answer.status == 200
    assert not cookies_set(answer)
