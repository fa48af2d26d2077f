"""What a process must not forget: the file, whatever state it is in, and a waitroom that begins with it."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.visitors import Come, Visitor
from waitroom.line import Knowledge
from waitroom.memory import FILE, Memory

KNOWN = {"site": Knowledge(2, 1_800_000_000_000_017, 1_800_000_000_000_003, 5, "sale"), "flights/7": Knowledge(1, 9, 8)}


def test_what_was_kept_is_recalled(tmp_path: Path) -> None:
    Memory(tmp_path / "state").keep(KNOWN)
    assert Memory(tmp_path / "state").recall() == KNOWN


def test_nothing_is_known_where_nothing_was_kept(tmp_path: Path) -> None:
    assert Memory(tmp_path / "nowhere").recall() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"site": {"epoch": 1, "ta',
        "[]",
        '"site"',
        "null",
        "[" * 100_000,
        '{"site": 7}',
        '{"site": {"epoch": 1}}',
        '{"site": {"epoch": 1, "tail": 9, "head": 8, "arrived": 0, "draw": "", "more": 1}}',
        '{"site": {"epoch": 1, "tail": "9", "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": 1, "tail": 9.5, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": 1, "tail": NaN, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": true, "tail": 9, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": -1, "tail": 9, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": 1, "tail": 1e300, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": 1, "tail": 99999999999999999999, "head": 8, "arrived": 0, "draw": ""}}',
        '{"site": {"epoch": 1, "tail": 9, "head": 8, "arrived": 0, "draw": 7}}',
    ],
)
def test_a_file_that_is_not_ours_is_as_good_as_none(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and nothing of it reaches Redis."""
    (tmp_path / FILE).write_text(text)
    assert Memory(tmp_path).recall() == {}
    assert "can't be read" in caplog.text


def test_a_file_of_bytes_that_are_no_text_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    assert Memory(tmp_path).recall() == {}


def test_a_folder_that_can_not_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    memory = Memory(tmp_path / "state")
    for epoch in range(3):
        memory.keep({"site": Knowledge(epoch)})
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    (tmp_path / "state").unlink()
    memory.keep(KNOWN)
    assert Memory(tmp_path / "state").recall() == KNOWN


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    """The file is replaced whole: what is half written has another name."""
    memory = Memory(tmp_path)
    memory.keep(KNOWN)
    before = (tmp_path / FILE).stat().st_ino
    with (tmp_path / FILE).open() as reader:
        memory.keep({"site": Knowledge(3)})
        assert json.load(reader).keys() == KNOWN.keys()
    assert (tmp_path / FILE).stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep(KNOWN)
    (tmp_path / FILE).unlink()
    memory.keep(dict(KNOWN))
    assert not (tmp_path / FILE).exists()


async def place_of(one: Visitor, number: int) -> int | None:
    place = await one.place()
    assert one.number() == number
    position: int | None = place["position"]
    return position


async def test_a_restart_over_an_emptied_redis_goes_on_after_the_old_numbers(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    """I3, I4: those who waited stand as they stood, and are not late; whoever comes now comes after them."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1)
    visitors = [await come(waitroom) for _ in range(4)]
    async with waitroom.serving():
        for one in visitors:
            await one.get()
            await one.place()
        await visitors[0].get()
        numbers = [one.number() for one in visitors]
        await eventually(lambda: Memory(tmp_path / "state").recall().get("site", Knowledge()).head == numbers[0])
    redis.client.flushall()
    newcomer = await come(waitroom)
    async with waitroom.serving():
        assert (await newcomer.get()).waits
        assert (await visitors[0].get("/still")).is_origins
        for one in [*visitors[1:], newcomer]:
            await one.place()
        await eventually(lambda: redis.client.hget("wr:{site}:state", "head") == str(numbers[0]).encode())
        await eventually(lambda: redis.client.bitcount("wr:{site}:here") == 4)
        assert redis.client.zcard("wr:{site}:late") == 0
        async with asyncio.timeout(60):
            while (await visitors[-1].place())["position"] != 3:
                await asyncio.sleep(0.05)
        assert [await place_of(one, number) for one, number in zip(visitors[1:], numbers[1:], strict=True)] == [1, 2, 3]
        assert (await newcomer.place())["position"] == 4
        assert newcomer.number() > max(numbers)


async def test_a_restart_finds_the_lines_of_keys_again(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, mode="hold", paths=["/flights/{key}"])
    one, newcomer = await come(waitroom), await come(waitroom)
    async with waitroom.serving():
        await one.get("/flights/7")
        await eventually(lambda: "site/7" in Memory(tmp_path / "state").recall())
    redis.client.flushall()
    async with waitroom.serving():
        await newcomer.get("/flights/7")
        await one.get("/flights/7")
        assert newcomer.number("site.7") > one.number("site.7")
        assert redis.client.zcard("wr:{site/7}:late") == 0
