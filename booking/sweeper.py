"""What no request does: settles payments left open, ends lapsed holds, gives back what is due. Many may run at once."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from booking import holds, once, payments, refunds
from booking.db import Database
from booking.errors import Problem
from booking.gateway import Gateway

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many of each one sweep did. Forgotten are idempotency keys whose time is over."""

    reconciled: int
    expired: int
    refunded: int
    forgotten: int

    def __bool__(self) -> bool:
        return any((self.reconciled, self.expired, self.refunded))


async def sweep(db: Database, gateway: Gateway, now_s: int) -> Swept:
    """One round. Payments come first: what they leave unpaid may have lapsed, and what they captured in vain is due."""
    return Swept(
        reconciled=await payments.reconcile(db, gateway, now_s),
        expired=await holds.expire(db, now_s),
        refunded=await refunds.refund(db, gateway, now_s),
        forgotten=await once.purge(db, now_s),
    )


async def sweep_for_ever(
    db: Database, gateway: Gateway, now_s: Callable[[], int], every_s: int, observe: Callable[[Swept | None], None]
) -> None:
    """Runs until cancelled. A round that fails is logged, and the next one does its work. `observe` is told of each
    round, None for one that failed."""
    while True:
        swept = None
        try:
            swept = await sweep(db, gateway, now_s())
        except Problem as exc:
            log.warning("The sweep stopped at: %s The next one is due in %d s.", exc.detail, every_s)
        except Exception:
            log.exception(
                "The sweep failed. The next one is due in %d s; if this repeats, look at the records.", every_s
            )
        else:
            if swept:
                log.info("%s", swept)
        observe(swept)
        await asyncio.sleep(every_s)
