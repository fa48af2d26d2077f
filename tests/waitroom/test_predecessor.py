"""Failings that waiting rooms have had, and that this one does not share: each by a test, here or elsewhere.

| failing | what shows that it is not ours |
|---|---|
| anyone can mint a token | test_ticket: test_another_secret_is_a_forgery; test_admission: the bad vectors |
| an address hands out an admission unqueued | test_no_address_of_ours_hands_out_an_admission |
| who is not in the queue counts as admitted: an empty store admits everyone | test_an_empty_redis_admits_nobody |
| the user is who the query string says | test_nobody_is_believed_for_what_the_address_says |
| coming back resets the place to the last | test_presence: all of it |
| the order is that of seconds, ties are broken by text | test_who_comes_in_the_same_moment_is_called_in_turn |
| one line for all: a hot flight delays the others | test_keyed_lines: test_a_hot_flight_delays_no_other |
| an admission for one flight bounces at another | test_who_is_inside_two_flights_goes_to_and_fro |
| a redirect to anywhere, with the token in the address | test_no_answer_leads_away_or_has_a_token_in_it |
| a return address with a query breaks | test_the_address_asked_for_is_the_one_that_is_reached |
| the first return bounces again | test_front: test_a_place_that_falls_free_is_the_next_visitors |
| without cookies it bounces for ever | test_presence: test_who_keeps_no_cookies_never_stands_in_the_line |
| a crash between two steps loses people | test_store_loss: all of it; each transition is one script |
| each replica admits a rate of its own | test_two_processes_keep_one_rate_and_one_cap |
| no cap | test_crowd |
| no heartbeat | test_presence: test_a_closed_tab_delays_nobody_and_never_gives_the_place_up |
| no way to leave | test_front: test_a_place_that_falls_free_is_the_next_visitors |
| entries grow for ever | test_who_has_come_and_gone_leaves_a_bit |
| each who waits costs a look at the store each second | test_asking_for_a_place_costs_redis_nothing |
| the key space is scanned each second | test_asking_for_a_place_costs_redis_nothing |
| what books and pays was not guarded | test_everything_of_a_site_is_guarded |
| the room down means the site down | test_store_loss: test_the_admitted_go_on_and_the_page_says_what_is |
"""

import asyncio
import re
import time
from pathlib import Path
from typing import cast

import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.line_bench import LineBench
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.visitors import Come, Visitor, until_position, until_state
from waitroom.limits import TICK_MS
from waitroom.store_keys import line_keys

# The three parts of a signed token.
TOKEN = re.compile(r"[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}")


