"""What the booking tests work with: a clock they hold, admissions of their own, and visitors over HTTP."""

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Self

from aiohttp import ClientSession, CookieJar
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Executable, Row, insert, select
from yarl import URL

from booking.account import Account
from booking.airports import AIRPORTS
from booking.app import build
from booking.cabins import SHORT_HAUL
from booking.db import Database
from booking.seed import add
from booking.settings import read
from booking.tables import DeliveryState, accounts, flights, metadata, outbox
from booking.timetable import Departure
from tests.booking.bank import PAYS, PrivateSandbox
from tests.servers import PATIENCE_S

# Method and path, as the router has them.
Route = tuple[str, str]

# Friday, 15 January 2027, 08:00 UTC.
NOW_S = 1_800_000_000
HOUR_S = 3_600
HOLD_S = 900
PASSWORD = "correct horse battery staple"


# What a route of the API takes, by the end of its path; others take an empty object.
BODIES: dict[str, object] = {"holds": {"seats": ["7D"]}, "passengers": {"passengers": ["Ada Lovelace"]}}
HAVE_BODIES = frozenset({"POST", "PUT", "PATCH"})


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return float(self.now_s)

    def pass_s(self, seconds: int) -> None:
        self.now_s += seconds


class Room:
    """A waiting room as far as a site can tell: a key, the file of its key set, and the admissions it signs."""

    def __init__(self, folder: Path, kid: str = "room-1") -> None:
        self.kid = kid
        folder.mkdir(exist_ok=True)
        self.key_file = folder / f"{kid}.json"
        self._key = Ed25519PrivateKey.generate()
        self.key_file.write_text(json.dumps({"keys": [self.jwk]}))

    @property
    def jwk(self) -> dict[str, str]:
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": self.kid,
            "x": _encoded(self._key.public_key().public_bytes_raw()),
        }

    def admission(self, **claims: Any) -> str:
        """A token as docs/admission-token.md has it, of another visitor each, and good for a day, unless a claim says
        otherwise."""
        sub = secrets.token_urlsafe(16)
        good = {"iss": "waitroom", "aud": "site", "sub": sub, "room": "site", "num": 7, "jti": "1"}
        times = {"iat": NOW_S - 60, "nbf": NOW_S - 60, "exp": NOW_S + 24 * HOUR_S}
        header = {"alg": "EdDSA", "typ": "admission+jwt", "kid": self.kid}
        body = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(good | times | claims).encode())}"
        return f"{body}.{_encoded(self._key.sign(body.encode()))}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        return str(self.json["code"])


