"""Robots of search engines: those that a room names pass if DNS confirms that they are, and none is ever in line."""

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.fields import block
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.test_shortcut import benching
from tests.waitroom.visitors import Come
from waitroom import robots as module
from waitroom.asking import read
from waitroom.gate import Forward
from waitroom.headers import Client
from waitroom.judge import Carry, Say
from waitroom.robots import AT_ONCE, KNOWN_S, MOST_REMEMBERED, MOST_UNDER_WAY, STRANGER_S, UNCLEAR_S, Robots
from waitroom.rooms import Rooms

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BINGBOT = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
AT_GOOGLE, AT_HOME, PRETENDING, AT_BING = "66.249.66.1", "203.0.113.7", "203.0.113.8", "157.55.33.18"
NAMES = {
    AT_GOOGLE: "crawl-66-249-66-1.googlebot.com",
    AT_HOME: "customer-7.isp.example",
    PRETENDING: "crawl-66-249-66-1.googlebot.com",
    AT_BING: "msnbot-157-55-33-18.search.msn.com",
    "2001:4860:4801:10::1": "crawl-2001-4860.googlebot.com",
}
ADDRESSES = {
    "crawl-66-249-66-1.googlebot.com": {AT_GOOGLE},
    "customer-7.isp.example": {AT_HOME},
    "msnbot-157-55-33-18.search.msn.com": {AT_BING},
    "crawl-2001-4860.googlebot.com": {"2001:4860:4801:10::1"},
}
PATIENT_S = 60


@dataclass
class Zone:
    """What DNS says here, and how often it was asked; `down` is why it can't say. It answers once it is `free`."""

    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))
    asked: Counter[str] = field(default_factory=Counter)
    down: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    most_under_way: int = 0

    def __post_init__(self) -> None:
        self.free.set()

    async def name_of(self, address: str) -> str:
        self.asked[address] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.free.wait()
        self.under_way -= 1
        if self.down:
            raise socket.gaierror(self.down, "DNS is down")
        if address not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no name")
        return self.names[address]

    async def addresses_of(self, name: str) -> set[str]:
        if name not in ADDRESSES:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return ADDRESSES[name]


