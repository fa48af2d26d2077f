"""The connection to the database is lost at COMMIT: nobody knows whether it happened, and the key of the request tells.

Each step from the hold to the refund, and the line cut before the COMMIT arrives and after it was carried out.
"""

import secrets

import pytest
from sqlalchemy import select

from booking.invariants import breaches
from booking.once import LOCK_S
from booking.tables import RefundState, bookings, outbox, payments, refunds
from tests.booking.bench import Answer, Visitor, rows
from tests.booking.conftest import Site
from tests.booking.severance import Cut, Line

# By what each transaction of a trip is known.
STEPS = {
    "hold": "INSERT INTO bookings",
    "names": "UPDATE passengers SET name",
    "payment begun": "INSERT INTO payments",
    "payment offered": "UPDATE payments SET gateway_id",
    "tickets": "UPDATE passengers SET ticket",
    "cancellation": "INSERT INTO refunds",
}
UNKNOWN, BUSY = (503, "outcome_unknown"), (409, "idempotency_key_in_use")


@pytest.fixture
def database_url(url_by_line: str) -> str:
    return url_by_line


class Insistent:
    """An app that repeats a request by its key until it gets an answer, and remembers what it was told before."""

    def __init__(self, site: Site, visitor: Visitor) -> None:
        self._site = site
        self._visitor = visitor
        self.told: list[tuple[int, str]] = []

    async def send(self, method: str, path: str, document: object) -> Answer:
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        while True:
            answer = await self._visitor.ask(method, path, json=document, headers=headers)
            if answer.status < 400:
                return answer
            self.told.append((answer.status, answer.code))
            assert self.told[-1] in {UNKNOWN, BUSY}, answer.text
            if self.told[-1] == BUSY:
                self._site.clock.pass_s(LOCK_S)

    async def travel(self, flight_id: int) -> None:
        """Holds, names, pays and gives it up."""
        held = await self.send("POST", f"/api/flights/{flight_id}/holds", {"seats": ["7C", "7D"]})
        booking = held.headers["Location"]
        await self.send("PUT", f"{booking}/passengers", {"passengers": ["Ada Lovelace", "Grace Hopper"]})
        checkout = await self.send("POST", f"{booking}/checkout", {})
        await self._site.bank.pay(checkout.json["pay_url"])
        settled = await self.send("POST", f"{booking}/settlement", {})
        assert settled.json["state"] == "ticketed"
        await self.send("POST", f"{booking}/cancellation", {})


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("step", STEPS)
async def test_a_commit_of_which_nobody_heard_happens_once(
    site: Site, line: Line, ada: Visitor, flight_id: int, step: str, cut: Cut
) -> None:
    app = Insistent(site, ada)
    line.cut_at(STEPS[step], cut)

    await app.travel(flight_id)

    assert app.told == [UNKNOWN]
    await require_one_trip(site)


@pytest.mark.parametrize("cut", Cut)
async def test_a_key_of_which_nobody_heard_is_free_again_when_its_lock_has_run_out(
    site: Site, line: Line, ada: Visitor, flight_id: int, cut: Cut
) -> None:
    """The request has not begun; but the key may be taken."""
    app = Insistent(site, ada)
    line.cut_at("INSERT INTO idempotency_keys", cut)

    await app.travel(flight_id)

    assert app.told == ([UNKNOWN] if cut is Cut.BEFORE else [UNKNOWN, BUSY])
    await require_one_trip(site)


async def require_one_trip(site: Site) -> None:
    """One booking, one payment, one refund, and the mails about them once."""
    assert await breaches(site.db) == []
    assert [row.state for row in await rows(site.db, select(bookings))] == ["cancelled"]
    assert [row.state for row in await rows(site.db, select(payments))] == ["captured"]
    assert [row.state for row in await rows(site.db, select(refunds))] == [RefundState.DUE]
    mails = await rows(site.db, select(outbox.c.event).where(outbox.c.kind == "mail").order_by(outbox.c.id))
    assert [mail.event for mail in mails] == ["ticketed", "cancelled"]
