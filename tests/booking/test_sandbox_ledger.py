"""The bank's ledger: one transaction is one step, whole or not at all."""

from pathlib import Path
from sqlite3 import Connection

import pytest

from booking.sandbox.errors import NoSuchCheckout
from booking.sandbox.ledger import SCHEMA, Entry, State, find, finish, open_checkout
from booking.sandbox.ledger_file import LedgerFile
from booking.sandbox.orders import Order

ORDER = Order(key="key-1", reference="QWERTY", amount_minor=1, currency="USD", return_url="http://a/", email="")


def fail_at_the_end(connection: Connection, checkout_id: str) -> Entry:
    finish(connection, checkout_id, State.CAPTURED, "", 0, 0)
    return find(connection, "unknown")


async def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async with LedgerFile(tmp_path / "bank.db", SCHEMA) as ledger:
        made = await ledger.write(open_checkout, ORDER)

        with pytest.raises(NoSuchCheckout):
            await ledger.write(fail_at_the_end, made.id)

        assert await ledger.write(find, made.id) == made
