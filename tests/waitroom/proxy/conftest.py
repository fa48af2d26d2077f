"""The stage of the probes: a waitroom whose room is open, before a scripted origin."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin().serving() as origin:
        yield origin


@pytest.fixture
async def stage(tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin) -> AsyncIterator[Stage]:
    waitroom = Waitroom(tmp_path, redis.url, scripted.port)
    waitroom.set(mode="open")
    async with staged(waitroom, scripted) as stage:
        yield stage
