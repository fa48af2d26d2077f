"""The bank's ledger: every checkout, refund and event, in an SQLite file of its own. It outlives any crash.

A checkout is open until it is captured, declined or closed, and then stays so. Refunds never come to more than was
captured. The event that tells of a change is written with it, in one transaction.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from sqlite3 import Connection

from booking.sandbox.errors import KeyTaken, NoSuchCheckout, TooMuch
from booking.sandbox.ledger_file import Row
from booking.sandbox.orders import Order, RefundOrder

SCHEMA = """
CREATE TABLE IF NOT EXISTS checkouts (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, terms TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    captured_minor INTEGER NOT NULL CHECK (captured_minor >= refunded_minor), refunded_minor INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    key TEXT PRIMARY KEY, checkout_id TEXT NOT NULL REFERENCES checkouts, amount_minor INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, checkout_id TEXT NOT NULL REFERENCES checkouts, type TEXT NOT NULL, created_s INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_s REAL
) STRICT;
CREATE INDEX IF NOT EXISTS events_due ON events (due_s) WHERE due_s IS NOT NULL;
"""


class State(StrEnum):
    OPEN = "open"
    CAPTURED = "captured"
    DECLINED = "declined"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Entry:
    """A checkout as the ledger has it. `reason` is the code of why it was declined."""

    id: str
    order: Order
    state: State
    reason: str
    captured_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to be told: that something became of the checkout with this key."""

    id: str
    type: str
    checkout_id: str
    key: str
    created_s: int
    attempts: int


def open_checkout(connection: Connection, order: Order) -> Entry:
    """The checkout of the order's key: the one that was there, or else a new one. Raises KeyTaken where what is to be
    paid differs; where one comes back to, and in which language, is as it was told first."""
    connection.execute(
        "INSERT INTO checkouts VALUES (?, ?, ?, ?, '', 0, 0) ON CONFLICT (key) DO NOTHING",
        (f"co_{secrets.token_hex(16)}", order.key, order.model_dump_json(), State.OPEN),
    )
    row = connection.execute("SELECT * FROM checkouts WHERE key = ?", (order.key,)).fetchone()
    entry = _entry(row)
    if _due(entry.order) != _due(order):
        raise KeyTaken(f"{order.key} is the key of another order")
    return entry


def find(connection: Connection, checkout_id: str) -> Entry:
    """Raises NoSuchCheckout."""
    row = connection.execute("SELECT * FROM checkouts WHERE id = ?", (checkout_id,)).fetchone()
    if row is None:
        raise NoSuchCheckout(f"there is no checkout {checkout_id}")
    return _entry(row)


def finish(connection: Connection, checkout_id: str, state: State, reason: str, now_s: float, due_s: float) -> Entry:
    """Gives an open checkout its last state; one that has it already stays as it is. Raises NoSuchCheckout."""
    entry = find(connection, checkout_id)
    if entry.state != State.OPEN:
        return entry
    captured_minor = entry.order.amount_minor if state == State.CAPTURED else 0
    connection.execute(
        "UPDATE checkouts SET state = ?, reason = ?, captured_minor = ? WHERE id = ?",
        (state, reason, captured_minor, checkout_id),
    )
    _announce(connection, checkout_id, f"checkout.{state}", now_s, due_s)
    return find(connection, checkout_id)


def refund(connection: Connection, checkout_id: str, order: RefundOrder, now_s: float, due_s: float) -> Entry:
    """Gives a part of a capture back, once per key. Raises NoSuchCheckout, KeyTaken and TooMuch."""
    entry = find(connection, checkout_id)
    done = connection.execute("SELECT * FROM refunds WHERE key = ?", (order.key,)).fetchone()
    if done is not None:
        if (done["checkout_id"], done["amount_minor"]) != (checkout_id, order.amount_minor):
            raise KeyTaken(f"{order.key} is the key of another refund")
        return entry
    left_minor = entry.captured_minor - entry.refunded_minor
    if order.amount_minor > left_minor or order.currency != entry.order.currency:
        raise TooMuch(f"of {checkout_id}, {left_minor} {entry.order.currency} can be given back")
    connection.execute("INSERT INTO refunds VALUES (?, ?, ?)", (order.key, checkout_id, order.amount_minor))
    connection.execute(
        "UPDATE checkouts SET refunded_minor = refunded_minor + ? WHERE id = ?", (order.amount_minor, checkout_id)
    )
    _announce(connection, checkout_id, "checkout.refunded", now_s, due_s)
    return find(connection, checkout_id)


def due_notices(connection: Connection, now_s: float) -> list[Notice]:
    """The events that are to be told by now."""
    rows = connection.execute(
        "SELECT events.*, key FROM events JOIN checkouts ON checkouts.id = checkout_id WHERE due_s <= ? ORDER BY due_s",
        (now_s,),
    )
    columns = ("id", "type", "checkout_id", "key", "created_s", "attempts")
    return [Notice(*(row[column] for column in columns)) for row in rows]


def next_due_s(connection: Connection) -> float | None:
    """When the next event is to be told, if there is one."""
    row: Row = connection.execute("SELECT min(due_s) AS due_s FROM events").fetchone()
    due_s: float | None = row["due_s"]
    return due_s


def attempted(connection: Connection, notice_id: str, due_s: float | None) -> None:
    """An event was told, or tried in vain: it is tried again at `due_s`, or never."""
    connection.execute("UPDATE events SET attempts = attempts + 1, due_s = ? WHERE id = ?", (due_s, notice_id))


def _announce(connection: Connection, checkout_id: str, kind: str, now_s: float, due_s: float) -> None:
    connection.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, 0, ?)",
        (f"evt_{secrets.token_hex(16)}", checkout_id, kind, int(now_s), due_s),
    )


def _due(order: Order) -> tuple[str, int, str]:
    return order.reference, order.amount_minor, order.currency


def _entry(row: Row) -> Entry:
    return Entry(
        id=row["id"],
        order=Order.model_validate_json(row["terms"]),
        state=State(row["state"]),
        reason=row["reason"],
        captured_minor=row["captured_minor"],
        refunded_minor=row["refunded_minor"],
    )
