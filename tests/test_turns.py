"""Turns are kept between processes; here between threads, of which each opens the files anew, too."""

import asyncio
import os
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Barrier, Event

import pytest

from tests.servers import PATIENCE_S, eventually
from tests.turns import Turns


@pytest.fixture
def own(tmp_path: Path) -> Turns:
    return Turns(tmp_path / "turns")


async def test_tests_run_beside_each_other(own: Turns) -> None:
    both = Barrier(2)

    def run() -> None:
        with own.beside():
            both.wait(PATIENCE_S)

    await asyncio.gather(asyncio.to_thread(run), asyncio.to_thread(run))


async def test_no_test_runs_beside_one_that_is_alone(own: Turns) -> None:
    told: list[str] = []
    may_end = Event()

    def run(name: str, turn: AbstractContextManager[None]) -> None:
        with turn:
            told.append(f"{name} begins")
            assert may_end.wait(PATIENCE_S)
            told.append(f"{name} ends")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(run, "one", own.beside()))
        await eventually(lambda: told == ["one begins"])
        tasks.create_task(asyncio.to_thread(run, "alone", own.alone()))
        await eventually(lambda: _waiting() == 1)
        may_end.set()
        await eventually(lambda: len(told) == 4)
        may_end.clear()
        tasks.create_task(asyncio.to_thread(run, "alone", own.alone()))
        await eventually(lambda: len(told) == 5)
        tasks.create_task(asyncio.to_thread(run, "another", own.beside()))
        await eventually(lambda: _waiting() == 1)
        may_end.set()
    assert told == [f"{name} {what}" for name in ("one", "alone", "alone", "another") for what in ("begins", "ends")]


def _waiting() -> int:
    """How many of this process's threads wait for such a lock."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum(words[1:3] == ["->", "FLOCK"] and words[5] == str(os.getpid()) for words in locks)
