"""A place outlives all that happens to a page that somebody looks at for long."""

from pathlib import Path

from tests.browser import chromium, needs_chromium
from tests.journey.long_look import Spans, long_look
from tests.servers import PrivateRedis

# The least between two polls, a little less for a clock that is asked twice.
LEAST_GAP_S = 0.9
# Longer than a page waits between two polls of a line of one.
SPANS = Spans(offline_s=5, frozen_s=10, without_redis_s=1)


@needs_chromium
async def test_place_is_kept_whatever_happens_and_the_page_goes_on_by_itself(tmp_path: Path) -> None:
    redis = PrivateRedis(tmp_path)
    redis.start()
    try:
        async with chromium() as browser:
            look = await long_look(browser, tmp_path / "waitroom", redis, SPANS)
    finally:
        redis.client.close()
        redis.kill()
    assert len(set(look.numbers.values())) == 1, look.numbers
    assert look.polls_while_frozen == 0
    assert look.shortest_gap_s >= LEAST_GAP_S
    assert [url.rpartition("/")[2] for url in look.loads] == ["flights", "flights"], "once to wait, once to go in"
