"""A process that uses the embedded Redis of a folder: tells its process id, and goes on until its input ends."""

import asyncio
import sys
from pathlib import Path

from redis.asyncio import Redis

from booking.embedded import redis_in


async def use(folder: Path) -> None:
    async with redis_in(folder) as url:
        async with Redis.from_url(url) as redis:
            sys.stdout.write(f"{(await redis.info('server'))['process_id']}\n")
            sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(use(Path(sys.argv[1])))