@pytest.fixture
def full(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A waitroom with room for one."""
    waitroom = Waitroom(tmp_path / "one", redis.url, origin.port)
    waitroom.set(cap=1, rate_per_minute=6000)
    return waitroom


async def in_line(waitroom: Waitroom, come: Come, count: int = 2) -> list[Visitor]:
    """One inside, and the others in line."""
    visitors = [await come(waitroom) for _ in range(count)]
    for one in visitors:
        await one.get()
        await one.place()
    return visitors


async def test_no_address_of_ours_hands_out_an_admission(full: Waitroom, origin: Origin, come: Come) -> None:
    own = ["rooms/site/place", "rooms/site/leave", "rooms/site/admission", "jwks.json", "live", "ready", "token"]
    async with full.serving():
        inside, one = await in_line(full, come)
        for address in own:
            for method in ("GET", "POST"):
                got = await (await come(full, one.cookies)).ask(method, f"/.waitroom/{address}", APP)
                assert not TOKEN.search(got.text)
                cookies = [field for field in got.fields.getall("Set-Cookie", []) if "admission" in field]
                assert all("Max-Age=0" in field for field in cookies)
        assert (await inside.get()).is_origins
    assert len(origin.requests) == 2


async def test_an_empty_redis_admits_nobody(full: Waitroom, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    async with full.serving():
        inside, *others = await in_line(full, come)
        redis.client.flushall()
        for one in [*others, await come(full)]:
            assert (await one.get()).waits
        assert (await inside.get()).is_origins
    assert len(origin.requests) == 2


async def test_nobody_is_believed_for_what_the_address_says(full: Waitroom, come: Come) -> None:
    async with full.serving():
        inside, one, other = await in_line(full, come, 3)
        await until_position(other, 2)
        whose = f"?number={inside.number()}&visitor={inside.ticket()[4]}&ticket={inside.cookies['wr-site']}"
        assert (await other.get(f"/{whose}")).waits
        place = await other.get(f"/.waitroom/rooms/site/place{whose}", {})
        assert (place.json["state"], place.json["position"]) == ("waiting", 2)
        assert (await one.place())["position"] == 1


def test_who_comes_in_the_same_moment_is_called_in_turn(redis: PrivateRedis) -> None:
    """Also from 9 to 10, and from 99 to 100: numbers are no text."""
    line = LineBench(redis, cap=1000, burst=1000, mode="queue")
    numbers, _ = line.join(150)
    assert numbers == sorted(set(numbers))
    line.poll(*reversed(numbers))
    for called in range(0, 150, 10):
        line.set(cap=called + 10)
        line.advance()
        assert line.inside() == numbers[: called + 10]


async def test_who_is_inside_two_flights_goes_to_and_fro(full: Waitroom, come: Come) -> None:
    full.set(paths=["/flights/{key}/*"], cap=1)
    async with full.serving():
        one = await come(full)
        for target in ("/flights/7", "/flights/8", "/flights/7/seats", "/flights/8/seats", "/flights/7/pay"):
            assert (await one.get(target)).is_origins


@pytest.mark.parametrize("here", ["//evil.example/", "/\\evil.example", "/?redirect=https://evil.example", "/a"])
async def test_no_answer_leads_away_or_has_a_token_in_it(full: Waitroom, come: Come, here: str) -> None:
    async with full.serving():
        _, one = await in_line(full, come)
        got = await one.get(here)
        assert got.waits
        assert "Location" not in got.fields
        assert not TOKEN.search(got.text)
        assert not re.search(r"""(href|action|content|url)=["']?(https?:)?[/\\]{2}""", got.text, re.IGNORECASE)


async def test_the_address_asked_for_is_the_one_that_is_reached(full: Waitroom, origin: Origin, come: Come) -> None:
    """With its query, to the letter: nobody is sent anywhere, so nothing has to be sent along."""
    here = "/flights?from=ICN&to=C%26A&a=1&a=2&back=%2Fx%3Fy%3D1"
    async with full.serving():
        inside, one = await in_line(full, come)
        assert (await one.get(here)).waits
        await inside.leave()
        await until_state("called", one)
        await one.get(here)
    assert origin.requests[-1].raw_path == here


@pytest.mark.parametrize("limits", [{"rate_per_minute": 1, "burst": 3}, {"rate_per_minute": 6000, "cap": 3}])
async def test_two_processes_keep_one_rate_and_one_cap(
    full: Waitroom, redis: PrivateRedis, come: Come, tmp_path: Path, limits: dict[str, int]
) -> None:
    """I1, I2: a second process adds nothing to what may be admitted."""
    other = full.beside(tmp_path / "two")
    full.set(**limits)
    other.version = full.version - 1
    other.set(**limits)
    async with full.serving_before(other, redis):
        visitors = [await come(full) for _ in range(8)]
        got = await asyncio.gather(*(one.get(at=at) for one, at in zip(visitors, [full, other] * 4, strict=True)))
    assert sum(one.is_origins for one in got) == 3


def test_who_has_come_and_gone_leaves_a_bit(redis: PrivateRedis) -> None:
    """Which of the numbers were used up, and nothing else; no key is any visitor's."""
    line = LineBench(redis, cap=1000, burst=1000, rate_per_minute=600_000)

    def bytes_kept() -> int:
        sizes = [redis.client.memory_usage(key, samples=0) for key in redis.client.keys("*")]
        return sum(size or 0 for size in sizes)

    def thousands_come_and_go(times: int) -> int:
        for _ in range(times):
            numbers, called = line.join(1000)
            assert line.claim(*called)
            assert line.release(*numbers) == 1000
            line.pass_ms(120_000)
            line.advance()
        return bytes_kept()

    before = thousands_come_and_go(4)
    after = thousands_come_and_go(16)
    assert (after - before) * 8 / 16_000 < 2
    assert set(redis.client.keys("*")) <= {key.encode() for key in line_keys("test")}


async def test_asking_for_a_place_costs_redis_nothing(full: Waitroom, redis: PrivateRedis, come: Come) -> None:
    """What Redis hears of comes with the ticks, for all who asked together; nothing looks through its keys."""
    async with full.serving():
        _, *waiting = await in_line(full, come, 6)
        await eventually(lambda: redis.client.bitcount("wr:{site}:here") == 5)
        redis.client.config_resetstat()
        began_s = time.monotonic()
        for _ in range(100):
            for one in waiting:
                assert (await one.place())["state"] == "waiting"
        counted = cast("dict[str, dict[str, int]]", redis.client.info("commandstats"))
        ticks = (time.monotonic() - began_s) * 1000 / TICK_MS + 1
    # In each tick an advance, a batch of polls, and every other time a pulse of the desk; for 500 who asked.
    assert counted.get("cmdstat_evalsha", {"calls": 0})["calls"] <= 3 * ticks
    assert not {"cmdstat_zrank", "cmdstat_keys", "cmdstat_scan"} & set(counted)


async def test_everything_of_a_site_is_guarded(full: Waitroom, origin: Origin, come: Come) -> None:
    """I6: whatever the method and the path, unless a rule lets it by."""
    async with full.serving():
        _, one = await in_line(full, come)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for target in ("/book", "/pay", "/api/seats", "/static/app.js"):
                assert not (await one.ask(method, target, PAGE)).is_origins
    assert len(origin.requests) == 1
