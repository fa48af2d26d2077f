"""The cache: spares the database a crowd, never shows what a sale has changed, and nobody misses it when it is gone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from booking import cache as cache_module
from booking.cache import Cache, Kind
from booking.store import Store
from tests.booking.bench import NOW_S
from tests.booking.conftest import PATIENCE_S
from tests.servers import PrivateRedis, eventually

WORDS = Kind("words", life_s=10, shape=TypeAdapter(list[str]), is_worth=bool)
KEY, SUBJECT = "a=1&b=2", "flight:1"


class Source:
    """What the cache stands before. Counts how often it is asked; answers once it `may`."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self) -> list[str]:
        self.asked += 1
        found = list(self.words)
        await self.may.wait()
        return found


@pytest.fixture
async def other_process(redis: PrivateRedis) -> AsyncIterator[Cache]:
    """A cache on the same Redis, which knows nothing of the first one."""
    async with Store(redis.url, PATIENCE_S) as store:
        yield Cache(store)


@pytest.fixture
def observed(cache: Cache) -> list[str]:
    outcomes: list[str] = []
    cache.observe = lambda _kind, outcome: outcomes.append(outcome)
    return outcomes


async def get(cache: Cache, source: Source, now_s: int = NOW_S, key: str = KEY, subject: str = SUBJECT) -> list[str]:
    return await cache.get(WORDS, key, subject, now_s, source)


async def test_what_was_found_is_found_again_by_every_process(cache: Cache, other_process: Cache) -> None:
    source = Source("one")
    assert [await get(some, source) for some in (cache, cache, other_process)] == [["one"]] * 3
    assert source.asked == 1


async def test_each_key_has_its_own_entry(cache: Cache) -> None:
    assert await get(cache, Source("one"), key="a=1") == ["one"]
    assert await get(cache, Source("two"), key="a=2") == ["two"]


async def test_an_entry_is_taken_for_its_life_and_not_a_second_longer(cache: Cache) -> None:
    source = Source("one")
    await get(cache, source)
    await get(cache, source, NOW_S + WORDS.life_s - 1)
    assert source.asked == 1
    await get(cache, source, NOW_S + WORDS.life_s)
    assert source.asked == 2


async def test_an_empty_result_is_not_kept(cache: Cache) -> None:
    source = Source()
    assert await get(cache, source) == []
    source.words = ["now there is one"]
    assert await get(cache, source) == ["now there is one"]


async def test_a_crowd_that_misses_at_once_makes_one_query(cache: Cache, observed: list[str]) -> None:
    source = Source("one")
    source.may.clear()
    crowd = [asyncio.create_task(get(cache, source)) for _ in range(50)]
    await eventually(lambda: source.asked and len(observed) == 50)
    source.may.set()

    assert await asyncio.gather(*crowd) == [["one"]] * 50
    assert source.asked == 1
    assert sorted(observed) == ["miss"] + ["shared"] * 49


async def test_who_began_the_query_may_go_away(cache: Cache) -> None:
    source = Source("one")
    source.may.clear()
    first, second = (asyncio.create_task(get(cache, source)) for _ in range(2))
    await eventually(lambda: source.asked)
    first.cancel()
    source.may.set()
    assert await second == ["one"]


async def test_a_query_that_fails_fails_for_all_who_wait_and_is_tried_again(cache: Cache) -> None:
    class Broken(Source):
        async def __call__(self) -> list[str]:
            await super().__call__()
            raise KeyError

    broken = Broken()
    failed = await asyncio.gather(get(cache, broken), get(cache, broken), return_exceptions=True)
    assert [type(exc) for exc in failed] == [KeyError, KeyError]
    assert await get(cache, Source("one")) == ["one"]


async def test_a_change_is_seen_at_once_here_and_once_it_is_told_everywhere(cache: Cache, other_process: Cache) -> None:
    source = Source("before")
    await get(cache, source)
    source.words = ["after"]

    cache.doubt({SUBJECT})
    assert await get(cache, source) == ["after"]
    assert await get(other_process, source) == ["before"]

    await cache.renew({SUBJECT})
    assert await get(other_process, source) == ["after"]


async def test_a_change_leaves_other_subjects_alone(cache: Cache) -> None:
    source = Source("one")
    await get(cache, source)
    cache.doubt({"flight:2"})
    await cache.renew({"flight:2"})
    await get(cache, source)
    assert source.asked == 1


