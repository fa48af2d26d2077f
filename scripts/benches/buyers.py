"""A crowd of buyers as a booking site sees it over HTTP: each takes a seat, or goes all the way to a ticket."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import click
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from scripts.benches.booking_sites import LABELS, FlightOnSale, Headers, Site

# As many buyers are at it at a time: who is done makes room for the next.
AT_ONCE = 40
TIMEOUT = ClientTimeout(total=120)
CARD = {"card_number": "4242 4242 4242 4242", "card_expires": "12/49", "card_code": "123"}
NAME = "Ada Lovelace"
# Who is told to come again, by 503, does so by the same key; at so many in one run something is wrong.
PAUSE_S = 0.05
MOST_BUSY = 500


@dataclass
class Sold:
    """What came of a crowd. `took_ms` has, of each buyer who got what they came for, how long that took, lost seats
    included; `conflicts` counts the lost seats, `busy` the requests that were told to come again."""

    took_ms: list[float] = field(default_factory=list)
    requests: int = 0
    conflicts: int = 0
    busy: int = 0
    elapsed_s: float = 0.0


class Crowd:
    """The buyers of one run at one site."""

    def __init__(self, session: ClientSession, site: Site) -> None:
        self._session = session
        self._site = site
        self.sold = Sold()

    async def hold(self, buyer: Headers, flight: FlightOnSale) -> bool:
        """Goes for the seats of a flight by chance, until one is held or none is left."""
        for label in random.sample(LABELS, len(LABELS)):
            if await self._hold(buyer, flight, {"seats": [label]}):
                return True
        return False

    async def trip(self, buyer: Headers, flight: FlightOnSale) -> bool:
        """Searches, looks at the map, holds a seat that is free by it, names who travels, pays at the bank, and comes
        back for the ticket."""
        await self._ask(buyer, "GET", f"/api/flights?{flight.query}")
        reference = await self._chosen(buyer, flight)
        if not reference:
            return False
        _, checkout = await self._ask(buyer, "POST", f"/api/bookings/{reference}/checkout", {})
        await self._pay(checkout["pay_url"])
        _, settled = await self._ask(buyer, "POST", f"/api/bookings/{reference}/settlement", {})
        if settled["state"] != "ticketed":
            raise click.ClickException(f"booking {reference} was paid, and is {settled['state']}")
        return True

    async def _chosen(self, buyer: Headers, flight: FlightOnSale) -> str:
        """The reference of a seat that is held; empty where the flight is sold out."""
        while True:
            _, shown = await self._ask(buyer, "GET", f"/api/flights/{flight.id}/seats")
            free = [seat for seat in shown["seats"] if seat["state"] == "free"]
            if not free:
                return ""
            seat = random.choice(free)
            wish = {"seats": [{"label": seat["label"], "version": seat["version"]}], "passengers": [NAME]}
            if reference := await self._hold(buyer, flight, wish):
                return reference

    async def _hold(self, buyer: Headers, flight: FlightOnSale, wish: object) -> str:
        """The reference; empty where somebody was faster."""
        status, answer = await self._ask(buyer, "POST", f"/api/flights/{flight.id}/holds", wish, taken=True)
        if status != 201:
            self.sold.conflicts += 1
            return ""
        self._site.told += [(flight.id, passenger["seat"]) for passenger in answer["passengers"]]
        return str(answer["reference"])

    async def _ask(
        self, buyer: Headers, method: str, path: str, document: object = None, *, taken: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON, of a request that has a key of its own if it may change something. Raises ClickException
        where the site refuses, but for a seat that is `taken` where that may be."""
        key = {} if method == "GET" else {"Idempotency-Key": secrets.token_hex(8)}
        status, answer = await self._send(method, path, document, {**buyer, **key})
        while status == HTTPStatus.SERVICE_UNAVAILABLE and self.sold.busy < MOST_BUSY:
            self.sold.busy += 1
            await asyncio.sleep(PAUSE_S)
            status, answer = await self._send(method, path, document, {**buyer, **key})
        if status >= HTTPStatus.BAD_REQUEST and not (taken and answer["code"] == "seat_taken"):
            raise click.ClickException(f"{self._site.way.name}: {method} {path} answered {status}: {answer}")
        return status, answer

    async def _send(self, method: str, path: str, document: object, headers: Headers) -> tuple[int, Any]:
        self.sold.requests += 1
        url = self._site.url + path
        try:
            async with self._session.request(method, url, json=document, headers=headers) as response:
                return response.status, await response.json(content_type=None)
        except (ClientError, TimeoutError) as exc:
            raise click.ClickException(f"{self._site.way.name}: {method} {path} was not answered: {exc!r}") from exc

    async def _pay(self, pay_url: str) -> None:
        async with self._session.post(pay_url, data=CARD, allow_redirects=False) as response:
            if response.status != 303:
                raise click.ClickException(f"the bank answered {response.status}: {await response.text()}")


Errand = Callable[[Crowd, Headers, FlightOnSale], Awaitable[bool]]


async def sell(site: Site, errand: Errand, buyers: Sequence[Headers], choice: Iterator[FlightOnSale]) -> Sold:
    """Sends all buyers to a site, AT_ONCE at a time."""
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=TIMEOUT) as session:
        crowd, coming = Crowd(session, site), iter(buyers)

        async def come_one_after_another() -> None:
            for buyer in coming:
                started = time.perf_counter()
                if await errand(crowd, buyer, next(choice)):
                    crowd.sold.took_ms.append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(come_one_after_another() for _ in range(AT_ONCE)))
        crowd.sold.elapsed_s = time.perf_counter() - started
    return crowd.sold
