"""Limits: so many tries, and then a wait, for one who tries, and for nobody else."""

import asyncio

import pytest
from limits import RateLimitItemPerMinute

from booking.errors import StoreUnavailable, TooManyAttempts
from booking.store import Store
from booking.throttle import (
    LOG_INS_PER_ADDRESS,
    LOG_INS_PER_EMAIL,
    Throttle,
    home_of,
)
from tests.booking.conftest import PATIENCE_S
from tests.servers import PrivateRedis, free_port

THREE = RateLimitItemPerMinute(3, 15, namespace="three")
FOUR = RateLimitItemPerMinute(4, 15, namespace="four")


@pytest.fixture
def throttle(store: Store) -> Throttle:
    return Throttle(store)


async def test_so_many_tries_and_no_more(throttle: Throttle) -> None:
    for _ in range(3):
        await throttle.spend(THREE, "ada")
    with pytest.raises(TooManyAttempts) as refusal:
        await throttle.spend(THREE, "ada")
    assert 0 < refusal.value.retry_after_s <= 15 * 60


async def test_who_tries_all_at_once_has_no_more_tries(throttle: Throttle) -> None:
    tried = await asyncio.gather(*(throttle.spend(THREE, "ada") for _ in range(40)), return_exceptions=True)
    assert tried.count(None) == 3
    assert sum(isinstance(each, TooManyAttempts) for each in tried) == 37


async def test_each_has_tries_of_their_own_for_each_thing(throttle: Throttle) -> None:
    for _ in range(3):
        await throttle.spend(THREE, "ada")
    await throttle.spend(THREE, "grace")
    await throttle.spend(FOUR, "ada")


async def test_who_is_forgiven_has_all_tries_again(throttle: Throttle) -> None:
    for _ in range(3):
        await throttle.spend(THREE, "ada")
    await throttle.forgive(THREE, "ada")
    await throttle.spend(THREE, "ada")


async def test_all_processes_count_together(throttle: Throttle, redis_url: str) -> None:
    for _ in range(3):
        await throttle.spend(THREE, "ada")
    async with Store(redis_url, PATIENCE_S) as other:
        with pytest.raises(TooManyAttempts):
            await Throttle(other).spend(THREE, "ada")


async def test_redis_keeps_no_email_and_no_count_for_ever(throttle: Throttle, redis_server: PrivateRedis) -> None:
    await throttle.spend(LOG_INS_PER_EMAIL, "ada@example.org")
    (key,) = redis_server.client.scan_iter()
    assert b"ada" not in key
    assert 0 < redis_server.client.ttl(key) <= 15 * 60


async def test_without_redis_nobody_guesses() -> None:
    async with Store(f"redis://127.0.0.1:{free_port()}") as nowhere:
        with pytest.raises(StoreUnavailable):
            await Throttle(nowhere).spend(THREE, "ada")


def test_the_limits_are_the_documented_ones() -> None:
    assert str(LOG_INS_PER_EMAIL) == "10 per 15 minute"
    assert str(LOG_INS_PER_ADDRESS) == "100 per 15 minute"


@pytest.mark.parametrize(
    ("address", "home"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_the_addresses_of_one_home_count_as_one(address: str, home: str) -> None:
    assert home_of(address) == home
