"""Log-in and sign-up are tried a few times, and no more, by each; what is counted is said in docs/booking.md."""

import pytest
from limits import RateLimitItem

from booking.store import Store
from booking.throttle import LOG_INS_PER_ADDRESS, SIGN_UPS_PER_ADDRESS, Throttle
from tests.booking.bench import PASSWORD, Answer, Visitor
from tests.booking.conftest import Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA, GRACE = "Ada.Lovelace@example.org", "Grace.Hopper@example.org"


async def tried(visitor: Visitor, password: str, email: str = ADA, address: str = "203.0.113.7") -> Answer:
    credentials = {"email": email, "password": password}
    return await visitor.ask("POST", "/api/session", json=credentials, headers={"X-Forwarded-For": address})


@pytest.fixture
def throttle(store: Store) -> Throttle:
    """The site's own, from the other side."""
    return Throttle(store)


async def spent(throttle: Throttle, limit: RateLimitItem, who: str, times: int) -> None:
    for _ in range(times):
        await throttle.spend(limit, who)


async def test_ten_wrong_passwords_and_not_even_the_right_one_is_heard(
    site: Site, ada: Visitor, grace: Visitor
) -> None:
    """From whatever address: it is the account that is kept. Another one is not."""
    thief = site.visitor()
    for last in range(10):
        assert (await tried(thief, "a guess", address=f"203.0.113.{last}")).code == "wrong_credentials"

    refused = await tried(thief, PASSWORD, address="203.0.113.10")
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    assert (await tried(thief, PASSWORD, GRACE)).status == 200


async def test_an_email_without_an_account_is_limited_alike(site: Site) -> None:
    """Or else the limit would tell which e-mails have one."""
    answers = [await tried(site.visitor(), "a guess", "nobody@example.org") for _ in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]


async def test_who_remembers_the_password_may_mistype_it_again(site: Site, ada: Visitor) -> None:
    visitor = site.visitor()
    for _ in range(2):
        for _ in range(9):
            assert (await tried(visitor, "mistyped")).status == 401
        assert (await tried(visitor, PASSWORD)).status == 200


async def test_one_address_does_not_try_every_account(site: Site, throttle: Throttle) -> None:
    """A hundred e-mails by the same password. The visitor's own word for the address does not count."""
    await spent(throttle, LOG_INS_PER_ADDRESS, "203.0.113.7", 99)
    behind_a_proxy = "198.51.100.1, 203.0.113.7"
    answers = [await tried(site.visitor(), "a guess", f"{i}@example.org", behind_a_proxy) for i in range(2)]
    assert [answer.status for answer in answers] == [401, 429]
    assert (await tried(site.visitor(), "a guess", "0@example.org", address="203.0.113.8")).status == 401


async def test_an_address_does_not_make_accounts_by_the_thousand(site: Site, throttle: Throttle) -> None:
    """A form with faults is no account, and is not counted."""
    await spent(throttle, SIGN_UPS_PER_ADDRESS, "127.0.0.1", 99)
    people = [{"email": f"{i}@example.org", "name": "Ada", "password": PASSWORD if i else "short"} for i in range(3)]
    assert [(await site.visitor().post("/api/accounts", person)).status for person in people] == [400, 201, 429]


async def test_a_stolen_session_does_not_guess_the_password(site: Site, ada: Visitor) -> None:
    guess = {"old_password": "a guess at it", "password": "a staple for the battery"}
    statuses = [(await ada.ask("PUT", "/api/account/password", json=guess)).status for _ in range(11)]
    assert statuses == [400] * 10 + [429]
