"""What the manifests have probed is answered by a waitroom as it runs."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.deploy.files import manifest
from tests.servers import PrivateRedis
from tests.waitroom.running import Origin, Waitroom

(CONTAINER,) = manifest("Deployment", "waitroom")["spec"]["template"]["spec"]["containers"]
NODE = {"Host": "10.1.2.3:8080"}


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
async def test_a_probe_is_answered_whatever_hosts_the_rooms_have(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, probe: str
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(hosts=["www.example.com"])
    url = waitroom.url + CONTAINER[probe]["httpGet"]["path"]
    async with waitroom.serving(), aiohttp.ClientSession(headers=NODE) as session, asyncio.timeout(60):
        while (await session.get(url)).status != 200:
            await asyncio.sleep(0.05)
