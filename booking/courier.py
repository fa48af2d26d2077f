"""The courier: brings what the outbox holds to those it is for, by mail or by webhook."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import Row

from booking import bookings
from booking.db import Database
from booking.letters import Letters, is_still_true
from booking.outbox import Delivery
from booking.smtp import Server
from booking.tables import outbox
from booking.webhooks import Receiver
from booking.worker import GiveUpError, Worker

log = logging.getLogger(__name__)


class Courier:
    """Without a server, mails are logged and not sent; without a receiver, nobody wants to know of events."""

    def __init__(self, db: Database, letters: Letters, server: Server | None, receiver: Receiver | None) -> None:
        self._db = db
        self._letters = letters
        self._server = server
        self._receiver = receiver
        # Entered around each delivery.
        self.around: Callable[[Delivery], AbstractContextManager[object]] = nullcontext

    def worker(self, now_s: Callable[[], int]) -> Worker:
        """What does it all the time, or once."""
        return Worker(self._db, outbox, self.deliver, now_s)

    async def deliver(self, row: Row[Any]) -> None:
        """Delivers one row of the outbox. Raises TryLaterError and GiveUpError."""
        delivery = Delivery.of(row)
        with self.around(delivery):
            if delivery.kind == "mail":
                await self._mail(delivery)
            elif self._receiver is not None:
                await self._receiver.send(delivery)

    async def _mail(self, delivery: Delivery) -> None:
        if self._server is None:
            log.info("The mail %s was not sent: BOOKING_SMTP_URL is not set.", delivery.key)
            return
        async with self._db.reading("booking_of_mail") as connection:
            booking = await bookings.of_id(connection, delivery.payload["booking_id"])
        if not is_still_true(delivery.event, booking):
            log.info("The mail %s was not sent: the booking is %s by now.", delivery.key, booking.state)
            return
        try:
            mail = self._letters.write(delivery, booking)
        except ValueError as exc:
            raise GiveUpError(f"the mail {delivery.key} cannot be written: {exc}") from exc
        await self._server.send(mail)
