"""What is due is claimed by one process at a time, tried until it is done, and given up for a person in the end."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import backlog
from booking.backlog import FIRST_PAUSE_S, LEASE_S, LONGEST_PAUSE_S, MOST_ATTEMPTS, Backlog
from booking.db import Database
from booking.outbox import announce
from booking.tables import outbox
from booking.worker import AT_ONCE, GiveUpError, TryLaterError, Worker
from tests.booking.bench import HOUR_S, NOW_S, Clock, rows
from tests.servers import eventually


async def tell(connection: AsyncConnection, key: str, at_s: int = NOW_S) -> None:
    await announce(connection, "webhook", "booking.held", key, "", {"reference": "QWERTY"}, at_s)


async def announced(db: Database, count: int = 1) -> list[str]:
    """Messages that are due, by their keys."""
    keys = [f"held:{number}" for number in range(count)]
    for key in keys:
        await db.write(tell, key)
    return keys


async def all_done(db: Database) -> None:
    async with asyncio.timeout(60):
        while (await backlog.measure(db, outbox)).due:
            await asyncio.sleep(0.02)


async def only(db: Database) -> Row[Any]:
    """The one row of the outbox."""
    [row] = await rows(db, select(outbox))
    return row


class Told:
    """Work that keeps what it was given, and fails as often as it is asked to."""

    def __init__(self, *failures: Exception) -> None:
        self.keys: list[str] = []
        self._failures = list(failures)

    async def __call__(self, row: Row[Any]) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.keys.append(row.key)


def worker(db: Database, work: Told, clock: Clock) -> Worker:
    return Worker(db, outbox, work, lambda: int(clock()))


async def test_what_is_announced_is_told_once(db: Database, clock: Clock) -> None:
    keys, told = await announced(db, 20), Told()

    assert await worker(db, told, clock).work_off() == 20
    assert await worker(db, told, clock).work_off() == 0
    assert sorted(told.keys) == sorted(keys)


async def test_what_is_told_at_one_time_is_written_down_at_one_time(db: Database, clock: Clock) -> None:
    await announced(db, AT_ONCE)
    written: list[str] = []
    db.observe = lambda name, *_: written.append(name)

    assert await worker(db, Told(), clock).work_off() == AT_ONCE
    assert written.count("end_claims") == 1
    assert (await backlog.measure(db, outbox)).due == 0


async def test_what_is_not_committed_is_not_told(db: Database) -> None:
    async def fails(connection: AsyncConnection) -> None:
        await tell(connection, "held:1")
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(fails)

    assert await rows(db, select(outbox)) == []


async def test_two_who_claim_at_once_never_get_the_same(db: Database, database_url: str) -> None:
    keys = await announced(db, 40)

    async def claim_all(own: Database) -> list[str]:
        claimed: list[str] = []
        while found := await backlog.claim(own, outbox, NOW_S, 3):
            claimed += [row.key for row in found]
        return claimed

    async with Database(database_url) as other:
        claimed = await asyncio.gather(*(claim_all(own) for own in (db, other, db, other)))

    assert sorted(key for each in claimed for key in each) == sorted(keys)


async def test_who_dies_with_a_message_leaves_it_to_the_next_after_the_lease(db: Database, clock: Clock) -> None:
    [key], told = await announced(db), Told()
    await backlog.claim(db, outbox, NOW_S, 1)

    clock.pass_s(LEASE_S - 1)
    assert await worker(db, told, clock).work_off() == 0
    clock.pass_s(1)
    assert await worker(db, told, clock).work_off() == 1
    assert told.keys == [key]


async def test_who_took_longer_than_the_lease_does_not_end_what_another_has_claimed(db: Database) -> None:
    await announced(db)
    [slow] = await backlog.claim(db, outbox, NOW_S, 1)
    await backlog.claim(db, outbox, NOW_S + LEASE_S, 1)

    await backlog.done(db, outbox, [slow])
    await backlog.dead(db, outbox, slow)

    row = await only(db)
    assert (row.state, row.due_s) == ("due", NOW_S + 2 * LEASE_S)


async def test_what_fails_comes_again_after_a_pause(db: Database, clock: Clock) -> None:
    [key], told = await announced(db), Told(TryLaterError("busy"))
    await worker(db, told, clock).work_off()

    row = await only(db)
    assert row.state == "due"
    assert NOW_S + FIRST_PAUSE_S / 2 <= row.due_s <= NOW_S + FIRST_PAUSE_S
    clock.pass_s(FIRST_PAUSE_S)
    await worker(db, told, clock).work_off()
    assert told.keys == [key]


async def test_pauses_grow_up_to_an_hour_and_end_after_about_two_days(
    db: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await announced(db)
    failing = worker(db, Told(*[TryLaterError("busy")] * MOST_ATTEMPTS), clock)
    pauses = []

    while (row := await only(db)).state == "due":
        pauses.append(row.due_s - clock.now_s)
        clock.now_s = row.due_s
        await failing.work_off()

    assert row.state == "dead"
    assert row.attempts == MOST_ATTEMPTS
    assert max(pauses) <= LONGEST_PAUSE_S
    assert 36 * HOUR_S < sum(pauses) < 60 * HOUR_S
    [error] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "busy" in error
    assert f"UPDATE outbox SET state = 'due', attempts = 0, due_s = 0 WHERE id = {row.id}" in error


async def test_what_can_never_be_done_is_given_up_at_once(
    db: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await announced(db)
    await worker(db, Told(GiveUpError("nobody there")), clock).work_off()

    assert (await only(db)).state == "dead"
    assert "nobody there" in caplog.text


async def test_a_fault_of_ours_stops_neither_the_others_nor_another_try(
    db: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    keys, told = await announced(db, 3), Told(ZeroDivisionError())
    await worker(db, told, clock).work_off()
    assert len(told.keys) == 2

    clock.pass_s(FIRST_PAUSE_S)
    await worker(db, told, clock).work_off()
    assert sorted(told.keys) == keys
    assert "This is a fault of ours" in caplog.text


async def test_a_working_worker_finds_what_it_is_poked_about(db: Database, clock: Clock) -> None:
    told = Told()
    working = worker(db, told, clock)
    async with working.working():
        await announced(db, 20)
        working.poke()
        await eventually(lambda: len(told.keys) == 20)

    assert await backlog.measure(db, outbox) == Backlog(due=0, dead=0, oldest_due_s=None)


async def test_a_stop_lets_what_is_under_way_come_to_its_end(db: Database, clock: Clock) -> None:
    await announced(db)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_row: Row[Any]) -> None:
        begun.set()
        await go_on.wait()

    working = Worker(db, outbox, slow, lambda: int(clock()))

    async def end_after_the_stop_began() -> None:
        await eventually(lambda: working._stopping)
        go_on.set()

    async with asyncio.TaskGroup() as group, working.working():
        await begun.wait()
        group.create_task(end_after_the_stop_began())

    assert (await only(db)).state == "done"


async def test_no_more_is_under_way_at_once_than_may_be(db: Database, clock: Clock) -> None:
    await announced(db, 30)
    under_way: list[int] = []
    most = 0

    async def counted(row: Row[Any]) -> None:
        nonlocal most
        under_way.append(row.id)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(row.id)

    async with Worker(db, outbox, counted, lambda: int(clock())).working():
        await all_done(db)

    assert most == AT_ONCE


async def test_the_backlog_is_measured(db: Database, clock: Clock) -> None:
    await announced(db, 3)
    await worker(db, Told(GiveUpError("nobody there"), TryLaterError("busy")), clock).work_off()
    await db.write(tell, "held:later", NOW_S + 1)

    measured = await backlog.measure(db, outbox)
    assert (measured.due, measured.dead, measured.oldest_due_s) == (2, 1, NOW_S + 1)
