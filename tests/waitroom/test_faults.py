"""Faults of ours: who meets one is told so, with a reference, and nobody else is; the log says which it was."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, Origin, Waitroom
from tests.waitroom.visitors import Come
from waitroom.answers import Answers
from waitroom.response import Response

CROWD = 8


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is in the log."""
    return [str(record.exc_info[1]) for record in caplog.records if record.exc_info]


async def test_one_request_is_told_of_it(
    waitroom: Waitroom, come: Come, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(*terms: Any) -> Response:
        raise ValueError("a fault")

    one = await come(waitroom)
    await one.get()
    with monkeypatch.context() as patch:
        patch.setattr(Answers, "left", place)
        got = await one.ask("POST", "/.waitroom/rooms/site/leave", APP)
    told = got.json
    assert (got.status, told["code"]) == (500, "failed")
    [record] = [record for record in caplog.records if record.exc_info]
    assert told["detail"].removeprefix("Reference: ") in record.getMessage()
    assert faults(caplog) == ["a fault"]
    assert (await one.get()).is_origins


async def test_a_fault_of_ours_hits_one_of_a_crowd_and_is_logged(
    tmp_path: Path,
    redis: PrivateRedis,
    come: Come,
    origin: Origin,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold")
    tell, told = Answers.newcomer, iter(range(CROWD))

    def tells(answers: Answers, *terms: Any) -> Response:
        if next(told) == 3:
            raise ValueError("a fault")
        return tell(answers, *terms)

    monkeypatch.setattr(Answers, "newcomer", tells)
    async with waitroom.serving():
        await (await come(waitroom)).get()  # the line is known here from now on
        crowd = [await come(waitroom) for _ in range(CROWD)]
        got = await asyncio.gather(*[one.get() for one in crowd])
    assert sorted(one.status for one in got) == [200] * 7 + [500]
    assert sum(one.waits for one in got) == 7
    assert faults(caplog) == ["a fault"]
