"""Runs the probes of the proxy's contract against waitroom, nginx and HAProxy, and prints where they differ.

Each probe has a proxy of its own, freshly started, between its visitor and a scripted origin. Both others have the
settings that one would give them for a site with uploads, streams and upgrades; else their defaults.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import click
from rich.console import Console

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.proxy.probe import Probe
from tests.waitroom.proxy.probes import PROBES
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.shapes import SHAPES, probe_of
from tests.waitroom.proxy.stage import Stage
from tests.waitroom.running import Waitroom

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
    timeout http-request 10s
    option forwardfor
    option abortonclose
frontend visitors
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""
PATIENCE_S = 3.0
# Some outcomes are megabytes of text.
LONGEST = 90
console = Console(highlight=False)

Running = Callable[[Path, int], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _nginx(folder: Path, origin_port: int) -> AsyncIterator[int]:
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, origin=origin_port))
    async with _process(["nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/error.log"], port):
        yield port


@asynccontextmanager
async def _haproxy(folder: Path, origin_port: int) -> AsyncIterator[int]:
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, origin=origin_port))
    async with _process(["haproxy", "-f", str(config)], port):
        yield port


@asynccontextmanager
async def _waitroom(folder: Path, origin_port: int) -> AsyncIterator[int]:
    redis = PrivateRedis(folder / "redis")
    redis.start()
    try:
        waitroom = Waitroom(folder / "waitroom", redis.url, origin_port)
        waitroom.set(mode="open")
        async with waitroom.serving():
            yield waitroom.port
    finally:
        redis.close()


PROXIES: dict[str, Running] = {"waitroom": _waitroom, "nginx": _nginx, "HAProxy": _haproxy}


@asynccontextmanager
async def _process(command: list[str], port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await eventually(lambda: _listens(port))
        yield
    finally:
        process.kill()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def observe(probe: Probe, running: Running, patience_s: float) -> str:
    """What a probe tells of a proxy."""
    with tempfile.TemporaryDirectory(prefix="waitroom-probes-") as folder:
        async with ScriptedOrigin().serving() as origin, running(Path(folder), origin.port) as port:
            try:
                async with asyncio.timeout(patience_s * 10):
                    return await probe.run(Stage(port, origin, patience_s))
            except TimeoutError:
                return "waits"
            except Exception as exc:  # noqa: BLE001  # another proxy may do what no probe foresees
                return f"no observation: {exc!r}"


async def _table(probes: Iterable[Probe], names: tuple[str, ...], *, everything: bool) -> list[str]:
    columns = [name for name in PROXIES if name in names]
    lines = [f"| row | what is tried | {' | '.join(columns)} |", "|---:|---|" + "---|" * len(columns)]
    for probe in probes:
        with console.status(f"{probe.row} {probe.name}"):
            told = [await observe(probe, PROXIES[name], PATIENCE_S) for name in columns]
        # HAProxy writes the names of all fields in lower case.
        if everything or len({text.lower() for text in told}) > 1:
            lines.append(_line(str(probe.row), probe.name, *told))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return (shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…").replace("|", "\\|")


def _provide(names: tuple[str, ...]) -> None:
    """Installs what is missing where that is possible; else says what to install."""
    missing = [name.lower() for name in names if name != "waitroom" and not shutil.which(name.lower())]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise click.ClickException(f"please install {' and '.join(missing)}: sudo {' '.join(command)}")
    subprocess.run(command, check=True, stdout=sys.stderr)


@click.command()
@click.option("--row", "rows", multiple=True, type=click.IntRange(1, 32), help="Only these.")
@click.option("--proxy", "names", multiple=True, type=click.Choice(tuple(PROXIES)), default=tuple(PROXIES))
@click.option("--shapes", is_flag=True, help="The shapes of request smuggling instead.")
@click.option("--all", "everything", is_flag=True, help="Probes that tell the same of each proxy, too.")
def main(rows: tuple[int, ...], names: tuple[str, ...], shapes: bool, everything: bool) -> None:
    """Print what the probes tell of waitroom, nginx and HAProxy where they differ, as Markdown."""
    _provide(names)
    probes = map(probe_of, SHAPES) if shapes else (probe for probe in PROBES if not rows or probe.row in rows)
    lines = asyncio.run(_table(probes, names, everything=everything))
    console.print("\n".join(lines), soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
