"""Lines as others build them in Redis, and what they take of it."""

import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

from redis import Redis

from scripts.benches.holding import BATCH, data_bytes
from scripts.benches.servers import Contenders


def sets(redis: Redis, sessions: Sequence[str]) -> None:
    """Two sorted sets: who came when, and who was heard of when."""
    now_s = time.time()
    redis.zadd("line", {session: now_s + i / 1000 for i, session in enumerate(sessions)})
    redis.zadd("seen", {session: now_s + i / 1000 for i, session in enumerate(sessions)})


def set_and_keys(redis: Redis, sessions: Sequence[str]) -> None:
    """A sorted set of who came when, and a key for each that goes away if nothing is heard."""
    now_s = time.time()
    redis.zadd("line", {session: now_s + i / 1000 for i, session in enumerate(sessions)})
    with redis.pipeline(transaction=False) as pipeline:
        for session in sessions:
            pipeline.set(f"seen:{session}", "1", ex=3_600)
        pipeline.execute()


DESIGNS: dict[str, Callable[[Redis, Sequence[str]], None]] = {
    "two sorted sets: places, heartbeats": sets,
    "a sorted set of places, a key per heartbeat": set_and_keys,
}


def design_bytes(come: Callable[[Redis, Sequence[str]], None], sizes: Sequence[int]) -> list[int]:
    """What a line of another design takes of Redis, as it grows to each of the sizes."""
    taken: list[int] = []
    with (
        tempfile.TemporaryDirectory(prefix="waitroom-memory-") as name,
        Contenders(Path(name)) as contenders,
        Redis.from_url(contenders.redis()) as redis,
    ):
        empty, chance = data_bytes(redis), Random(1)
        for before, size in pairwise((0, *sizes)):
            for start in range(before, size, BATCH):
                come(redis, [f"{chance.getrandbits(128):032x}" for _ in range(min(BATCH, size - start))])
            taken.append(data_bytes(redis) - empty)
    return taken
