"""What the pages say while the bank does not answer, and that nothing is lost by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.booking.bank import PrivateSandbox
from tests.booking.bench import Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in
from tests.booking.trip import named, to_the_bank

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[PrivateSandbox]:
    """One that a test may kill."""
    bank = PrivateSandbox(tmp_path / "bank")
    bank.start()
    yield bank
    bank.stop()


async def test_a_bank_that_does_not_answer_is_waited_for(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    led = await to_the_bank(ada, reference)
    await site.bank.pay(led.headers["Location"])
    site.bank.kill()

    waiting = await ada.page(f"/bookings/{reference}/return")
    assert (waiting.status, waiting.headers["Refresh"]) == (200, "3")

    site.bank.start()
    assert 'id="ticket"' in (await ada.page(f"/bookings/{reference}/return")).text


async def test_a_bank_that_is_down_when_one_wants_to_pay_is_said_on_the_page(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    site.bank.kill()
    answer = await to_the_bank(ada, reference)
    assert answer.status == 503
    assert 'role="alert"' in answer.text
    site.bank.start()
    path = f"/bookings/{reference}/pay"
    assert (await fill_in(ada, answer, path)).headers["Location"].startswith(site.bank.url)
