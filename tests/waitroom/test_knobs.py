"""An operator turns knobs by command while visitors wait: what the command says, and what they see of it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.servers import PrivateRedis
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.visitors import Come, until_state
from waitroom.cli import main


@pytest.fixture
async def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """Calls one visitor a minute, so that whoever moves was moved by a knob."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(rate_per_minute=1, cap=50, mode="queue", message="Welcome")
    async with waitroom.serving():
        yield waitroom


async def told(waitroom: Waitroom, *arguments: str, code: int = 0) -> str:
    """What a command says, on one line where it is wrapped."""
    result = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--config", str(waitroom.config)])
    assert result.exit_code == code, result.output
    return result.output


async def in_force(waitroom: Waitroom, **wanted: Any) -> None:
    async with asyncio.timeout(60):
        while not wanted.items() <= (await waitroom.status())["rooms"][0].items():
            await asyncio.sleep(0.02)


async def test_set_turns_knobs_and_says_from_what_to_what_and_until_when(waitroom: Waitroom) -> None:
    output = await told(waitroom, "set", "site", "rate=1200", "cap=7", "--for", "2h", "--why", "a test")
    assert "Room 'site': rate_per_minute 1 → 1,200, until " in output
    assert "Room 'site': cap 50 → 7, until " in output
    assert "burst" not in output  # it goes with the rate
    await in_force(waitroom, rate_per_minute=1_200, cap=7)
    output = await told(waitroom, "clear", "site", "cap")
    assert output == "Room 'site': cap 7 → 50, as the configuration says.\nAll processes have it within a second.\n"
    await in_force(waitroom, rate_per_minute=1_200, cap=50)
    await told(waitroom, "clear", "site")
    await in_force(waitroom, rate_per_minute=1, cap=50)
    assert await told(waitroom, "clear", "site") == "Nothing of that is set over the configuration of 'site'.\n"


@pytest.mark.parametrize(
    ("command", "mode"), [("hold", "hold"), ("open", "open"), ("close", "closed"), ("queue", "queue")]
)
async def test_modes_have_commands_and_resume_ends_them(waitroom: Waitroom, command: str, mode: str) -> None:
    waitroom.set(rate_per_minute=1, mode="auto")
    await in_force(waitroom, mode="auto")
    await told(waitroom, command, "site", "--why", "a test")
    await in_force(waitroom, mode=mode)
    assert f"mode '{mode}' → 'auto', as the configuration says." in await told(waitroom, "resume", "site")
    await in_force(waitroom, mode="auto")


async def test_resume_ends_a_hold_of_the_configuration_too(waitroom: Waitroom) -> None:
    waitroom.set(mode="hold")
    await in_force(waitroom, mode="hold")
    assert "mode 'hold' → 'auto', until it is cleared." in await told(waitroom, "resume", "site")
    await in_force(waitroom, mode="auto")


async def test_a_raised_rate_moves_the_line(waitroom: Waitroom, come: Come) -> None:
    visitors = [await come(waitroom) for _ in range(5)]
    for one in visitors:
        await one.get()
        await one.place()
    await told(waitroom, "set", "site", "rate=6000")
    await until_state("called", *visitors)


async def test_a_message_is_in_the_place_of_those_who_wait(waitroom: Waitroom, come: Come) -> None:
    for one in [await come(waitroom) for _ in range(2)]:
        await one.get()
        await one.place()
    second = await come(waitroom)
    await second.get()
    assert (await second.place())["message"] == "Welcome"
    await told(waitroom, "message", "site", "The doors open again at nine.")
    async with asyncio.timeout(60):
        while (await second.place())["message"] != "The doors open again at nine.":
            await asyncio.sleep(0.02)
    assert "The doors open again at nine." in (await second.get()).text
    await told(waitroom, "clear", "site", "message")
    async with asyncio.timeout(60):
        while (await second.place())["message"] != "Welcome":
            await asyncio.sleep(0.02)


async def test_the_audit_log_is_shown_with_what_the_desk_and_the_processes_did(
    waitroom: Waitroom, come: Come, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "alice")
    visitor = await come(waitroom)
    await visitor.get()
    async with asyncio.timeout(60):  # a process writes down with its pulse
        while "started" not in await told(waitroom, "audit", "site"):
            await asyncio.sleep(0.05)
    await told(waitroom, "set", "site", "rate=60", "--why", "the origin is slow")
    await told(waitroom, "revoke", "site", str(visitor.number()), "--why", "a bot")
    waitroom.set(rate_per_minute=2)
    async with asyncio.timeout(60):
        while "the file has changed" not in (output := await told(waitroom, "audit", "site")):
            await asyncio.sleep(0.05)
    lines = [line for line in output.splitlines() if "UTC" in line]
    assert [next(word for word in ("started", "slow", "bot", "changed") if word in line) for line in lines] == [
        "started",
        "slow",
        "bot",
        "changed",
    ]
    assert all("alice@" in line for line in lines[1:3])
    assert "set rate_per_minute 1 → 60: the origin is slow" in lines[1]
    assert f"revoke site {visitor.number()} until " in lines[2]
    assert f":{os.getpid()}" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "why_not"),
    [
        (("set", "site", "cap"), "'cap' should be KNOB=VALUE, for instance rate=600"),
        (("set", "site", "cap=many"), "cap: 'many' should be a whole number"),
        (("set", "site", "cap=0"), "room 'site': cap: 0: should be greater than or equal to 1"),
        (("set", "site", "speed=9"), "speed: there is no such knob: there are mode, rate_per_minute, burst, cap"),
        (("set", "site", "mode=fast"), "mode: 'fast': should be 'auto', 'queue', 'hold', 'open' or 'closed'"),
        (("set", "shop", "cap=9"), "has no room 'shop': it has site"),
        (("set", "site", "cap=9", "--for", "soon"), "'soon' should be a time such as 90s, 10m, 2h or 1d"),
        (("clear", "site", "speed"), "there is no knob 'speed': there are mode"),
        (("message", "site", "x" * 501), "message: 'xxx"),
    ],
)
async def test_what_can_not_be_set_is_explained_and_changes_nothing(
    waitroom: Waitroom, redis: PrivateRedis, arguments: tuple[str, ...], why_not: str
) -> None:
    output = await told(waitroom, *arguments, code=2)
    assert why_not in output
    assert b'"knobs"' not in (redis.client.get("wr:{site}:desk") or b"")


async def test_commands_say_that_redis_is_not_there(tmp_path: Path) -> None:
    waitroom = Waitroom(tmp_path, "redis://127.0.0.1:1", 1)
    waitroom.set()
    assert "Redis can't be reached ([store] url)" in await told(waitroom, "hold", "site", code=2)


async def test_every_command_of_the_desk_is_in_the_help() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waitroom", "--help", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    commands = [
        "set",
        "clear",
        "hold",
        "resume",
        "open",
        "close",
        "queue",
        "message",
        "audit",
        "release",
        "revoke",
        "reset",
    ]
    assert [name for name in commands if f"\n  {name} " not in output.decode()] == []
