"""Sign-up, log-in and one's own account, as a browser without scripts uses them."""

import pytest

from tests.booking.bench import PASSWORD, Answer, Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, sent_by

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PERSON = {"name": "Ada Lovelace", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}
NEW_PASSWORD = "an entirely different phrase"


async def signed_up(visitor: Visitor, **changes: str) -> Answer:
    return await fill_in(visitor, await visitor.page("/sign-up"), "/sign-up", **(PERSON | changes))


async def logged_in(visitor: Visitor, password: str = PASSWORD) -> Answer:
    page = await visitor.page("/log-in?next=/trips")
    return await fill_in(visitor, page, "/log-in", email=PERSON["email"], password=password)


async def is_logged_in(visitor: Visitor) -> bool:
    return (await visitor.page("/account")).status == 200


async def test_sign_up_keeps_what_was_typed_but_the_password(site: Site) -> None:
    answer = await signed_up(site.visitor(), email="ada")
    assert answer.status == 400
    assert 'id="email-fault"' in answer.text
    assert ("name", "Ada Lovelace") in sent_by(answer, "/sign-up")
    assert PASSWORD not in answer.text


async def test_an_email_taken_is_said_next_to_the_field(site: Site) -> None:
    await signed_up(site.visitor())
    answer = await signed_up(site.visitor(), email="ADA@example.org")
    assert answer.status == 409
    assert "An account with this e-mail exists." in answer.text


async def test_a_wrong_password_shows_the_form_again(site: Site) -> None:
    answer = await logged_in(site.visitor(), "wrong")
    assert answer.status == 401
    assert "E-mail or password is wrong." in answer.text
    assert ("next", "/trips") in sent_by(answer, "/log-in")
    assert ("email", PERSON["email"]) in sent_by(answer, "/log-in")


async def test_too_many_tries_are_said_on_the_form(site: Site) -> None:
    await signed_up(site.visitor())
    guesser = site.visitor()
    answers = [await logged_in(guesser, f"guess {number}") for number in range(11)]
    assert answers[-1].status == 429
    assert "Please wait a while" in answers[-1].text


async def test_whoever_was_sent_to_log_in_goes_on_where_they_were(site: Site) -> None:
    await signed_up(site.visitor())
    visitor = site.visitor()
    asked = await visitor.page("/trips")
    assert (asked.status, asked.headers["Location"]) == (303, "/log-in?next=%2Ftrips")
    assert (await logged_in(visitor)).headers["Location"] == "/trips"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1"])
async def test_nobody_is_sent_to_another_site(site: Site, elsewhere: str) -> None:
    visitor = site.visitor()
    page = await visitor.page("/sign-up")
    answer = await fill_in(visitor, page, "/sign-up", **PERSON, next=elsewhere)
    assert answer.headers["Location"] == "/"


async def test_log_out_ends_the_session(site: Site) -> None:
    visitor = site.visitor()
    await signed_up(visitor)
    await fill_in(visitor, await visitor.page("/"), "/log-out")
    assert not await is_logged_in(visitor)


async def test_a_new_name_is_shown_and_kept(site: Site) -> None:
    visitor = site.visitor()
    await signed_up(visitor)
    answer = await fill_in(visitor, await visitor.page("/account"), "/account/name", name="Ada King")
    page = await visitor.page(answer.headers["Location"])
    assert "The name is saved." in page.text
    assert ("name", "Ada King") in sent_by(page, "/account/name")


async def test_a_name_that_cannot_be_is_said(site: Site) -> None:
    visitor = site.visitor()
    await signed_up(visitor)
    answer = await fill_in(visitor, await visitor.page("/account"), "/account/name", name=" ")
    assert answer.status == 400
    assert 'id="name-fault"' in answer.text


async def test_a_new_password_logs_all_other_devices_out(site: Site) -> None:
    here, there = site.visitor(), site.visitor()
    await signed_up(here)
    await logged_in(there)
    typed = {"old_password": PASSWORD, "password": NEW_PASSWORD, "password_again": NEW_PASSWORD}

    answer = await fill_in(here, await here.page("/account"), "/account/password", **typed)

    assert "The password is changed" in (await here.page(answer.headers["Location"])).text
    # What was given out as access token lasts some minutes.
    site.clock.pass_s(600)
    assert await is_logged_in(here)
    assert not await is_logged_in(there)
    assert (await logged_in(there)).status == 401
    assert (await logged_in(there, NEW_PASSWORD)).status == 303


async def test_faults_in_a_new_password_stand_next_to_their_fields(site: Site) -> None:
    visitor = site.visitor()
    await signed_up(visitor)
    page = await visitor.page("/account")
    typed = {"old_password": "not this one", "password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    wrong = await fill_in(visitor, page, "/account/password", **typed)
    assert wrong.status == 400
    assert 'id="old_password-fault"' in wrong.text
    differing = await fill_in(visitor, wrong, "/account/password", **(typed | {"password_again": "other"}))
    assert 'id="password_again-fault"' in differing.text


async def test_a_form_that_is_sent_after_log_out_leads_back_by_way_of_log_in(site: Site) -> None:
    visitor = site.visitor()
    await signed_up(visitor)
    await visitor.ask("DELETE", "/api/session")
    fields = sent_by(await visitor.page("/log-in"), "/log-in")
    token = [field for field in fields if field[0] == "form_token"]
    asked = await visitor.ask("POST", "/account/name", data=token, headers={"Accept": "text/html"})
    assert asked.headers["Location"] == "/log-in?next=%2Faccount%2Fname"
    await logged_in(visitor)
    assert (await visitor.page("/account/name")).headers["Location"] == "/account"


async def test_logging_out_everywhere_ends_this_session_too(site: Site) -> None:
    here, there = site.visitor(), site.visitor()
    await signed_up(here)
    await logged_in(there)
    page = await here.page("/account")
    assert page.text.count("last used") == 2

    await fill_in(here, page, "/account/log-out-everywhere")

    site.clock.pass_s(600)
    assert not await is_logged_in(here)
    assert not await is_logged_in(there)
