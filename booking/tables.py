"""The tables, and the words of their states. Times are whole seconds UTC since 1970, money is minor units and currency.

What the database itself guards: a seat has one booking at most; an account has at most one unpaid booking per flight
(`unpaid` is 1 until a booking is ticketed or over, then NULL, which a unique key ignores); a payment key is used once.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class SeatState(StrEnum):
    FREE = "free"
    HELD = "held"
    SOLD = "sold"


class BookingState(StrEnum):
    """Forward only: held → paying → ticketed → cancelled. Unpaid, it may also expire or be cancelled."""

    HELD = "held"
    PAYING = "paying"
    TICKETED = "ticketed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PaymentState(StrEnum):
    """Forward only: open → captured → refund_due → refunded, or open → declined, or open → refund_due."""

    OPEN = "open"
    CAPTURED = "captured"
    DECLINED = "declined"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


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
    Column("economy_minor", Integer, nullable=False),
    Column("business_minor", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    UniqueConstraint("number", "departs_on"),
    Index(None, "origin", "destination", "departs_on"),
    Index(None, "departs_on"),
    **MYSQL,
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("phone", String(20)),
    Column("password_hash", String(128), nullable=False),
    Column("created_s", BigInteger, nullable=False),
    **MYSQL,
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("expires_s", BigInteger, nullable=False, index=True),
    **MYSQL,
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(6), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("flight_id", ForeignKey("flights.id"), nullable=False),
    Column("seat", String(4), nullable=False),
    Column("cabin", String(8), nullable=False),
    Column("passenger", String(80), nullable=False),
    Column("amount_minor", Integer, nullable=False, comment="the price when the seat was held; never changes"),
    Column("currency", String(3), nullable=False),
    Column("state", String(12), nullable=False),
    Column("unpaid", Integer, comment="1 while held or paying, else NULL"),
    Column("open_payment", String(32), comment="key of the payment whose outcome is not known yet"),
    Column("held_until_s", BigInteger, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    UniqueConstraint("account_id", "flight_id", "unpaid"),
    Index(None, "unpaid", "held_until_s"),
    Index(None, "flight_id", "unpaid"),
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
    Column("amount_minor", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(12), nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("changed_s", BigInteger, nullable=False),
    Index(None, "state", "created_s"),
    **MYSQL,
)

sandbox_charges = Table(
    "sandbox_charges",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("amount_minor", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("reason", String(120), nullable=False),
    Column("refunded_minor", Integer, nullable=False),
    comment="the ledger of the sandbox gateway, which plays the bank: nothing else reads or writes it",
    **MYSQL,
)
