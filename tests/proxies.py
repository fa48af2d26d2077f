"""Real proxies, run by the example configurations with other addresses in them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

CONFIG = Path(__file__).parent.parent / "config"
FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
START_S = 60
# What a configuration in the midst of a system has by default, in a folder of the test's own.
NGINX_HTTP = """http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""
CADDY_OPTIONS = """{
	admin off
	auto_https off
}
"""

Program = Literal["nginx", "haproxy", "caddy"]


def needs(program: Program) -> pytest.MarkDecorator:
    """Skips where a program is missing; with CI=true the test fails there."""
    missing = _path(program) is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"no {program} on PATH (Debian's package: {program})")


@asynccontextmanager
async def proxy(
    program: Program, folder: Path, example: str, port: int, changes: Mapping[str, object]
) -> AsyncIterator[None]:
    """Entered when it accepts at the port. Each of the changes must be of something in the example."""
    folder.mkdir(parents=True)
    text = (CONFIG / example).read_text()
    for old, new in changes.items():
        assert old in text, f"{example} has no {old}"
        text = text.replace(old, str(new))
    config = folder / "config"
    path = _path(program)
    assert path, f"with CI=true nothing may skip: install {program}"
    match program:
        case "nginx":
            config.write_text(text.replace("http {\n", NGINX_HTTP.format(folder=folder), 1))
            own = f"daemon off; master_process off; pid {folder}/pid;"
            arguments = ["-p", str(folder), "-e", str(folder / "errors"), "-c", str(config), "-g", own]
        case "haproxy":
            config.write_text(text)
            arguments = ["-db", "-f", str(config)]
        case "caddy":
            config.write_text(CADDY_OPTIONS + text)
            arguments = ["run", "--config", str(config), "--adapter", "caddyfile"]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path, *arguments, stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)}
        )
    try:
        await _accepts(process, port, folder / "log")
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _accepts(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async with asyncio.timeout(START_S):
        while True:
            assert process.returncode is None, log.read_text()
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


def _path(program: Program) -> str | None:
    return shutil.which(program, path=FOLDERS)
