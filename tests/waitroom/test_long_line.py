"""A line of a million: what it takes in Redis, and that each visitor is told its true position."""

import random

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LineBench
from waitroom.store_keys import line_keys

WAITING = 1_000_000
BATCH = 1_000
# Of each thousand numbers given, so many are of visitors who left before their first poll; who is by chance.
LEFT = 200


def line_of_a_million(line: LineBench) -> list[int]:
    """The present numbers, ascending."""
    line.set(mode="hold", burst=BATCH, cap=BATCH)
    chance = random.Random(1)
    present: list[int] = []
    while len(present) < WAITING:
        numbers, _ = line.join(BATCH)
        gone = set(chance.sample(range(BATCH), LEFT))
        batch = [number for i, number in enumerate(numbers) if i not in gone]
        line.poll(*batch)
        present += batch
    return present


def test_a_million_take_at_most_a_byte_of_redis_each_and_know_their_exact_positions(
    line: LineBench, redis: PrivateRedis
) -> None:
    """I7. The true position is the count of the present numbers up to one's own: the absent are passed over. It is told
    after calls too, which move the front of the line."""
    present = line_of_a_million(line)
    sizes = [redis.client.memory_usage(key) for key in line_keys("test")]
    assert sum(size or 0 for size in sizes) <= WAITING

    line.set(mode="queue")
    snapshot = line.advance()
    assert snapshot.called == BATCH
    assert snapshot.waiting == WAITING - BATCH
    asked = random.Random(2).sample(range(BATCH, WAITING), 1_000)
    assert [snapshot.position(present[i]) for i in asked] == [i + 1 - BATCH for i in asked]
