"""The audit log: who did what to a booking, when, and which step it took. Rows are added here, and nowhere changed."""

import json

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.tables import BookingState, audit_log

SWEEPER = "sweeper"
GATEWAY = "gateway"

_ADD = insert(audit_log)


def account(account_id: int) -> str:
    """The actor that an account is."""
    return f"account:{account_id}"


async def record(
    connection: AsyncConnection,
    booking_id: int,
    actor: str,
    event: str,
    now_s: int,
    *,
    before: BookingState | None = None,
    after: BookingState | None = None,
    **detail: object,
) -> None:
    """Adds a line, in the transaction of what it tells. `before` and `after` where the booking's state changed."""
    line = {
        "at_s": now_s,
        "booking_id": booking_id,
        "actor": actor,
        "event": event,
        "before": before,
        "after": after,
        "detail": json.dumps(detail, separators=(",", ":")),
    }
    await connection.execute(_ADD, line)