class Visitor:
    """A browser or an app with a cookie jar of its own, let in by the waiting room, with a card of the bank."""

    def __init__(self, address: URL, bank: PrivateSandbox, admission: str | None) -> None:
        self._bank = bank
        self._address = str(address).rstrip("/")
        headers = {"X-Waitroom-Admission": admission} if admission else {}
        self._session = ClientSession(headers=headers, cookie_jar=CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._session.close()

    def carry(self, admission: str) -> Self:
        """From now on, the waiting room sends another admission along."""
        self._session.headers["X-Waitroom-Admission"] = admission
        return self

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        url = URL(self._address + path, encoded=True)
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def page(self, path: str) -> Answer:
        return await self.get(path, headers={"Accept": "text/html"})

    async def post(self, path: str, document: object) -> Answer:
        """As an app does: JSON."""
        return await self.ask("POST", path, json=document)

    async def call(self, method: str, path: str) -> Answer:
        """As an app does, with a body that fits the route."""
        body = BODIES.get(path.rpartition("/")[2], {})
        return await self.ask(method, path, json=body if method in HAVE_BODIES else None)

    async def submit(self, page: str, path: str, **fields: str) -> Answer:
        """As a browser does: loads the page with the form, and sends the form with its token."""
        form_token = re.search(r'name="form_token" value="([^"]+)"', (await self.page(page)).text)
        assert form_token, f"{page} has no form"
        data = {"form_token": form_token[1], **fields}
        return await self.ask("POST", path, data=data, headers={"Accept": "text/html"})

    @property
    def admission(self) -> str:
        """What the waiting room sends along."""
        return self._session.headers["X-Waitroom-Admission"]

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self._session.cookie_jar}

    def log_in(self, access_token: str) -> Self:
        """Without asking for it."""
        self._session.cookie_jar.update_cookies({"halcyon-access": access_token}, URL(self._address))
        return self

    async def sign_up(self, name: str = "Ada Lovelace") -> Self:
        email = f"{name.replace(' ', '.')}@example.org"
        answer = await self.post("/api/accounts", {"email": email, "name": name, "password": PASSWORD})
        assert answer.status == 201, answer.text
        return self

    async def hold(self, flight_id: int, *seats: str, **members: object) -> Answer:
        """Of a party, each with a name."""
        names = [f"Passenger {letter}" for letter in ascii_uppercase[: len(seats)]]
        wish = {"seats": seats, "passengers": names, **members}
        return await self.post(f"/api/flights/{flight_id}/holds", wish)

    async def held(self, flight_id: int, *seats: str) -> str:
        """Holds seats that are free; returns the reference."""
        answer = await self.hold(flight_id, *seats)
        assert answer.status == 201, answer.text
        return str(answer.json["reference"])

    async def check_out(self, reference: str) -> Answer:
        return await self.post(f"/api/bookings/{reference}/checkout", {})

    async def settle(self, reference: str) -> Answer:
        return await self.post(f"/api/bookings/{reference}/settlement", {})

    async def pay(self, reference: str, card: str = PAYS) -> Answer:
        """All the way to the bank and back. Where one can't go, what was said."""
        checkout = await self.check_out(reference)
        if checkout.status != 200:
            return checkout
        await self._bank.pay(checkout.json["pay_url"], card)
        return await self.settle(reference)

    async def cancel(self, reference: str) -> Answer:
        return await self.post(f"/api/bookings/{reference}/cancellation", {})

    async def seat_state(self, flight_id: int, label: str) -> str:
        answer = await self.get(f"/api/flights/{flight_id}/seats")
        return next(str(seat["state"]) for seat in answer.json["seats"] if seat["label"] == label)


def all_routes() -> list[Route]:
    """What the router knows, so that a test of every route cannot forget a new one."""
    routes = build(read({})).router.routes()
    return sorted(
        {(route.method, route.resource.canonical) for route in routes if route.resource and route.method != "HEAD"}
    )


def departure(departs_s: int = NOW_S + 48 * HOUR_S, **changes: Any) -> Departure:
    """A flight of 80 seats from Incheon to Jeju."""
    values: dict[str, Any] = {
        "number": "H7 102",
        "origin": "ICN",
        "destination": "CJU",
        "departs_on": AIRPORTS[changes.get("origin", "ICN")].local(departs_s).date(),
        "departs_s": departs_s,
        "arrives_s": departs_s + HOUR_S,
        "aircraft": SHORT_HAUL,
        "grade": "standard",
        "economy_minor": 79_000,
        "business_minor": 173_800,
        "currency": "KRW",
    }
    return Departure(**(values | changes))


async def add_flight(db: Database, wanted: Departure) -> int:
    """Adds one flight with all its seats; returns its id."""
    await db.write(add, wanted.departs_on, [wanted])
    query = select(flights.c.id).where(flights.c.number == wanted.number, flights.c.departs_on == wanted.departs_on)
    return int((await rows(db, query))[0].id)


async def add_buyers(db: Database, count: int) -> list[Account]:
    """Accounts for a crowd, whose log-in is not what a test is about."""
    people = [Account(number, f"{number}@example.org", f"Buyer {number}", "en") for number in range(1, count + 1)]
    values = [
        {"id": one.id, "email": one.email, "name": one.name, "language": "en", "password_hash": "-", "created_s": NOW_S}
        for one in people
    ]
    async with db.engine.begin() as connection:
        await connection.execute(insert(accounts), values)
    return people


async def rows(db: Database, query: Executable) -> list[Row[Any]]:
    """What the database itself says."""
    async with db.reading("test") as connection:
        return list(await connection.execute(query))


async def everything(db: Database) -> dict[str, list[Row[Any]]]:
    """All records, to see whether anything has changed: once what was announced by now is delivered, beside the
    requests."""
    due = select(outbox.c.id).where(outbox.c.state == DeliveryState.DUE)
    async with asyncio.timeout(PATIENCE_S):
        while await rows(db, due):
            await asyncio.sleep(0.02)
    return {table.name: await rows(db, select(table)) for table in metadata.sorted_tables}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
