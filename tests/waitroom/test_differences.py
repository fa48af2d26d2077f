"""What `waitroom check` says of a file beside what is in force: by pure values, and beside a waitroom that runs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom, visitor
from waitroom import settings
from waitroom.cli import main
from waitroom.desk.overrides import Adapted, Override, Overrides
from waitroom.explain import InForce, differences
from waitroom.rooms import Room

NOW_MS = 1_800_000_000_000
LEAST = 'version = {version}\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'


def room(version: int, more: str = "") -> Room:
    (one,) = settings.parse(LEAST.format(version=version) + more, "waitroom.toml").to_rooms(edited_ms=0)
    return one


def told(before: Room, after: Room, overrides: Overrides | None = None) -> list[str]:
    overrides = overrides or Overrides()
    in_force = overrides.over(before, NOW_MS).limits
    return list(differences(after, InForce(NOW_MS, in_force, overrides)))


def override(value: int | str, until_ms: int = 0, why: str = "") -> Override:
    return Override(value, NOW_MS - 1, until_ms, "ann@desk", why)


def test_each_knob_that_differs_is_told_with_both_values() -> None:
    assert told(room(3), room(4, "rate_per_minute = 1200\nsession_s = 300\n")) == [
        "Room 'site': version 3 is in force, version 4 in this file takes its place.",
        "  rate_per_minute: 600 in force, 1,200 in this file",
        "  burst: 11 in force, 21 in this file",
        "  session_s: 600 in force, 300 in this file",
    ]


def test_openings_and_draws_that_differ_are_told() -> None:
    assert told(room(3), room(4, 'opens_at = 2027-03-01T09:00:00+09:00\ndraw = "sale"\n'))[1:] == [
        "  opens_at: none in force, 2027-03-01 00:00:00 UTC in this file",
        "  draw: none in force, sale in this file",
        "  draw_size: 0 in force, 1,000,000 in this file",
    ]


def test_the_same_file_has_no_differences() -> None:
    assert told(room(3), room(3)) == ["Room 'site': version 3 is in force, as in this file."]


def test_a_change_under_the_same_version_is_told_to_raise_it() -> None:
    first, *_ = told(room(3), room(3, "cap = 300\n"))
    assert "version 3 is not higher than version 3 in force" in first
    assert "set version = 4" in first


def test_a_roll_back_to_a_lower_version_is_told_to_be_a_new_one() -> None:
    first, *_ = told(room(3, "cap = 300\n"), room(2))
    assert "version 2 is lower than version 3 in force, whose limits stay: a roll-back is a new version too" in first
    assert "set version = 4" in first


def test_what_an_operator_has_set_is_in_force_and_stays_over_the_file() -> None:
    overrides = Overrides(NOW_MS - 1, {"rate_per_minute": override(900, NOW_MS + 1000, "a slow bank")})
    assert told(room(3), room(4, "rate_per_minute = 1200\n"), overrides)[1:] == [
        "  rate_per_minute: 900 in force, 1,200 in this file",
        "  burst: 16 in force, 21 in this file",
        "  rate_per_minute = 900 stays over it, set by ann@desk until 2027-01-15 08:00:01 UTC (a slow bank): "
        "`waitroom clear site rate_per_minute` ends that",
    ]


def test_a_message_that_an_operator_has_set_is_told_too() -> None:
    overrides = Overrides(NOW_MS - 1, {"message": override("Sorry.")})
    assert told(room(3), room(4), overrides)[1:] == [
        '  message: Sorry. in force, "" in this file',
        "  message = Sorry. stays over it, set by ann@desk: `waitroom clear site message` ends that",
    ]


def test_an_override_whose_time_is_over_is_not_told() -> None:
    overrides = Overrides(NOW_MS - 9, {"cap": override(5, NOW_MS - 1)})
    assert told(room(3), room(3), overrides) == ["Room 'site': version 3 is in force, as in this file."]


def test_a_rate_that_was_adapted_is_told_with_its_reason() -> None:
    adapted = Overrides(NOW_MS, adapted=Adapted(300, "slow", "p95 is 900 ms", NOW_MS))
    limits = replace(room(3).limits, rate_per_minute=300)
    assert "  rate_per_minute: 300 in force (adapted: p95 is 900 ms), 600 in this file" in list(
        differences(room(4), InForce(NOW_MS, limits, adapted))
    )


def test_a_room_to_which_nobody_came_has_nothing_in_force() -> None:
    assert list(differences(room(1), InForce(NOW_MS, None, Overrides()))) == [
        "Room 'site': nothing is in force yet, nobody has come."
    ]


def test_an_override_of_a_room_to_which_nobody_came_is_told() -> None:
    in_force = InForce(NOW_MS, None, Overrides(NOW_MS, {"mode": override("hold")}))
    assert list(differences(room(1), in_force)) == [
        "Room 'site': no line yet.",
        "  mode: hold in force, auto in this file",
        "  mode = hold stays over it, set by ann@desk: `waitroom clear site mode` ends that",
    ]


async def check(waitroom: Waitroom, *options: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["check", "--config", str(waitroom.config), *options])
    assert result.exit_code == 0
    return result.output


async def test_check_asks_the_redis_of_a_running_waitroom_and_changes_nothing_there(
    waitroom: Waitroom, redis: PrivateRedis
) -> None:
    set_ = ["set", "site", "rate=90", "--why", "a slow bank", "--config", str(waitroom.config)]
    assert (await asyncio.to_thread(CliRunner().invoke, main, set_)).exit_code == 0
    other = Waitroom(waitroom.folder / "next", redis.url, waitroom.origin_port)
    other.version = waitroom.version
    other.set(cap=77)
    async with asyncio.timeout(60):
        while "rate_per_minute: 90 in force" not in (output := await check(other)):
            await asyncio.sleep(0.05)
    assert f"version {waitroom.version} is in force, version {other.version} in this file takes its place" in output
    assert "cap: 2 in force, 77 in this file" in output
    assert "rate_per_minute = 90 stays over it, set by" in output
    assert redis.client.hget("wr:{site}:state", "cap") == b"2"
    assert "in force, " not in await check(other, "--offline")


async def test_check_compares_a_room_with_keys_by_the_newest_of_its_lines(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    """A line that nobody has asked for lately keeps the limits that it had. No waitroom need run."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(paths=["/flights/{key}"], cap=3)
    async with waitroom.serving():
        for key in ("a1", "b2"):
            await until_served(waitroom, f"/flights/{key}")
    redis.client.hset("wr:{site/b2}:state", mapping={"version": 0, "cap": 99})
    waitroom.set(paths=["/flights/{key}"], cap=4)
    assert "  cap: 3 in force, 4 in this file\n" in await check(waitroom)


async def until_served(waitroom: Waitroom, path: str) -> None:
    async with asyncio.timeout(60), visitor() as session:
        while (await session.get(f"{waitroom.url}{path}", headers=PAGE)).status != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://127.0.0.1:1", "Nothing: Redis can't be reached ([store] url)"),
        ("", "Nothing: the embedded Redis runs only while a waitroom does."),
    ],
)
async def test_check_without_a_redis_says_that_nothing_is_compared(tmp_path: Path, url: str, why: str) -> None:
    waitroom = Waitroom(tmp_path, url, origin_port=1)
    waitroom.set()
    assert f"Compared with what Redis has in force:\n{why}" in await check(waitroom)
