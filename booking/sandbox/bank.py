"""What a running bank is made of. The composition root builds one; API, pay page and messenger reach it by its key."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from jinja2 import Environment

from booking.sandbox.faults import Faults
from booking.sandbox.ledger import Entry, State, finish, refund
from booking.sandbox.ledger_file import LedgerFile
from booking.sandbox.messenger import Messenger
from booking.sandbox.orders import RefundOrder


@dataclass(frozen=True, slots=True)
class Terms:
    """How the bank is run. `url` is where browsers and the site find it; payers go back to the site at `site_url`, and
    nowhere else. The `secret` opens the API and signs the webhooks."""

    url: str
    site_url: str
    webhook_url: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class Bank:
    """`faults` are those of now."""

    terms: Terms
    ledger: LedgerFile
    messenger: Messenger
    templates: Environment
    faults: Faults = field(default_factory=Faults)

    def pay_url(self, checkout_id: str) -> str:
        return f"{self.terms.url}/pay/{checkout_id}"

    async def finish(self, checkout_id: str, state: State, reason: str = "") -> Entry:
        """Gives a checkout its last state, and tells the site."""
        return await self._tell(finish, checkout_id, state, reason)

    async def refund(self, checkout_id: str, order: RefundOrder) -> Entry:
        """Gives money back, and tells the site."""
        return await self._tell(refund, checkout_id, order)

    async def _tell(self, work: Callable[..., Entry], *args: object) -> Entry:
        now_s = time.time()
        entry = await self.ledger.write(work, *args, now_s, now_s + self.faults.webhook_delay_s)
        self.messenger.wake()
        return entry


BANK = web.AppKey("bank", Bank)


def cut(request: web.Request) -> web.Response:
    """No answer: the connection ends, as if the network had failed after the work was done."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
