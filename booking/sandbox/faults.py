"""Faults on demand: what goes wrong until it is told otherwise. A bank that is started anew has none."""

from typing import Annotated, Literal

from pydantic import Field

from booking.sandbox.orders import Request

Operation = Literal["open", "ask", "close", "refund"]


class Faults(Request):
    """`refuse`: answered by 503, nothing done. `lose_answers`: done, then the connection is cut. `delay_s`: each call
    waits so long before it is done. Webhooks come late, several times, or never."""

    refuse: frozenset[Operation] = frozenset()
    lose_answers: frozenset[Operation] = frozenset()
    delay_s: Annotated[float, Field(ge=0, le=60)] = 0
    webhook_delay_s: Annotated[float, Field(ge=0, le=3600)] = 0
    webhook_copies: Annotated[int, Field(ge=1, le=10)] = 1
    drop_webhooks: bool = False
