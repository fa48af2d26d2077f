"""The inbox: what gateways tell us unasked. Each event is kept once, answered, and then looked into until that is done.

An event says only that something may have changed: what has, the gateway is asked. So events may come late, twice and
in any order.
"""

import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from sqlalchemy import Row, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import payments
from booking.db import Database
from booking.errors import Unknown
from booking.gateway import Event, Gateway
from booking.sentences import say
from booking.tables import DeliveryState, inbox
from booking.worker import Worker

# What the table has room for; the events that matter here are a hundredth of it.
LARGEST_BODY = 2**16 - 1

log = logging.getLogger(__name__)


class Inbox:
    """Of one gateway."""

    def __init__(self, db: Database, gateway: Gateway, now_s: Callable[[], int]) -> None:
        self._db = db
        self._gateway = gateway
        self._now_s = now_s
        self.worker = Worker(db, inbox, self.look_into, now_s)

    async def receive(self, request: web.Request) -> web.Response:
        """Takes a webhook: `POST /webhooks/{gateway}`. 200 says that it is kept; a gateway repeats what got no 200.

        Raises ForgedEvent.
        """
        if request.match_info["gateway"] != self._gateway.name:
            raise Unknown(say("This site has no gateway %(name)s.", name=request.match_info["gateway"]))
        body = await request.read()
        if len(body) > LARGEST_BODY:
            raise web.HTTPRequestEntityTooLarge(max_size=LARGEST_BODY, actual_size=len(body))
        event = self._gateway.event(request.headers, body)
        if event is not None:
            await self._keep(event, body)
        return web.Response()

    async def _keep(self, event: Event, body: bytes) -> None:
        try:
            await self._db.write(_keep_event, self._gateway.name, event, body, self._now_s())
        except IntegrityError:
            log.info("The event %s has come again.", event.id)
        self.worker.poke()

    async def look_into(self, row: Row[Any]) -> None:
        """Settles the payment that an event is about. Raises GatewayUnavailable."""
        try:
            state = await payments.settle(self._db, self._gateway, row.payment_key, self._now_s())
        except Unknown:
            log.warning("The event %s is about a payment that is not ours: %s.", row.event_id, row.payment_key)
        else:
            log.info("The event %s: the payment %s is %s.", row.event_id, row.payment_key, state)


async def _keep_event(connection: AsyncConnection, gateway: str, event: Event, body: bytes, now_s: int) -> None:
    await connection.execute(
        insert(inbox).values(
            gateway=gateway,
            event_id=event.id,
            payment_key=event.payment_key,
            body=body,
            state=DeliveryState.DUE,
            attempts=0,
            due_s=now_s,
            received_s=now_s,
        )
    )
