"""The outbox: what people and other systems are to be told, written in the transaction that makes it true.

So it is sent exactly when that is committed. It leaves once as far as the protocols allow: who takes a message and dies
before that is on record is sent it again, and knows it by its id (Message-ID of a mail, webhook-id of an event).
"""

import json
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import trace_parent
from booking.tables import DeliveryState, outbox

# In the payload as it is kept. It is not handed on: receivers are not ours.
TRACE = "_traceparent"

_ADD = insert(outbox)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was announced. `kind` is `mail` or `webhook`; `at_s` is when it became true; `trace` is that of
    the request which made it true, as in trace_parent."""

    key: str
    kind: str
    event: str
    address: str
    payload: dict[str, Any]
    at_s: int
    trace: str = ""

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        payload = json.loads(row.payload)
        trace = payload.pop(TRACE, "")
        return cls(row.key, row.kind, row.event, row.address, payload, row.created_s, trace)


async def announce(
    connection: AsyncConnection, kind: str, event: str, key: str, address: str, payload: dict[str, object], now_s: int
) -> None:
    """Has a message sent once this transaction is committed, and never otherwise. `key` is the message's own."""
    if trace := trace_parent.current.get():
        payload = payload | {TRACE: trace}
    message = {
        "key": key,
        "kind": kind,
        "event": event,
        "address": address,
        "payload": json.dumps(payload, separators=(",", ":")),
        "state": DeliveryState.DUE,
        "attempts": 0,
        "due_s": now_s,
        "created_s": now_s,
    }
    await connection.execute(_ADD, message)
