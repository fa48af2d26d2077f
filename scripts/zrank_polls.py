"""Answers polls as a line in a sorted set would: with a ZRANK for each, and then the same bytes as waitroom.

`scripts/bench` compares waitroom's polls with it. It does nothing else, and reads no ticket: the comparison errs in
its favour.
"""

import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop
from redis.asyncio import Redis

KEY, MEMBERS = "zrank-polls", 10_000


class Polls(asyncio.Protocol):
    """One visitor's connection; requests come one by one."""

    def __init__(self, redis: Redis, response: bytes) -> None:
        self._redis = redis
        self._response = response
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            task = asyncio.get_running_loop().create_task(self._answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self) -> None:
        await self._redis.zrank(KEY, str(MEMBERS // 2))
        self._transport.write(self._response)


async def main(port: int, redis_url: str, response: bytes) -> None:
    redis = Redis.from_url(redis_url)
    await redis.zadd(KEY, {str(number): number for number in range(MEMBERS)})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Polls(redis, response), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes()))
