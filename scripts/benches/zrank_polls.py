"""The same waitroom, but for one thing: it asks Redis for each poll, as one does whose line is a sorted set (ZRANK).

`scripts/bench` compares waitroom's polls with it.
"""

import asyncio
import sys
from pathlib import Path

import uvloop
from redis.asyncio import Redis

from waitroom import app
from waitroom.asking import Asking
from waitroom.config_file import ConfigFile
from waitroom.judge import Say
from waitroom.places import Places, Question

KEY, MEMBERS = "zrank-polls", 10_000


class AskingPlaces(Places):
    """Knows no place at once."""

    redis: Redis

    def at_once(self, *_: object, **__: object) -> None:
        return None

    async def answer(self, question: Question, asking: Asking) -> Say:
        await self.redis.zrank(KEY, str(MEMBERS // 2))
        return await super().answer(question, asking)


async def main(config: Path, redis_url: str) -> None:
    AskingPlaces.redis = Redis.from_url(redis_url)
    await AskingPlaces.redis.zadd(KEY, {str(number): number for number in range(MEMBERS)})
    vars(app)["Places"] = AskingPlaces  # the one thing that differs
    async with app.running(ConfigFile(config)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