class Clock:
    """Held by the test."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def robots(zone: Zone, clock: Clock) -> Robots:
    return Robots(zone, clock)


@pytest.mark.parametrize(
    ("address", "is_genuine"),
    [
        pytest.param(AT_GOOGLE, True, id="its name leads back to it"),
        pytest.param("::ffff:66.249.66.1", True, id="an old address in a new form"),
        pytest.param("2001:4860:4801:0010:0:0:0:1", True, id="in any spelling"),
        pytest.param(AT_HOME, False, id="its name is another's"),
        pytest.param(PRETENDING, False, id="it takes a name that leads to another address"),
        pytest.param(AT_BING, False, id="it is another engine's"),
        pytest.param("198.51.100.1", False, id="it has no name"),
        pytest.param("unknown", False, id="it is no address"),
    ],
)
async def test_a_robot_is_genuine_if_its_address_and_its_name_lead_to_each_other(
    robots: Robots, address: str, *, is_genuine: bool
) -> None:
    assert await robots.is_genuine("google", address, PATIENT_S) == is_genuine


async def test_a_name_that_leads_nowhere_proves_nothing(robots: Robots, zone: Zone) -> None:
    zone.names[AT_HOME] = "crawl-1.googlebot.com"
    assert not await robots.is_genuine("google", AT_HOME, PATIENT_S)


async def test_a_name_that_dns_could_not_have_proves_nothing() -> None:
    """As the system's resolver has it: a label of more than 63 characters is refused before anybody is asked. That is
    found out once."""

    class Odd(module.SystemResolver):
        asked = 0

        async def name_of(self, address: str) -> str:
            self.asked += 1
            return f"{'x' * 64}.{NAMES[AT_GOOGLE]}" if address == AT_HOME else ""

    odd = Odd()
    robots = Robots(odd)
    for _ in range(2):
        assert not await robots.is_genuine("google", AT_HOME, PATIENT_S)
    assert odd.asked == 1


@pytest.mark.parametrize(
    ("address", "down", "for_s"),
    [(AT_GOOGLE, 0, KNOWN_S), (AT_HOME, 0, STRANGER_S), (AT_GOOGLE, socket.EAI_AGAIN, UNCLEAR_S)],
    ids=["a robot", "a stranger", "DNS was down"],
)
async def test_what_was_found_out_is_remembered_for_a_time(
    robots: Robots, zone: Zone, clock: Clock, address: str, down: int, for_s: float
) -> None:
    zone.down = down
    for later_s, asked in ((0, 1), (for_s - 1, 1), (1, 2)):
        clock.now_s += later_s
        assert await robots.is_genuine("google", address, PATIENT_S) == (address == AT_GOOGLE and not down)
        assert zone.asked[address] == asked


async def test_who_can_not_be_confirmed_in_time_is_once_dns_has_answered(robots: Robots, zone: Zone) -> None:
    """The look-up goes on behind the robot that went, and all that come meanwhile wait for the same one."""
    zone.free.clear()
    assert not await robots.is_genuine("google", AT_GOOGLE, 0)
    waiting = [asyncio.create_task(robots.is_genuine("google", AT_GOOGLE, PATIENT_S)) for _ in range(3)]
    zone.free.set()
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert zone.asked[AT_GOOGLE] == 1


async def test_few_are_looked_up_at_once_and_not_all_who_come(robots: Robots, zone: Zone) -> None:
    zone.free.clear()
    crowd = [f"198.51.100.{i}" for i in range(MOST_UNDER_WAY + 1)]
    for address in crowd:
        assert not await robots.is_genuine("google", address, 0)
    zone.free.set()
    for address in crowd[:-1]:
        assert not await robots.is_genuine("google", address, PATIENT_S)
    assert set(zone.asked) == set(crowd[:-1])
    assert zone.most_under_way == AT_ONCE


async def test_those_who_come_first_are_forgotten_first(
    robots: Robots, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_REMEMBERED > 2
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    for address in (AT_GOOGLE, AT_HOME, PRETENDING, PRETENDING, AT_HOME, AT_GOOGLE):
        await robots.is_genuine("google", address, PATIENT_S)
    assert zone.asked == {AT_GOOGLE: 2, AT_HOME: 1, PRETENDING: 1}


async def test_nobody_waits_for_dns_at_the_end(robots: Robots, zone: Zone) -> None:
    zone.free.clear()
    asked = asyncio.create_task(robots.is_genuine("google", AT_GOOGLE, PATIENT_S))
    while not zone.under_way:
        await asyncio.sleep(0)
    await robots.close()
    assert await asked is False


@pytest.mark.parametrize(
    ("address", "user_agent", "method", "passes"),
    [
        pytest.param(AT_GOOGLE, GOOGLEBOT, "GET", True, id="a robot that the room lets by"),
        pytest.param(AT_GOOGLE, GOOGLEBOT, "HEAD", True, id="it may look, too"),
        pytest.param(AT_GOOGLE, GOOGLEBOT, "POST", False, id="it may only read"),
        pytest.param(AT_HOME, GOOGLEBOT, "GET", False, id="who only says so"),
        pytest.param(AT_BING, BINGBOT, "GET", False, id="a robot that the room does not let by"),
    ],
)
async def test_a_robot_passes_by_a_rule_of_the_room_or_is_told_to_come_later(
    tmp_path: Path, redis: PrivateRedis, address: str, user_agent: str, method: str, *, passes: bool
) -> None:
    """I6: confirmed, it is a bypass; else it reaches nothing, takes no number, and is given no cookie."""
    async with benching(tmp_path, redis, resolver=Zone()) as bench:
        joined = redis.client.hget("wr:{site}:state", "joined")
        fields = [("Host", "shop"), ("User-Agent", user_agent), *PAGE.items()]
        asking = read(method, "/", block(fields), client=Client(address, "https", "shop"), request_id="")
        said = await bench.judge.judge(bench.room, Rooms([bench.room]).route("shop", b"/"), asking)
        if passes:
            assert isinstance(said, Carry)
            assert (said.outcome, said.token, said.number) == (Forward.__name__.lower(), None, 0)
        else:
            assert isinstance(said, Say)
            assert said.response.status == 503
            assert {"Retry-After": "600", "X-Robots-Tag": "noindex"}.items() <= dict(said.response.fields).items()
        assert not said.cookies
        assert redis.client.hget("wr:{site}:state", "joined") == joined


async def test_who_says_to_be_a_robot_waits_in_no_line_and_begins_none(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    """By the system's own resolver: to this machine's own address belongs no name of an engine's."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(paths=["/flights/{key}/*"], crawlers=["google"])
    async with waitroom.serving():
        one = await come(waitroom)
        for fields in (PAGE, APP, {}):
            got = await one.get("/flights/ke1/", fields | {"User-Agent": GOOGLEBOT})
            assert (got.status, got.json["code"], got.fields["Retry-After"]) == (503, "robot", "600")
        assert not one.cookies
    assert not origin.requests
    assert not redis.client.keys("wr:{site/ke1}:*")


async def test_who_is_inside_goes_on_whatever_it_calls_itself(waitroom: Waitroom, come: Come) -> None:
    one = await come(waitroom)
    for user_agent in ("Mozilla/5.0", "Mozilla/5.0", GOOGLEBOT):
        assert (await one.get("/", PAGE | {"User-Agent": user_agent})).is_origins
