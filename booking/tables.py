"""The tables, and the words of their states. Times are whole seconds UTC since 1970, money is minor units and currency.

What the database itself guards: a seat has one booking at most; an account has at most one unpaid booking per flight,
and an admission one at all (`unpaid` is 1 until a booking is ticketed or over, then NULL, which a unique key ignores);
no cabin has less than no free seat; each key (of a payment, a refund, a request, an event) is used once.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class SeatState(StrEnum):
    FREE = "free"
    HELD = "held"
    SOLD = "sold"


class BookingState(StrEnum):
    """Forward only, in this order; not each step leads to each later one: see `bookings.STEPS`.

    A declined payment leaves a booking `paying`: it can be paid again until its hold ends. An expired one becomes
    ticketed only by money that came too late, and only if all its seats are still free.
    """

    HELD = "held"
    PAYING = "paying"
    EXPIRED = "expired"
    TICKETED = "ticketed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class PaymentState(StrEnum):
    """Forward only: open → captured, or open → declined, which also says that nobody came to pay."""

    OPEN = "open"
    CAPTURED = "captured"
    DECLINED = "declined"


class RefundState(StrEnum):
    """Forward only."""

    DUE = "due"
    REFUNDED = "refunded"


class DeliveryState(StrEnum):
    """Of what the outbox sends and the inbox was sent. Dead is what was given up after many attempts, for a person."""

    DUE = "due"
    DONE = "done"
    DEAD = "dead"


class KeyState(StrEnum):
    RUNNING = "running"
    DONE = "done"


flights = Table(
    "flights",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(8), nullable=False),
    Column("origin", String(3), nullable=False),
    Column("destination", String(3), nullable=False),
    Column("departs_on", Date, nullable=False, comment="the calendar day at the origin"),
    Column("departs_s", BigInteger, nullable=False),
    Column("arrives_s", BigInteger, nullable=False),
    Column("aircraft", String(32), nullable=False),
    Column("grade", String(8), nullable=False),
    Column("currency", String(3), nullable=False),
    UniqueConstraint("number", "departs_on"),
    Index(None, "origin", "destination", "departs_on"),
    Index(None, "departs_on"),
    **MYSQL,
)

flight_cabins = Table(
    "flight_cabins",
    metadata,
    Column("flight_id", ForeignKey("flights.id"), primary_key=True),
    Column("cabin", String(8), primary_key=True),
    Column("price_minor", Integer, nullable=False, comment="of one seat, by the lowest fare"),
    Column("seats", Integer, nullable=False),
    Column("free", Integer, nullable=False, comment="counted along with each sale, for searches; seats decide"),
    CheckConstraint("free >= 0 AND free <= seats", name="free"),
    sqlite_with_rowid=False,
    **MYSQL,
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("phone", String(20)),
    Column("language", String(2), nullable=False, comment="of the mails"),
    Column("password_hash", String(128), nullable=False),
    Column("created_s", BigInteger, nullable=False),
    **MYSQL,
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(6), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("flight_id", ForeignKey("flights.id"), nullable=False),
    Column("admission", String(64), nullable=False, comment="who was let in, as a hash"),
    Column("party", Integer, nullable=False, comment="how many travel"),
    Column("fare", String(8), nullable=False),
    Column("amount_minor", Integer, nullable=False, comment="the price when the seats were held; never changes"),
    Column("currency", String(3), nullable=False),
    Column("refund_percent", Integer, nullable=False, comment="what comes back until refund_until_s; then nothing"),
    Column("refund_until_s", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("version", Integer, nullable=False, comment="counts the changes"),
    Column("unpaid", Integer, comment="1 while held or paying, else NULL"),
    Column("open_payment", String(32), comment="key of the payment whose outcome is not known yet"),
    Column("held_until_s", BigInteger, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    UniqueConstraint("account_id", "flight_id", "unpaid"),
    UniqueConstraint("admission", "unpaid"),
    CheckConstraint("party BETWEEN 1 AND 9", name="party"),
    Index(None, "unpaid", "held_until_s"),
    Index(None, "flight_id", "unpaid"),
    **MYSQL,
)

passengers = Table(
    "passengers",
    metadata,
    Column("booking_id", ForeignKey("bookings.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("seat", String(4), nullable=False),
    Column("cabin", String(8), nullable=False),
    Column("price_minor", Integer, nullable=False),
    Column("name", String(80), comment="none until it is told"),
    Column("ticket", String(13), unique=True, comment="its number, from the day it was issued on"),
    sqlite_with_rowid=False,
    **MYSQL,
)

seats = Table(
    "seats",
    metadata,
    Column("flight_id", ForeignKey("flights.id"), primary_key=True),
    Column("label", String(4), primary_key=True),
    Column("cabin", String(8), nullable=False),
    Column("map_row", Integer, nullable=False),
    Column("map_column", Integer, nullable=False),
    Column("state", String(4), nullable=False),
    Column("version", Integer, nullable=False),
    Column("booking_id", ForeignKey("bookings.id"), index=True),
    sqlite_with_rowid=False,
    **MYSQL,
)

payments = Table(
    "payments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True, comment="our idempotency key at the gateway"),
    Column("booking_id", ForeignKey("bookings.id"), nullable=False, index=True),
    Column("gateway", String(12), nullable=False),
    Column("gateway_id", String(80), comment="what the gateway calls it; none until it has answered"),
    Column("pay_url", String(500), comment="where one pays; none until the gateway has answered"),
    Column("amount_minor", Integer, nullable=False),
    Column("captured_minor", Integer, nullable=False, comment="what the gateway took"),
    Column("currency", String(3), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(200), nullable=False, comment="why it was declined"),
    Column("created_s", BigInteger, nullable=False),
    Column("changed_s", BigInteger, nullable=False),
    UniqueConstraint("gateway", "gateway_id"),
    Index(None, "state", "created_s"),
    **MYSQL,
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True, comment="our idempotency key at the gateway"),
    Column("payment_id", ForeignKey("payments.id"), nullable=False, index=True),
    Column("amount_minor", Integer, nullable=False),
    Column("cause", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("changed_s", BigInteger, nullable=False),
    Index(None, "state", "created_s"),
    **MYSQL,
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_s", BigInteger, nullable=False),
    Column("booking_id", ForeignKey("bookings.id"), index=True),
    Column("actor", String(40), nullable=False),
    Column("event", String(24), nullable=False),
    Column("before", String(12)),
    Column("after", String(12)),
    Column("detail", Text, nullable=False, comment="a JSON object"),
    comment="rows are added, and never changed or removed",
    **MYSQL,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope", String(64), nullable=False, comment="whose key it is"),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False, comment="hash of route and body"),
    Column("state", String(8), nullable=False),
    Column("effect", String(64), comment="what the request brought about, set with it in one transaction"),
    Column("status", Integer),
    Column("headers", Text, comment="a JSON object"),
    Column("body", LargeBinary().with_variant(MEDIUMBLOB(), "mysql")),
    Column("locked_until_s", BigInteger, nullable=False),
    Column("created_s", BigInteger, nullable=False, index=True),
    UniqueConstraint("scope", "key"),
    **MYSQL,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(80), nullable=False, unique=True, comment="one delivery per key"),
    Column("kind", String(8), nullable=False, comment="mail or webhook"),
    Column("event", String(24), nullable=False),
    Column("address", String(500), nullable=False, comment="an e-mail address or a URL"),
    Column("payload", Text, nullable=False, comment="a JSON object"),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_s", BigInteger, nullable=False, comment="when to try next"),
    Column("created_s", BigInteger, nullable=False),
    Index(None, "state", "due_s"),
    **MYSQL,
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("gateway", String(12), nullable=False),
    Column("event_id", String(80), nullable=False),
    Column("payment_key", String(80), nullable=False, comment="as the event names it"),
    Column("body", LargeBinary(2**16 - 1), nullable=False, comment="as it came, for whoever asks later"),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_s", BigInteger, nullable=False, comment="when to try next"),
    Column("received_s", BigInteger, nullable=False),
    UniqueConstraint("gateway", "event_id"),
    Index(None, "state", "due_s"),
    **MYSQL,
)
