"""The sweeper goes on for ever, whatever one round meets."""

import asyncio

import pytest

from booking import sweeper
from booking.db import Database
from booking.errors import DatabaseUnavailable
from booking.gateway import Charge
from tests.booking.bench import HOLD_S, add_flight, departure
from tests.booking.sale import Bank, Sale


class OutOfReach(Bank):
    """A bank whose first answer is a fault that nobody foresaw."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def close(self, gateway_id: str) -> Charge:
        self.asked += 1
        if self.asked == 1:
            raise DatabaseUnavailable if gateway_id else ValueError(gateway_id)
        return await super().close(gateway_id)


@pytest.fixture
async def sale(db: Database) -> Sale:
    return Sale(db, await add_flight(db, departure()), OutOfReach())


async def test_a_round_that_fails_is_logged_and_the_next_one_does_its_work(
    sale: Sale, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await sale.buyer("ada")
    reference, _ = await sale.checked_out(ada, "7C")
    sale.now_s += HOLD_S
    rounds: asyncio.Queue[sweeper.Swept | None] = asyncio.Queue()

    sweeping = asyncio.create_task(sweeper.sweep_for_ever(sale.db, sale.bank, lambda: sale.now_s, 0, rounds.put_nowait))
    first, second = await rounds.get(), await rounds.get()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)

    assert first is None
    assert second is not None
    assert (second.reconciled, second.expired) == (1, 1)
    assert "The sweep stopped at" in caplog.text
    assert (await sale.booking(ada, reference)).state == "expired"


async def test_many_sweepers_at_once_do_each_thing_once(sale: Sale) -> None:
    ada, grace = await sale.buyer("ada"), await sale.buyer("grace")
    await sale.cancel(ada, await sale.ticketed(ada, "7C"))
    await sale.hold(grace, "7D")
    sale.now_s += HOLD_S

    swept = await asyncio.gather(*(sweeper.sweep(sale.db, sale.bank, sale.now_s) for _ in range(10)))

    assert sum(each.expired for each in swept) == 1
    assert sum(each.refunded for each in swept) == 1
    assert sale.bank.kept_minor == 79_000 - 55_300
