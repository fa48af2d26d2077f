"""The demo, running, as `scripts/demo` starts it: the whole of it on ports of its own."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from scripts.demo import ADMIN_OFFSET, BANK_OFFSET, BOOKING_ADMIN_OFFSET, BOOKING_OFFSET
from tests.servers import first_free, own_ports

START_S = 240
# Where only demos are: each has one of these, the next two, and two that are 1,100 above, where none of these is.
PORTS = own_ports(range(13_000, 14_098, 3))
OFFSETS = (BOOKING_OFFSET, BANK_OFFSET, ADMIN_OFFSET, BOOKING_ADMIN_OFFSET)


@dataclass(frozen=True, slots=True)
class Demo:
    """Where visitors find it, where operators do, and the configuration file that it runs with."""

    url: str
    booking_url: str
    desk_url: str
    config: Path

    def set(self, before: str, after: str) -> None:
        """Turns a knob, as an operator does: by editing the file."""
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))


@asynccontextmanager
async def running(crowd: int) -> AsyncIterator[Demo]:
    """One with a crowd of this size, and some flights each day. Its folder has a short name: sockets are in it."""
    with tempfile.TemporaryDirectory() as folder:
        async with _running_in(Path(folder), crowd) as demo:
            yield demo


@asynccontextmanager
async def _running_in(folder: Path, crowd: int) -> AsyncIterator[Demo]:
    port = first_free(PORTS, *OFFSETS)
    command = (sys.executable, "-m", "scripts.demo", "--port", str(port), "--crowd", str(crowd), "--flights", "120")
    output = folder / "output"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=Path(__file__).parents[2], env=os.environ | {"TMPDIR": str(folder)}, stdout=file, stderr=file
        )
    try:
        async with asyncio.timeout(START_S):
            while "Ctrl-C stops" not in output.read_text():
                assert process.returncode is None, output.read_text()
                await asyncio.sleep(0.1)
        config = next(folder.glob("waitroom-demo-*/waitroom.toml"))
        url, booking_url, desk_url = (f"http://127.0.0.1:{port + each}" for each in (0, BOOKING_OFFSET, ADMIN_OFFSET))
        yield Demo(url, booking_url, desk_url, config)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until_in_line(demo: Demo, visitors: int) -> None:
    """Returns when so many wait."""
    token = (demo.config.parent / ".waitroom" / "admin.token").read_text().strip()
    async with (
        asyncio.timeout(START_S),
        aiohttp.ClientSession(demo.desk_url, headers={"Authorization": f"Bearer {token}"}) as operator,
    ):
        while True:
            async with operator.get("/api/rooms") as response:
                if (await response.json())["rooms"][0]["waiting"] >= visitors:
                    return
            await asyncio.sleep(0.1)


async def answers_without_admission(demo: Demo) -> int:
    """What booking says to who comes past the waiting room."""
    page = {"Accept": "text/html"}
    async with aiohttp.ClientSession() as session, session.get(f"{demo.booking_url}/", headers=page) as response:
        return response.status
