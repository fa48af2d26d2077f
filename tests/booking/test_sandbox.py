"""The sandbox bank: what its API takes and refuses, and how its command says what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.booking.bank import COMMAND, DECLINED, INSUFFICIENT_FUNDS, SECRET, PrivateSandbox


async def refused(bank: PrivateSandbox, path: str, document: object) -> tuple[int, str]:
    """The status and the code of a request that the bank refuses."""
    headers = {"Authorization": f"Bearer {bank.secret}"}
    async with ClientSession(headers=headers) as session, session.post(bank.url + path, json=document) as response:
        return response.status, (await response.json())["code"]


def refund(amount_minor: int, key: str, currency: str = "USD") -> dict[str, object]:
    return {"key": key, "amount_minor": amount_minor, "currency": currency}


@pytest.mark.parametrize(("card", "reason"), [(DECLINED, "card_declined"), (INSUFFICIENT_FUNDS, "insufficient_funds")])
async def test_a_declined_card_ends_the_checkout(bank: PrivateSandbox, card: str, reason: str) -> None:
    checkout = await bank.open()

    assert await bank.pay(checkout["pay_url"], card) == f"{bank.site_url}/bookings/QWERTY/return"

    found = await bank.call("GET", f"/v1/checkouts/{checkout['id']}")
    assert (found["state"], found["reason"], found["captured_minor"]) == ("declined", reason, 0)


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", f"Basic {SECRET}", SECRET])
async def test_who_does_not_have_the_secret_is_refused(bank: PrivateSandbox, authorization: str) -> None:
    headers = {"Authorization": authorization}
    for path in ("/v1/checkouts", "/v1/checkouts/co_1/close", "/v1/checkouts/co_1/refunds", "/v1/faults"):
        async with ClientSession(headers=headers) as session, session.post(bank.url + path, json={}) as response:
            assert (response.status, (await response.json())["code"]) == (401, "wrong_secret")


async def test_payers_are_led_back_to_the_site_and_nowhere_else(bank: PrivateSandbox) -> None:
    ours = bank.site_url
    for elsewhere in (
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
        f"{ours}@evil.example/",
        f"{ours}.evil.example/",
        f"{ours}1/",
        f"{ours}\\evil",
        f"{ours}/\r\nSet-Cookie: a=b",
        f" {ours}/",
    ):
        assert await refused(bank, "/v1/checkouts", bank.order(return_url=elsewhere)) == (400, "invalid"), elsewhere


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": "lots"},
        {"currency": "euro"},
        {"key": ""},
        {"language": "fr"},
        {"card": "4242"},
    ],
)
async def test_an_order_that_cannot_be_paid_is_refused(bank: PrivateSandbox, change: dict[str, object]) -> None:
    assert await refused(bank, "/v1/checkouts", bank.order(**change)) == (400, "invalid")


async def test_a_key_stands_for_one_amount(bank: PrivateSandbox) -> None:
    made = await bank.open()
    assert await refused(bank, "/v1/checkouts", bank.order(key=made["key"], amount_minor=1)) == (409, "key_taken")


async def test_an_order_may_be_repeated_in_another_language(bank: PrivateSandbox) -> None:
    """Who repeats it may have come back in another way: what is to be paid is the same."""
    one = await bank.open()
    assert await bank.open(key=one["key"], language="ko", email="", return_url=f"{bank.site_url}/other") == one


async def test_no_more_is_given_back_than_was_taken(bank: PrivateSandbox) -> None:
    checkout = await bank.open()
    path, one, other = f"/v1/checkouts/{checkout['id']}/refunds", f"{checkout['key']}-1", f"{checkout['key']}-2"
    assert await refused(bank, path, refund(1, one)) == (409, "too_much")
    await bank.pay(checkout["pay_url"])

    assert await refused(bank, path, refund(12_301, one)) == (409, "too_much")
    assert await refused(bank, path, refund(100, one, "KRW")) == (409, "too_much")
    assert (await bank.call("POST", path, refund(12_000, one)))["refunded_minor"] == 12_000
    assert await refused(bank, path, refund(301, other)) == (409, "too_much")
    assert await refused(bank, path, refund(300, one)) == (409, "key_taken")


async def test_an_unknown_fault_is_refused(bank: PrivateSandbox) -> None:
    assert await refused(bank, "/v1/faults", {"lose_money": True}) == (400, "invalid")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", COMMAND, *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(start, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_secret_of_another_form_is_named(tmp_path: Path) -> None:
    done = command(BOOKING_SANDBOX_SECRET="geheim", BOOKING_STATE_FOLDER=str(tmp_path))
    assert done.returncode == 1
    assert "BOOKING_SANDBOX_SECRET: must be whsec_" in done.stderr
    assert "geheim" not in done.stderr


@pytest.mark.parametrize("listen", ["8082", "127.0.0.1:70000"])
def test_an_address_of_another_form_is_named(listen: str) -> None:
    done = command("--listen", listen)
    assert done.returncode == 2
    assert "must be HOST:PORT" in done.stderr


def test_an_address_in_use_is_named(bank: PrivateSandbox, tmp_path: Path) -> None:
    done = command("--listen", f"127.0.0.1:{bank.port}", BOOKING_STATE_FOLDER=str(tmp_path / "other"))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{bank.port}" in done.stderr


def test_a_ledger_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    done = command("--ledger", str(tmp_path), BOOKING_STATE_FOLDER=str(tmp_path))
    assert done.returncode == 1
    assert f"cannot open the ledger {tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr
