"""A Prometheus of a test's own, with the configuration and the rules that are shipped, in a hurry.

What is shipped waits for minutes before it wakes anybody. A test has seconds: in its copy of the rules every time is
divided by the same number, and all else is the same.
"""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.prometheus.programs import ALERTS, CONFIG, PROMETHEUS, RECORDINGS
from tests.servers import free_port

# A minute is a second.
HURRY = 60
SCRAPE_S = 0.25
START_S = 60
UNITS_S = {"s": 1, "m": 60, "h": 3_600}
# Durations in rules: of ranges, and how long an alert waits.
TIMES = re.compile(r"(?<=\[)(\d+)([smh])(?=\])|(?<=for: )(\d+)([smh])$", re.MULTILINE)


class Prometheus:
    """`configure` says which addresses it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "log"
        folder.mkdir()
        for rules in (ALERTS, RECORDINGS):
            (folder / rules.name).write_text(TIMES.sub(_hurried, rules.read_text()))

    def configure(self, targets: Mapping[str, str]) -> None:
        """The shipped configuration, with the address of each job in the place of the shipped one."""
        text = (CONFIG / "prometheus.yml").read_text().replace("15s", f"{int(SCRAPE_S * 1000)}ms")
        for shipped, own in targets.items():
            assert shipped in text, f"prometheus.yml has no {shipped}"
            text = text.replace(shipped, own)
        (self.folder / "prometheus.yml").write_text(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        assert PROMETHEUS, "with CI=true nothing may skip: install Debian's package prometheus"
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                PROMETHEUS,
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                stdout=log,
                stderr=log,
            )
        try:
            await self._until_ready(process)
            yield
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
            shutil.rmtree(self.folder / "data", ignore_errors=True)

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API. Fails the test where it is none."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters) as response,
        ):
            answer = json.loads(await response.text())
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return found

    async def firing(self) -> dict[str, str]:
        """The alerts that fire, by name, with what they say."""
        alerts = (await self.ask("alerts"))["alerts"]
        firing = (alert for alert in alerts if alert["state"] == "firing")
        return {alert["labels"]["alertname"]: str(alert["annotations"]["summary"]) for alert in firing}

    def complaints(self) -> list[str]:
        """What its log has that is worse than news."""
        return [line for line in self.log.read_text().splitlines() if re.search(r"level=(warn|error)", line)]

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while True:
                assert process.returncode is None, self.log.read_text()
                with suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{self.port}/-/ready") as response:
                        if response.ok:
                            return
                await asyncio.sleep(0.05)


def _hurried(found: re.Match[str]) -> str:
    amount, unit = found[1] or found[3], found[2] or found[4]
    return f"{int(amount) * UNITS_S[unit] * 1000 // HURRY}ms"
