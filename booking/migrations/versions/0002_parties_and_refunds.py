"""Parties, fares and cabins; refunds by parts; an audit log, idempotency keys, an outbox and an inbox.

Almost every table changes its shape, so what is there is set aside, the tables are made anew, and it is copied over.
The sandbox's ledger goes: the sandbox has become a bank of its own. Sessions go: people log in again.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMBLOB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

# Children before their parents.
KEPT = ("seats", "payments", "bookings", "flights", "accounts")
GONE = ("sessions", "sandbox_charges")

# What was promised then stays true: any ticket could be given back, for all its money, until the departure. An old
# admission is not known; any value that no other booking has will do. A refund that was due counts as made:
# the ledger that owed it goes, and no bank knows of it.
COPIES = (
    "INSERT INTO accounts (id, email, name, phone, language, password_hash, created_s) "
    "SELECT id, email, name, phone, 'en', password_hash, created_s FROM old_accounts",
    "INSERT INTO flights "
    "(id, number, origin, destination, departs_on, departs_s, arrives_s, aircraft, grade, currency) "
    "SELECT id, number, origin, destination, departs_on, departs_s, arrives_s, aircraft, grade, currency "
    "FROM old_flights",
    "INSERT INTO flight_cabins (flight_id, cabin, price_minor, seats, free) "
    "SELECT f.id, s.cabin, CASE s.cabin WHEN 'business' THEN f.business_minor ELSE f.economy_minor END, COUNT(*), "
    "SUM(CASE s.state WHEN 'free' THEN 1 ELSE 0 END) FROM old_seats s JOIN old_flights f ON f.id = s.flight_id "
    "GROUP BY f.id, s.cabin, f.business_minor, f.economy_minor",
    "INSERT INTO bookings (id, reference, account_id, flight_id, admission, party, fare, amount_minor, currency, "
    "refund_percent, refund_until_s, state, version, unpaid, open_payment, held_until_s, created_s) "
    "SELECT b.id, b.reference, b.account_id, b.flight_id, b.reference, 1, 'flex', b.amount_minor, b.currency, 100, "
    "f.departs_s, CASE WHEN b.state = 'cancelled' AND EXISTS (SELECT 1 FROM old_payments p WHERE p.booking_id = b.id "
    "AND p.state IN ('refund_due', 'refunded')) THEN 'refunded' ELSE b.state END, 0, b.unpaid, b.open_payment, "
    "b.held_until_s, b.created_s FROM old_bookings b JOIN old_flights f ON f.id = b.flight_id",
    "INSERT INTO passengers (booking_id, position, seat, cabin, price_minor, name, ticket) "
    "SELECT id, 1, seat, cabin, amount_minor, passenger, CASE WHEN state = 'ticketed' "
    "THEN CAST(9770000000001 + id * 10 AS CHAR(13)) END FROM old_bookings",
    "INSERT INTO seats (flight_id, label, cabin, map_row, map_column, state, version, booking_id) "
    "SELECT flight_id, label, cabin, map_row, map_column, state, version, booking_id FROM old_seats",
    "INSERT INTO payments (id, `key`, booking_id, gateway, amount_minor, captured_minor, currency, state, reason, "
    "created_s, changed_s) SELECT id, `key`, booking_id, 'sandbox', amount_minor, "
    "CASE WHEN state IN ('captured', 'refund_due', 'refunded') THEN amount_minor ELSE 0 END, currency, "
    "CASE WHEN state IN ('refund_due', 'refunded') THEN 'captured' ELSE state END, '', created_s, changed_s "
    "FROM old_payments",
    "INSERT INTO refunds (`key`, payment_id, amount_minor, cause, state, created_s, changed_s) "
    "SELECT `key`, id, amount_minor, 'cancelled', 'refunded', changed_s, changed_s FROM old_payments "
    "WHERE state IN ('refund_due', 'refunded')",
)


def upgrade() -> None:
    for table in KEPT:
        op.execute(f"CREATE TABLE old_{table} AS SELECT * FROM {table}")  # noqa: S608 of our own names
    for table in (*GONE, *KEPT):
        op.drop_table(table)
    _create_accounts()
    _create_flights()
    _create_idempotency_keys()
    _create_inbox()
    _create_outbox()
    _create_bookings()
    _create_flight_cabins()
    _create_audit_log()
    _create_passengers()
    _create_payments()
    _create_seats()
    _create_refunds()
    for copy in COPIES:
        op.execute(copy)
    for table in KEPT:
        op.drop_table(f"old_{table}")


def downgrade() -> None:
    raise NotImplementedError("0002 has no way back: restore the backup from before it")


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False, comment="of the mails"),
        sa.Column("password_hash", sa.String(length=128), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("email", name="uq_accounts_email"),
        **MYSQL,
    )


def _create_flights() -> None:
    op.create_table(
        "flights",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.String(length=3), nullable=False),
        sa.Column("destination", sa.String(length=3), nullable=False),
        sa.Column("departs_on", sa.Date(), nullable=False, comment="the calendar day at the origin"),
        sa.Column("departs_s", sa.BigInteger(), nullable=False),
        sa.Column("arrives_s", sa.BigInteger(), nullable=False),
        sa.Column("aircraft", sa.String(length=32), nullable=False),
        sa.Column("grade", sa.String(length=8), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flights"),
        sa.UniqueConstraint("number", "departs_on", name="uq_flights_number_departs_on"),
        **MYSQL,
    )
    op.create_index("ix_flights_departs_on", "flights", ["departs_on"])
    op.create_index("ix_flights_origin_destination_departs_on", "flights", ["origin", "destination", "departs_on"])


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False, comment="whose key it is"),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False, comment="hash of route and body"),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column(
            "effect",
            sa.String(length=64),
            nullable=True,
            comment="what the request brought about, set with it in one transaction",
        ),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True, comment="a JSON object"),
        sa.Column("body", sa.LargeBinary().with_variant(MEDIUMBLOB(), "mysql"), nullable=True),
        sa.Column("locked_until_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_keys"),
        sa.UniqueConstraint("scope", "key", name="uq_idempotency_keys_scope_key"),
        **MYSQL,
    )
    op.create_index("ix_idempotency_keys_created_s", "idempotency_keys", ["created_s"])


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=12), nullable=False),
        sa.Column("event_id", sa.String(length=80), nullable=False),
        sa.Column("payment_key", sa.String(length=80), nullable=False, comment="as the event names it"),
        sa.Column("body", sa.LargeBinary(length=65535), nullable=False, comment="as it came, for whoever asks later"),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_s", sa.BigInteger(), nullable=False, comment="when to try next"),
        sa.Column("received_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("gateway", "event_id", name="uq_inbox_gateway_event_id"),
        **MYSQL,
    )
    op.create_index("ix_inbox_state_due_s", "inbox", ["state", "due_s"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False, comment="one delivery per key"),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="mail or webhook"),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False, comment="an e-mail address or a URL"),
        sa.Column("payload", sa.Text(), nullable=False, comment="a JSON object"),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_s", sa.BigInteger(), nullable=False, comment="when to try next"),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("key", name="uq_outbox_key"),
        **MYSQL,
    )
    op.create_index("ix_outbox_state_due_s", "outbox", ["state", "due_s"])


def _create_bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=6), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("flight_id", sa.Integer(), nullable=False),
        sa.Column("admission", sa.String(length=64), nullable=False, comment="who was let in, as a hash"),
        sa.Column("party", sa.Integer(), nullable=False, comment="how many travel"),
        sa.Column("fare", sa.String(length=8), nullable=False),
        sa.Column(
            "amount_minor", sa.Integer(), nullable=False, comment="the price when the seats were held; never changes"
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "refund_percent", sa.Integer(), nullable=False, comment="what comes back until refund_until_s; then nothing"
        ),
        sa.Column("refund_until_s", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts the changes"),
        sa.Column("unpaid", sa.Integer(), nullable=True, comment="1 while held or paying, else NULL"),
        sa.Column(
            "open_payment",
            sa.String(length=32),
            nullable=True,
            comment="key of the payment whose outcome is not known yet",
        ),
        sa.Column("held_until_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("party BETWEEN 1 AND 9", name="ck_bookings_party"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_bookings_account_id"),
        sa.ForeignKeyConstraint(["flight_id"], ["flights.id"], name="fk_bookings_flight_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bookings"),
        sa.UniqueConstraint("account_id", "flight_id", "unpaid", name="uq_bookings_account_id_flight_id_unpaid"),
        sa.UniqueConstraint("admission", "unpaid", name="uq_bookings_admission_unpaid"),
        sa.UniqueConstraint("reference", name="uq_bookings_reference"),
        **MYSQL,
    )
    op.create_index("ix_bookings_flight_id_unpaid", "bookings", ["flight_id", "unpaid"])
    op.create_index("ix_bookings_unpaid_held_until_s", "bookings", ["unpaid", "held_until_s"])


def _create_flight_cabins() -> None:
    op.create_table(
        "flight_cabins",
        sa.Column("flight_id", sa.Integer(), nullable=False),
        sa.Column("cabin", sa.String(length=8), nullable=False),
        sa.Column("price_minor", sa.Integer(), nullable=False, comment="of one seat, by the lowest fare"),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column(
            "free", sa.Integer(), nullable=False, comment="counted along with each sale, for searches; seats decide"
        ),
        sa.CheckConstraint("free >= 0 AND free <= seats", name="ck_flight_cabins_free"),
        sa.ForeignKeyConstraint(["flight_id"], ["flights.id"], name="fk_flight_cabins_flight_id"),
        sa.PrimaryKeyConstraint("flight_id", "cabin", name="pk_flight_cabins"),
        sqlite_with_rowid=False,
        **MYSQL,
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("before", sa.String(length=12), nullable=True),
        sa.Column("after", sa.String(length=12), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False, comment="a JSON object"),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_audit_log_booking_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        comment="rows are added, and never changed or removed",
        **MYSQL,
    )
    op.create_index("ix_audit_log_booking_id", "audit_log", ["booking_id"])


def _create_passengers() -> None:
    op.create_table(
        "passengers",
        sa.Column("booking_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("cabin", sa.String(length=8), nullable=False),
        sa.Column("price_minor", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True, comment="none until it is told"),
        sa.Column("ticket", sa.String(length=13), nullable=True, comment="its number, from the day it was issued on"),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_passengers_booking_id"),
        sa.PrimaryKeyConstraint("booking_id", "position", name="pk_passengers"),
        sa.UniqueConstraint("ticket", name="uq_passengers_ticket"),
        sqlite_with_rowid=False,
        **MYSQL,
    )


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False, comment="our idempotency key at the gateway"),
        sa.Column("booking_id", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=12), nullable=False),
        sa.Column(
            "gateway_id",
            sa.String(length=80),
            nullable=True,
            comment="what the gateway calls it; none until it has answered",
        ),
        sa.Column(
            "pay_url",
            sa.String(length=500),
            nullable=True,
            comment="where one pays; none until the gateway has answered",
        ),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("captured_minor", sa.Integer(), nullable=False, comment="what the gateway took"),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False, comment="why it was declined"),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("changed_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_payments_booking_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
        sa.UniqueConstraint("gateway", "gateway_id", name="uq_payments_gateway_gateway_id"),
        sa.UniqueConstraint("key", name="uq_payments_key"),
        **MYSQL,
    )
    op.create_index("ix_payments_booking_id", "payments", ["booking_id"])
    op.create_index("ix_payments_state_created_s", "payments", ["state", "created_s"])


def _create_seats() -> None:
    op.create_table(
        "seats",
        sa.Column("flight_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=4), nullable=False),
        sa.Column("cabin", sa.String(length=8), nullable=False),
        sa.Column("map_row", sa.Integer(), nullable=False),
        sa.Column("map_column", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=4), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("booking_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_seats_booking_id"),
        sa.ForeignKeyConstraint(["flight_id"], ["flights.id"], name="fk_seats_flight_id"),
        sa.PrimaryKeyConstraint("flight_id", "label", name="pk_seats"),
        sqlite_with_rowid=False,
        **MYSQL,
    )
    op.create_index("ix_seats_booking_id", "seats", ["booking_id"])


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False, comment="our idempotency key at the gateway"),
        sa.Column("payment_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("changed_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_refunds_payment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_refunds"),
        sa.UniqueConstraint("key", name="uq_refunds_key"),
        **MYSQL,
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    op.create_index("ix_refunds_state_created_s", "refunds", ["state", "created_s"])
