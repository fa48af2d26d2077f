"""The way to a ticket by the pages, a step at a time: seats, names, the bank."""

from tests.booking.bench import Answer, Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, seat_box


async def chosen(visitor: Visitor, flight_id: int, *labels: str) -> str:
    """Holds seats by the map; returns the reference."""
    flight = f"/flights/{flight_id}"
    page = await visitor.page(flight)
    answer = await fill_in(visitor, page, flight, seat=[seat_box(page, label) for label in labels])
    return answer.headers["Location"].split("/")[2]


async def named(visitor: Visitor, flight_id: int, **names: str) -> str:
    """Holds one seat a name, and says the names; returns the reference."""
    reference = await chosen(visitor, flight_id, *("7C", "7D", "8C")[: len(names)])
    path = f"/bookings/{reference}/passengers"
    await fill_in(visitor, await visitor.page(path), path, **names)
    return reference


async def to_the_bank(visitor: Visitor, reference: str) -> Answer:
    path = f"/bookings/{reference}/pay"
    return await fill_in(visitor, await visitor.page(path), path)


async def bought(site: Site, visitor: Visitor, flight_id: int) -> str:
    reference = await named(visitor, flight_id, passenger_1="Ada Lovelace", passenger_2="Grace Hopper")
    led = await to_the_bank(visitor, reference)
    await site.bank.pay(led.headers["Location"])
    await visitor.page(f"/bookings/{reference}/return")
    return reference
