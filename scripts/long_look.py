"""Looks at the waiting page for as long as people do: 90 seconds without a network, five minutes with the tab frozen,
Redis lost with all it knew, the proxy started anew. Says which number the visitor had at each step, and how the page
asked.

Takes some eight minutes; the test of the same does it in less.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.browser import chromium
from tests.journey.long_look import Look, Spans, long_look
from tests.servers import PrivateRedis

SPANS = Spans(offline_s=90, frozen_s=300, without_redis_s=20)

console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        redis = PrivateRedis(Path(folder))
        redis.start()
        try:
            look = asyncio.run(_look(Path(folder), redis))
        finally:
            redis.client.close()
            redis.kill()
    for step, number in look.numbers.items():
        console.print(f"{step}: number {number}")
    console.print(
        f"{len(look.polls)} polls, at least {look.shortest_gap_s:.1f} s apart; {look.polls_while_frozen} while frozen"
    )
    console.print(f"loaded {len(look.loads)} times")
    if len(set(look.numbers.values())) > 1 or len(look.loads) != 2:
        sys.exit("the place was not kept, or the page was loaded more often than to wait, and to go in")


async def _look(folder: Path, redis: PrivateRedis) -> Look:
    async with chromium() as browser:
        return await long_look(browser, folder / "waitroom", redis, SPANS)


if __name__ == "__main__":
    main()
