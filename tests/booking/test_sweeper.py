"""The sweeper goes on for ever, whatever one round meets."""

import asyncio

import pytest
from sqlalchemy import select

from booking import sweeper
from booking.db import Database
from booking.errors import GatewayUnavailable
from booking.gateway import Charge
from booking.payments import GIVEN_UP_AFTER_S, begin
from booking.sandbox import SandboxGateway
from booking.tables import accounts
from tests.booking.bench import HOLD_S, NOW_S, Visitor, rows
from tests.booking.conftest import Site


class OutOfReach(SandboxGateway):
    """A bank that cannot be reached the first time."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.asked = 0
        self.reached = asyncio.Event()

    async def resolve(self, key: str) -> Charge:
        self.asked += 1
        if self.asked == 1:
            raise GatewayUnavailable
        self.reached.set()
        return await super().resolve(key)


async def test_a_round_that_fails_is_logged_and_the_next_one_does_its_work(
    site: Site, ada: Visitor, flight_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    reference = await ada.held(flight_id, "7C")
    [account] = await rows(site.db, select(accounts.c.id))
    await begin(site.db, account.id, reference, "Ada", NOW_S)
    bank = OutOfReach(site.db)

    sweeping = asyncio.create_task(sweeper.sweep_for_ever(site.db, bank, lambda: NOW_S + GIVEN_UP_AFTER_S, 0))
    await asyncio.wait_for(bank.reached.wait(), timeout=20)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)

    assert "The sweep stopped at" in caplog.text


async def test_many_sweepers_at_once_free_each_seat_once(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    await ada.held(flight_id, "7C")
    await grace.held(flight_id, "7D")

    swept = await asyncio.gather(*(sweeper.sweep(site.db, SandboxGateway(site.db), NOW_S + HOLD_S) for _ in range(10)))

    assert sum(each.expired for each in swept) == 2
    assert await ada.seat_state(flight_id, "7C") == "free"
