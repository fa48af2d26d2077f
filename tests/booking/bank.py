"""A sandbox bank of a test's own: a process on a private port, with a ledger that outlives it when it is killed."""

import asyncio
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.servers import free_port, stop, wait_until

SECRET = "whsec_" + "c2FuZGJveCBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBi"
# Only what the bank needs: a test starts it often.
COMMAND = (
    "import os; from booking.sandbox.command import sandbox; from booking.settings import read;"
    "sandbox.main(obj=read(os.environ))"
)

# More than it takes on a busy machine.
START_S = 60

# What becomes of each, on the pay page.
PAYS = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
INSUFFICIENT_FUNDS = "4000 0000 0000 9995"
PAYS_UNSEEN = "4000 0000 0000 0119"


class PrivateSandbox:
    """The bank of the site at `site_url`, which it tells what happened. `url` and `secret` are what the site needs to
    know: BOOKING_SANDBOX_URL and BOOKING_SANDBOX_SECRET."""

    def __init__(self, folder: Path, site_url: str = "http://127.0.0.1:1", webhook_url: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.site_url = site_url
        self.webhook_url = webhook_url or f"{site_url}/webhooks/sandbox"
        self.secret = SECRET
        self.log = folder / "bank.log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. After `kill`, it has its ledger again, and no faults."""
        command = [sys.executable, "-c", COMMAND, "--webhook-url", self.webhook_url]
        ours = {
            "BOOKING_SANDBOX_URL": self.url,
            "BOOKING_SANDBOX_SECRET": self.secret,
            "BOOKING_PUBLIC_URL": self.site_url,
            "BOOKING_STATE_FOLDER": str(self._folder),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **ours}, stdout=log, stderr=log)
        wait_until(self._answers, START_S)

    def stop(self) -> None:
        if self._process:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """As a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        if self._process:
            os.kill(self._process.pid, signal.SIGSTOP)

    async def pay(self, pay_url: str, card: str = PAYS) -> str:
        """Types a card into the pay page, as a browser would: where the bank leads to then."""
        typed = {"card_number": card, "card_expires": "12/49", "card_code": "123"}
        async with ClientSession() as session, session.post(pay_url, data=typed, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
            return response.headers["Location"]

    def order(self, **changes: object) -> dict[str, object]:
        """An order that it takes, with a key of its own."""
        ours = {
            "key": secrets.token_hex(8),
            "reference": "QWERTY",
            "amount_minor": 12_300,
            "currency": "USD",
            "return_url": f"{self.site_url}/bookings/QWERTY/return",
            "email": "ada@example.org",
            "language": "en",
        }
        return {**ours, **changes}

    async def open(self, **changes: object) -> Any:
        """A checkout, as its API tells of it."""
        return await self.call("POST", "/v1/checkouts", self.order(**changes))

    async def state(self, checkout: Any) -> str:
        return str((await self.call("GET", f"/v1/checkouts/{checkout['id']}"))["state"])

    async def faults(self, **faults: Any) -> None:
        """From now on it has these faults, and no others: see booking.sandbox.faults."""
        await self.call("POST", "/v1/faults", faults)

    async def call(self, method: str, path: str, document: object = None) -> Any:
        """Its API, as the site calls it: what it answers as JSON."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        async with (
            ClientSession(self.url, headers=headers) as session,
            session.request(method, path, json=document) as response,
        ):
            assert response.status < 300, await response.text()
            return await response.json() if response.status == 200 else None

    async def forget_events(self) -> None:
        """What it has not told by now, it tells nobody. It has no faults afterwards."""
        while not self.has_told_all():
            with closing(self._ledger()) as ledger, ledger:
                ledger.execute("UPDATE events SET due_s = 0 WHERE due_s IS NOT NULL")
            # It is woken by that, too.
            await self.faults(drop_webhooks=True)
            await asyncio.sleep(0.02)
        await self.faults()

    def has_told_all(self) -> bool:
        """Whether no event is left to be told, nor on its way."""
        return not self.rows("SELECT id FROM events WHERE due_s IS NOT NULL")

    def rows(self, query: str, *values: str) -> list[Any]:
        """What its ledger has."""
        with closing(self._ledger()) as ledger:
            return list(ledger.execute(query, values))

    def _ledger(self) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / "bank.db", timeout=START_S)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False
