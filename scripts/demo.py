"""Runs the whole of it on one machine: waitroom and booking, each with a Redis of its own, a bank, and a crowd."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import aiohttp
import click
from rich.console import Console
from rich.panel import Panel

from scripts.crowd import crowd

TEMPLATE = Path(__file__).parent.parent / "config" / "demo.toml"
BOOKING_OFFSET, BANK_OFFSET, ADMIN_OFFSET, BOOKING_ADMIN_OFFSET = 1, 2, 1100, 1101
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
console = Console(highlight=False)


@dataclass(frozen=True)
class Demo:
    """Where one demo lives: its folder, and its five ports."""

    folder: Path
    port: int

    @property
    def public(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def booking(self) -> str:
        return f"127.0.0.1:{self.port + BOOKING_OFFSET}"

    @property
    def bank(self) -> str:
        return f"127.0.0.1:{self.port + BANK_OFFSET}"

    @property
    def admin(self) -> str:
        return f"127.0.0.1:{self.port + ADMIN_OFFSET}"

    @property
    def booking_admin(self) -> str:
        return f"127.0.0.1:{self.port + BOOKING_ADMIN_OFFSET}"

    @property
    def config(self) -> Path:
        return self.folder / "waitroom.toml"

    @property
    def state(self) -> Path:
        return self.folder / ".waitroom"

    @property
    def token(self) -> str:
        """The operator's, which waitroom has made."""
        return (self.state / "admin.token").read_text().strip()

    @property
    def log(self) -> Path:
        return self.folder / "demo.log"

    def write_config(self) -> None:
        text = TEMPLATE.read_text()
        for standard, own in (("8080", self.public), ("8081", self.booking), ("9180", self.admin)):
            text = text.replace(f"127.0.0.1:{standard}", own)
        # The whole path, so that commands find it from wherever they are run.
        self.config.write_text(text.replace("[server]\n", f'[server]\nstate = "{self.state}"\n'))

    def environment(self) -> dict[str, str]:
        commands = Path(sys.executable).parent
        return os.environ | {
            "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "BOOKING_LISTEN": self.booking,
            "BOOKING_ADMIN_LISTEN": self.booking_admin,
            "BOOKING_PUBLIC_URL": f"http://{self.public}",
            "BOOKING_SANDBOX_URL": f"http://{self.bank}",
            "BOOKING_STATE_FOLDER": str(self.folder / "booking"),
            "BOOKING_DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'booking.db'}",
            "BOOKING_ADMISSION_KEYS": f"http://{self.public}/.waitroom/jwks.json",
        }


@click.command()
@click.option("--crowd", "size", default=60, show_default=True, type=click.IntRange(0, 2_000), help="Visitors.")
@click.option("--port", default=8080, show_default=True, help="Waitroom's; next are booking and its bank.")
@click.option("--flights", default=600, show_default=True, type=click.IntRange(1, 10_000), help="In 30 days.")
def main(size: int, port: int, flights: int) -> None:
    """Run waitroom, booking and a crowd until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="waitroom-demo-") as folder:
        asyncio.run(_until_interrupted(Demo(Path(folder), port), size, flights))


async def _until_interrupted(demo: Demo, size: int, flights: int) -> None:
    running = asyncio.create_task(_run(demo, size, flights))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        console.print("\nStopped.")


async def _run(demo: Demo, size: int, flights: int) -> None:
    demo.write_config()
    await _seed(demo, flights)
    async with AsyncExitStack() as stack:
        log = stack.enter_context(demo.log.open("wb"))
        children = [
            await stack.enter_async_context(_child(demo, log, "waitroom", "serve", "--config", str(demo.config))),
            await stack.enter_async_context(_child(demo, log, "booking", "serve")),
            await stack.enter_async_context(_child(demo, log, "booking", "sandbox")),
        ]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await _until_up(demo, session, children, f"http://{demo.public}/.waitroom/ready")
        await _until_up(demo, session, children, f"http://{demo.booking}/healthz")
        await _until_up(demo, session, children, f"http://{demo.bank}/healthz")
        visitors = asyncio.create_task(crowd(f"http://{demo.public}", size))
        stack.callback(visitors.cancel)
        _greet(demo)
        await _show_status(demo, session, children)


async def _seed(demo: Demo, flights: int) -> None:
    command = ("booking", "seed", "--flights", str(flights))
    seeding = await asyncio.create_subprocess_exec(*command, env=demo.environment(), cwd=demo.folder)
    if await seeding.wait():
        raise click.ClickException("booking could not be seeded: see above")


@asynccontextmanager
async def _child(demo: Demo, log: IO[bytes], *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A part of the demo. It has a session of its own, so that Ctrl-C reaches it in our order, not the terminal's."""
    process = await asyncio.create_subprocess_exec(
        *command, env=demo.environment(), cwd=demo.folder, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_up(
    demo: Demo, session: aiohttp.ClientSession, children: list[asyncio.subprocess.Process], url: str
) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            _all_alive(demo, children)
            try:
                async with session.get(url) as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def _all_alive(demo: Demo, children: list[asyncio.subprocess.Process]) -> None:
    if any(child.returncode is not None for child in children):
        raise click.ClickException(f"a part of the demo ended:\n{demo.log.read_text()[-2_000:]}")


def _greet(demo: Demo) -> None:
    console.print(
        Panel(
            f"[bold]Open http://{demo.public}[/bold] and wait your turn: about a minute and a half. Then book seats;\n"
            "at the bank card 4242 4242 4242 4242 pays, 4000 0000 0000 0002 is declined.\n\n"
            f"Turn a knob     at the desk below, or edit rate_per_minute in {demo.config}\n"
            f"See the line    waitroom top --config {demo.config}\n"
            f"Metrics         http://{demo.admin}/metrics, http://{demo.booking_admin}/metrics\n"
            f"The bank        http://{demo.bank}\n"
            f"Not admitted    curl -i http://{demo.booking}/\n"
            f"Log             {demo.log}\n\n"
            "Ctrl-C stops all of it.",
            title="waitroom demo",
            expand=False,
        )
    )
    # By itself, so that no frame breaks the link.
    console.print(f"The operator's desk: http://{demo.admin}/#token={demo.token}\n", soft_wrap=True)


async def _show_status(demo: Demo, session: aiohttp.ClientSession, children: list[asyncio.subprocess.Process]) -> None:
    with console.status("") as line:
        while True:
            _all_alive(demo, children)
            token = {"Authorization": f"Bearer {demo.token}"}
            async with session.get(f"http://{demo.admin}/api/rooms", headers=token) as response:
                line.update(_in_a_line(await response.json()))
            await asyncio.sleep(1)


def _in_a_line(state: dict[str, Any]) -> str:
    room = state["rooms"][0]
    text = (
        f"inside {room['inside']} of {room['limits']['cap']}, waiting {room['waiting']}, "
        f"calls a minute {room['measured_per_minute'] or 0:.0f} of {room['limits']['rate_per_minute']}"
    )
    if room["store_lost"]:
        text += " [red]Redis is lost: places are kept[/red]"
    return text + "".join(f"\n[red]refused: {fault}[/red]" for fault in state["config_faults"])


if __name__ == "__main__":
    main()
