"""A poll as it is written where the line is a sorted set: aiohttp, the visitor's signed ticket, and a ZRANK for each.

`scripts/bench poll` compares waitroom with it. Tickets, and what is answered, are waitroom's own; nothing but the place
is found out, and nothing is counted or written down.
"""

import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiohttp import web
from redis.asyncio import Redis

from waitroom.cookies import TICKET_MAX_AGE_S
from waitroom.estimate import Estimate
from waitroom.pace import poll_after_ms
from waitroom.place import Place
from waitroom.ticket import TicketSigner

PRESENCE_MS, POLLS_PER_SECOND = 3_600_000, 10_000
ESTIMATE = Estimate(rate_per_s=0.1, free=100_000, slow_per_s=0.05, fast_per_s=1.0)
FIELDS = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}


@dataclass(frozen=True, slots=True)
class Polls:
    """Answers them. The line is the set at `key`, of `size` numbers."""

    redis: Redis
    key: str
    size: int
    cookie: str
    tickets: TicketSigner

    async def answer(self, request: web.Request) -> web.Response:
        """The place of who asks."""
        ticket = self.tickets.read(request.cookies[self.cookie])
        rank = await self.redis.zrank(self.key, str(ticket.number))
        if not isinstance(rank, int):
            raise web.HTTPNotFound
        wait_s = ESTIMATE.wait_s(rank + 1)
        after_ms = poll_after_ms(
            wait_s,
            self.size,
            presence_ms=PRESENCE_MS,
            polls_per_second=POLLS_PER_SECOND,
            chance=random.random(),
        )
        place = Place("waiting", after_ms, rank + 1, self.size, wait_s)
        place.kept_until_ms = (ticket.issued_s + TICKET_MAX_AGE_S) * 1000
        return web.json_response(text=place.to_json(), headers=FIELDS)

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """While it serves."""
        yield
        await self.redis.aclose()


def main(port: str, path: str, redis_url: str, key: str, size: str, cookie: str, secret: str) -> None:
    """Serves polls at the path until it is ended. `secret` is the file of the tickets' secret."""
    tickets = TicketSigner([bytes.fromhex(Path(secret).read_text().strip())])
    polls = Polls(Redis.from_url(redis_url), key, int(size), cookie, tickets)
    app = web.Application()
    app.router.add_get(path, polls.answer)
    app.cleanup_ctx.append(polls.connected)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    uvloop.install()
    main(*sys.argv[1:])
