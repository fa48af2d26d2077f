"""The first schema: timetable, accounts, bookings and payments."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    _create_accounts()
    _create_flights()
    _create_sandbox_charges()
    _create_bookings()
    _create_sessions()
    _create_payments()
    _create_seats()


def downgrade() -> None:
    for table in ("seats", "payments", "sessions", "bookings", "sandbox_charges", "flights", "accounts"):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
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
        sa.Column("economy_minor", sa.Integer(), nullable=False),
        sa.Column("business_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flights"),
        sa.UniqueConstraint("number", "departs_on", name="uq_flights_number_departs_on"),
        **MYSQL,
    )
    op.create_index("ix_flights_departs_on", "flights", ["departs_on"])
    op.create_index("ix_flights_origin_destination_departs_on", "flights", ["origin", "destination", "departs_on"])


def _create_sandbox_charges() -> None:
    op.create_table(
        "sandbox_charges",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=120), nullable=False),
        sa.Column("refunded_minor", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sandbox_charges"),
        comment="the ledger of the sandbox gateway, which plays the bank: nothing else reads or writes it",
        **MYSQL,
    )


def _create_bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=6), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("flight_id", sa.Integer(), nullable=False),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("cabin", sa.String(length=8), nullable=False),
        sa.Column("passenger", sa.String(length=80), nullable=False),
        sa.Column(
            "amount_minor", sa.Integer(), nullable=False, comment="the price when the seat was held; never changes"
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("unpaid", sa.Integer(), nullable=True, comment="1 while held or paying, else NULL"),
        sa.Column(
            "open_payment",
            sa.String(length=32),
            nullable=True,
            comment="key of the payment whose outcome is not known yet",
        ),
        sa.Column("held_until_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_bookings_account_id"),
        sa.ForeignKeyConstraint(["flight_id"], ["flights.id"], name="fk_bookings_flight_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bookings"),
        sa.UniqueConstraint("account_id", "flight_id", "unpaid", name="uq_bookings_account_id_flight_id_unpaid"),
        sa.UniqueConstraint("reference", name="uq_bookings_reference"),
        **MYSQL,
    )
    op.create_index("ix_bookings_flight_id_unpaid", "bookings", ["flight_id", "unpaid"])
    op.create_index("ix_bookings_unpaid_held_until_s", "bookings", ["unpaid", "held_until_s"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        **MYSQL,
    )
    op.create_index("ix_sessions_expires_s", "sessions", ["expires_s"])


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False, comment="our idempotency key at the gateway"),
        sa.Column("booking_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("changed_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_payments_booking_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
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