async def test_what_was_read_before_a_change_is_not_taken_after_it(cache: Cache, observed: list[str]) -> None:
    """The query begins, a seat is sold and told, and only then the query ends and is written down."""
    source = Source("before")
    source.may.clear()
    slow = asyncio.create_task(get(cache, source))
    await eventually(lambda: source.asked == 1)
    cache.doubt({SUBJECT})
    await cache.renew({SUBJECT})
    source.may.set()
    assert await slow == ["before"]

    source.words = ["after"]
    assert await get(cache, source) == ["after"]
    assert observed == ["miss", "miss"]


async def test_a_change_is_not_hidden_by_a_query_under_way(cache: Cache) -> None:
    """Two sales in a row: who looks after the second does not share the query of who looked after the first."""
    cache.doubt({SUBJECT})
    source = Source("first")
    source.may.clear()
    early = asyncio.create_task(get(cache, source))
    await eventually(lambda: source.asked == 1)
    source.words = ["second"]
    cache.doubt({SUBJECT})
    late = asyncio.create_task(get(cache, source))
    await eventually(lambda: source.asked == 2)
    source.may.set()
    assert [await early, await late] == [["first"], ["second"]]


async def test_who_has_sold_does_not_join_who_looked_before(cache: Cache) -> None:
    """Not even when the sale is told already, and the old query still runs."""
    source = Source("before")
    source.may.clear()
    early = asyncio.create_task(get(cache, source))
    await eventually(lambda: source.asked == 1)
    source.words = ["after"]
    cache.doubt({SUBJECT})
    await cache.renew({SUBJECT})
    late = asyncio.create_task(get(cache, source))
    await eventually(lambda: source.asked == 2)
    source.may.set()
    assert [await early, await late, await get(cache, source)] == [["before"], ["after"], ["after"]]


async def test_a_change_during_the_telling_of_another_is_still_to_be_told(cache: Cache) -> None:
    source = Source("before")
    await get(cache, source)
    cache.doubt({SUBJECT})
    telling = asyncio.create_task(cache.renew({SUBJECT}))
    await asyncio.sleep(0)
    cache.doubt({SUBJECT})
    await telling
    await get(cache, source)
    await get(cache, source)
    assert source.asked == 3


async def test_an_entry_of_another_version_of_the_code_is_a_miss(cache: Cache, redis: PrivateRedis) -> None:
    await get(cache, Source("one"))
    redis.client.set(f"cache:words:{KEY}", f'0 {NOW_S}\n{{"another": "shape"}}')
    assert await get(cache, Source("two")) == ["two"]


async def test_without_redis_the_database_is_asked_by_one_at_a_time(tmp_path: Path) -> None:
    gone = PrivateRedis(tmp_path)
    async with Store(gone.url) as store:
        cache, source = Cache(store), Source("one")
        outcomes: list[str] = []
        cache.observe = lambda _kind, outcome: outcomes.append(outcome)
        source.may.clear()
        crowd = [asyncio.create_task(get(cache, source)) for _ in range(50)]
        await eventually(lambda: source.asked and len(outcomes) == 50)
        source.may.set()

        assert await asyncio.gather(*crowd) == [["one"]] * 50
        assert source.asked == 1
        assert sorted(outcomes) == ["off"] + ["shared"] * 49
        await cache.renew({SUBJECT})
    gone.close()


async def test_a_frozen_redis_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would answer no request, and delay each."""
    frozen = PrivateRedis(tmp_path)
    frozen.start()
    async with Store(frozen.url) as store:
        cache, source = Cache(store), Source("one")
        await get(cache, source)
        outcomes: list[str] = []
        cache.observe = lambda _kind, outcome: outcomes.append(outcome)
        monkeypatch.setattr(cache_module, "TIMEOUT_S", 0.1)
        monkeypatch.setattr(cache_module, "REST_S", 3_600)
        frozen.freeze()
        for _ in range(2):
            assert await get(cache, source) == ["one"]
        frozen.thaw()
        assert await get(cache, source) == ["one"]
        assert outcomes == ["off"] * 3
    frozen.close()


async def test_nothing_but_values_and_generations_is_kept_and_all_of_it_passes(
    cache: Cache, redis: PrivateRedis
) -> None:
    await get(cache, Source("one"))
    await cache.renew({SUBJECT})
    keys = {f"cache:words:{KEY}", f"cache:generation:{SUBJECT}"}
    assert redis.client.dbsize() == len(keys)
    assert all(redis.client.ttl(key) > 0 for key in keys)
