"""What a visitor does once it is inside: finds a flight, chooses a seat, signs up, holds, pays, and has its ticket. It
thinks between the steps, as people do, though not for so long."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode

from scripts.benches.raw_http import Reply
from scripts.benches.selling.books import Visitor
from scripts.benches.selling.browser import JSON, Browser
from scripts.benches.selling.clock import now_ms

# Who finds the chosen seat taken chooses another, so many times in all.
MOST_WISHES = 8
# Asks again, so many times and so long after, where the site says that it can't now.
MOST_TRIES, AGAIN_S = 3, 1.0
CARD = urlencode({"card_number": "4242 4242 4242 4242", "card_expires": "12/49", "card_code": "123"})
PASSWORD = "the analytical engine"


class Site(Protocol):
    """Who brings requests, and takes the time of each by its name. None: it was never answered."""

    def ask(self, step: str, request: bytes) -> Awaitable[Reply | None]: ...

    def ask_bank(self, step: str, request: bytes) -> Awaitable[Reply | None]: ...


class UnexpectedError(Exception):
    """An answer with which the trip cannot go on."""

    def __init__(self, step: str, reply: Reply | None) -> None:
        said = f"{reply.status} {reply.body[:200]!r}" if reply else "no answer"
        super().__init__(f"{step}: {said}")


class Trip:
    """One visitor's. `think_s` is the longest that it thinks between two steps; `search` is what it looks for, as the
    query of a search."""

    def __init__(
        self, site: Site, visitor: Visitor, browser: Browser, chance: Random, think_s: float, search: str
    ) -> None:
        self._site, self._visitor, self._browser = site, visitor, browser
        self._chance, self._think_s, self._search = chance, think_s, search

    async def make(self) -> bool:
        """Whether it came to a ticket; False where there was no seat to be had. Raises UnexpectedError."""
        found = await self._get("search", f"/api/flights?{self._search}")
        open_flights = [flight for flight in found["flights"] if any(cabin["free"] for cabin in flight["cabins"])]
        if not open_flights:
            return False
        flight = self._chance.choice(open_flights)["id"]
        account = {"email": f"{self._visitor.who}@example.org", "name": "Ada Lovelace", "password": PASSWORD}
        await self._post("sign up", "/api/accounts", account)
        held = await self._held(flight)
        if not held:
            return False
        reference = self._visitor.booking = held["reference"]
        checkout = await self._post("check out", f"/api/bookings/{reference}/checkout", {})
        await self._pay(checkout["pay_url"])
        await self._settle(reference, flight)
        return True

    async def _held(self, flight: int) -> Any:
        """The booking of a seat, or None where all that were tried are somebody else's."""
        for _ in range(MOST_WISHES):
            seats = (await self._get("seat map", f"/api/flights/{flight}/seats"))["seats"]
            free = [seat["label"] for seat in seats if seat["state"] == "free"]
            if not free:
                return None
            wish = {"seats": [self._chance.choice(free)], "passengers": ["Ada Lovelace"]}
            hold = partial(self._browser.post, f"/api/flights/{flight}/holds", wish)
            reply = await self._answered("hold", hold)
            if reply.status == 201:
                return content(reply)
            if reply.status != 409:
                raise UnexpectedError("hold", reply)
        return None

    async def _pay(self, url: str) -> None:
        """At the bank, which is nobody's whom waitroom guards."""
        await self._think()
        target = "/" + url.split("/", 3)[3]
        head = f"POST {target} HTTP/1.1\r\nHost: bank\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        reply = await self._site.ask_bank("pay", f"{head}Content-Length: {len(CARD)}\r\n\r\n{CARD}".encode())
        if not reply or reply.status != 303:
            raise UnexpectedError("pay", reply)

    async def _settle(self, reference: str, flight: int) -> None:
        """The answer with the ticket gives the place back."""
        self._visitor.ended_ms = now_ms()
        settled = await self._post("ticket", f"/api/bookings/{reference}/settlement", {}, thinks=False)
        tickets = [passenger for passenger in settled["passengers"] if passenger["ticket"]]
        if not tickets:
            raise UnexpectedError("ticket", None)
        self._visitor.seats = [f"{flight}:{passenger['seat']}" for passenger in tickets]

    async def _get(self, step: str, target: str) -> Any:
        reply = await self._answered(step, lambda: self._browser.get(target, JSON))
        if reply.status != 200:
            raise UnexpectedError(step, reply)
        return content(reply)

    async def _post(self, step: str, target: str, body: dict[str, Any], *, thinks: bool = True) -> Any:
        reply = await self._answered(step, lambda: self._browser.post(target, body), thinks=thinks)
        if reply.status not in {200, 201}:
            raise UnexpectedError(step, reply)
        return content(reply)

    async def _answered(self, step: str, request: Callable[[], bytes], *, thinks: bool = True) -> Reply:
        """Asks again where the site says that it can't now; that is not counted as an answer that took longer."""
        if thinks:
            await self._think()
        reply = None
        for _ in range(MOST_TRIES):
            reply = await self._site.ask(step, request())
            if reply and reply.status not in {429, 503}:
                self._browser.keep(reply)
                self._visitor.answers += 1
                self._visitor.served_ms = now_ms()
                return reply
            await asyncio.sleep(AGAIN_S)
        raise UnexpectedError(step, reply)

    async def _think(self) -> None:
        await asyncio.sleep(self._chance.uniform(self._think_s / 5, self._think_s))


def content(reply: Reply) -> Any:
    """The JSON of an answer, compressed or not."""
    is_compressed = reply.field(b"content-encoding") == b"gzip"
    return json.loads(gzip.decompress(reply.body) if is_compressed else reply.body)
