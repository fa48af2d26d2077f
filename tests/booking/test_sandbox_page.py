"""The bank's pay page, as a browser without scripts meets it."""

import secrets
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse, ClientSession

from tests.booking.bank import PAYS, PAYS_UNSEEN, PrivateSandbox

CARD = {"card_number": PAYS, "card_expires": "12/49", "card_code": "123"}


class Page(HTMLParser):
    """The elements of a page that have an id, by it; and what has a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.by_id: dict[str, dict[str, str]] = {}
        self.labelled: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if "id" in attributes:
            self.by_id[attributes["id"]] = attributes
        if tag == "label":
            self.labelled.add(attributes["for"])


@pytest.fixture
async def browser() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def typed(browser: ClientSession, checkout: Any, **changes: str) -> Any:
    return browser.post(checkout["pay_url"], data={**CARD, **changes}, allow_redirects=False)


async def test_the_page_says_what_is_paid_and_by_whom(bank: PrivateSandbox, browser: ClientSession) -> None:
    async with browser.get((await bank.open())["pay_url"]) as response:
        text = await response.text()

    assert response.status == 200
    for shown in ("US$123.00", "QWERTY", "ada@example.org"):
        assert shown in text


async def test_the_page_speaks_the_language_of_the_order(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open(language="ko", amount_minor=68_200, currency="KRW")
    async with browser.get(checkout["pay_url"]) as response:
        text = await response.text()

    assert '<html lang="ko">' in text
    assert "₩68,200 결제하기" in text


async def test_each_field_has_a_label_and_no_script_is_needed(bank: PrivateSandbox, browser: ClientSession) -> None:
    async with browser.get((await bank.open())["pay_url"]) as response:
        page = Page(await response.text())

    assert page.labelled == set(CARD)
    assert "script" not in page.tags


async def test_the_page_may_load_its_style_and_lead_to_the_site_and_nothing_else(
    bank: PrivateSandbox, browser: ClientSession
) -> None:
    async with browser.get((await bank.open())["pay_url"]) as response:
        policy, caching = response.headers["Content-Security-Policy"], response.headers["Cache-Control"]

    assert policy == (
        "default-src 'none'; style-src 'self'; "
        f"form-action 'self' {bank.site_url}; base-uri 'none'; frame-ancestors 'none'"
    )
    assert caching == "no-store"


async def test_faults_are_tied_to_their_fields(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()
    async with typed(browser, checkout, card_number="4242", card_expires="", card_code="x") as response:
        page = Page(await response.text())

    assert response.status == 400
    for field in CARD:
        assert page.by_id[field]["aria-invalid"] == "true"
        assert page.by_id[field]["aria-describedby"] in page.by_id
    assert await bank.state(checkout) == "open"


async def test_a_card_that_was_typed_goes_back_into_no_page(bank: PrivateSandbox, browser: ClientSession) -> None:
    async with typed(browser, await bank.open(), card_number="4111111111111111", card_code="x") as response:
        assert "4111" not in await response.text()


async def test_a_card_that_is_no_test_card_is_declined(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()
    async with typed(browser, checkout, card_number="4111111111111111") as response:
        assert response.status == 303

    assert await bank.state(checkout) == "declined"


async def test_a_form_that_is_sent_twice_pays_once(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()

    locations = [await location(typed(browser, checkout)) for _ in range(2)]

    assert len(set(locations)) == 1
    assert len(bank.rows("SELECT id FROM events WHERE checkout_id = ?", checkout["id"])) == 1


async def location(answer: Any) -> str:
    response: ClientResponse
    async with answer as response:
        assert response.status == 303
        return response.headers["Location"]


async def test_a_checkout_that_has_ended_leads_back(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()
    await bank.call("POST", f"/v1/checkouts/{checkout['id']}/close")

    assert await location(browser.get(checkout["pay_url"], allow_redirects=False)) == (
        f"{bank.site_url}/bookings/QWERTY/return"
    )
    assert await location(typed(browser, checkout))
    assert await bank.state(checkout) == "closed"


async def test_one_may_go_back_without_paying(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()
    async with browser.get(checkout["pay_url"]) as response:
        page = Page(await response.text())

    assert page.by_id["cancel"]["href"] == f"{bank.site_url}/bookings/QWERTY/return"
    assert await bank.state(checkout) == "open"


async def test_a_payment_whose_answer_is_lost_was_made(bank: PrivateSandbox, browser: ClientSession) -> None:
    checkout = await bank.open()

    with pytest.raises(aiohttp.ClientConnectionError):
        await location(typed(browser, checkout, card_number=PAYS_UNSEEN))

    assert await bank.state(checkout) == "captured"


async def test_an_address_that_was_guessed_shows_nothing(bank: PrivateSandbox, browser: ClientSession) -> None:
    async with browser.get(f"{bank.url}/pay/co_{secrets.token_hex(16)}") as response:
        assert response.status == 404


async def test_the_style_may_be_kept_for_ever(bank: PrivateSandbox, browser: ClientSession) -> None:
    async with browser.get((await bank.open())["pay_url"]) as response:
        path = (await response.text()).partition('rel="stylesheet" href="')[2].partition('"')[0]

    async with browser.get(bank.url + path) as response:
        assert (response.status, response.content_type) == (200, "text/css")
        assert "immutable" in response.headers["Cache-Control"]
