"""A place on another device: it moves once, the old browser is told so, and nobody finds a code by guessing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.test_reset import reset
from tests.waitroom.visitors import PATIENCE_S, Come, Got, Visitor, until_position, until_positions, until_state

RECEIPT = "/.waitroom/rooms/site/receipt"
WRONG = [f"{RECEIPT}/AAAA000{i}" for i in range(10)]


@dataclass
class Line:
    """A waitroom with one inside, so that the others wait."""

    waitroom: Waitroom
    come: Come

    async def waiter(self, at: str = "/", cookies: dict[str, str] | None = None) -> Visitor:
        one = await self.come(self.waitroom, cookies)
        assert (await one.get(at)).waits
        await one.place()
        return one


@asynccontextmanager
async def full(waitroom: Waitroom, come: Come) -> AsyncIterator[Line]:
    async with waitroom.serving():
        inside = await come(waitroom)
        for _ in range(2):
            assert (await inside.get()).is_origins
        yield Line(waitroom, come)


@pytest.fixture
async def line(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> AsyncIterator[Line]:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1)
    async with full(waitroom, come) as line:
        yield line


async def make(one: Visitor, asked: str = "", fields: dict[str, str] = APP) -> Got:
    return await one.ask("POST", f"{RECEIPT}{asked}", fields)


async def code_of(one: Visitor, asked: str = "") -> str:
    """The path at which the visitor's place can be taken over."""
    made = await make(one, asked)
    assert made.status == 200, made.text
    path: str = made.json["url"].removeprefix(one.waitroom.url)
    return path


async def take(one: Visitor, path: str, fields: dict[str, str] = PAGE, at: Waitroom | None = None) -> Got:
    return await one.ask("POST", path, fields, at)


async def test_a_place_moves_once_and_the_old_browser_is_told(line: Line) -> None:
    phone, behind = await line.waiter(), await line.waiter()
    laptop, third = [await line.come(line.waitroom) for _ in range(2)]
    path = await code_of(phone, "?here=%2Fsale%3Fday%3D1")
    asked = await laptop.get(path)
    assert (asked.status, "Take the place here?" in asked.text) == (200, True)
    await until_positions(phone, behind)
    taken = await take(laptop, path)
    assert (taken.status, taken.fields["Location"]) == (303, "/sale?day=1")
    assert laptop.number() == phone.number()
    assert (await laptop.get("/sale?day=1")).waits
    await until_positions(laptop, behind)
    assert (await phone.place())["state"] == "moved"
    told = await phone.get()
    assert (told.status, "in another browser now" in told.text) == (409, True)
    refused = await phone.get("/", APP)
    assert (refused.status, refused.json["code"]) == (409, "moved")
    assert (await phone.get("/image.png", {})).status == 429
    again = await take(third, path)
    assert (again.status, "This code does not work" in again.text) == (404, True)
    assert third.cookies == {}


async def test_two_who_redeem_one_code_at_once_have_one_place(line: Line) -> None:
    phone = await line.waiter()
    path = await code_of(phone)
    others = [await line.come(line.waitroom) for _ in range(6)]
    answers = await asyncio.gather(*[take(one, path) for one in others])
    assert sorted(answer.status for answer in answers) == [303, *[404] * 5]
    assert [one.number() for one in others if one.cookies] == [phone.number()]


async def test_the_new_browser_goes_in_and_the_old_one_never_does(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1)
    async with waitroom.serving():
        inside, phone, laptop = [await come(waitroom) for _ in range(3)]
        for _ in range(2):
            await inside.get()
        assert (await phone.get()).waits
        await phone.place()
        path = await code_of(phone)
        await inside.leave()
        await until_state("called", phone)
        assert (await take(laptop, path)).status == 303
        assert (await phone.get()).status == 409
        assert (await laptop.get()).is_origins
        assert (await phone.get()).status == 409
        assert (await phone.place())["state"] == "moved"
    assert len(origin.requests) == 3


async def test_who_is_inside_can_make_no_code(line: Line) -> None:
    inside = await line.come(line.waitroom)
    line.waitroom.set(cap=2)
    await eventually_inside(inside)
    made = await make(inside)
    assert (made.status, made.json["code"]) == (409, "no_place_to_move")


async def eventually_inside(one: Visitor) -> None:
    await one.get()
    await until_state("called", one)
    for _ in range(2):
        assert (await one.get()).is_origins


async def test_a_code_for_a_place_that_has_gone_in_is_used_up(line: Line) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    path = await code_of(phone)
    line.waitroom.set(cap=2)
    await eventually_inside(phone)
    taken = await take(laptop, path)
    assert (taken.status, "be moved any more" in taken.text) == (410, True)


async def test_who_has_no_place_can_make_no_code(line: Line) -> None:
    stranger = await line.come(line.waitroom)
    for fields in (APP, PAGE):
        assert (await make(stranger, fields=fields)).status == 409
    assert stranger.cookies == {}


async def test_a_new_code_takes_the_place_of_the_former(line: Line) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    former, new = await code_of(phone), await code_of(phone)
    assert (await take(laptop, former)).status == 404
    assert (await take(laptop, new)).status == 303


async def test_every_process_knows_of_a_move(line: Line, tmp_path: Path) -> None:
    other = line.waitroom.beside(tmp_path / "other")
    other.set(cap=1)
    async with other.serving():
        phone, laptop = await line.waiter(), await line.come(line.waitroom)
        path = await code_of(phone)
        assert (await phone.get("/", at=other)).waits
        assert (await take(laptop, path, at=other)).status == 303
        await until_state("moved", phone)
        await until_state("moved", phone, at=other)
        assert (await laptop.get()).waits
        assert (await laptop.get("/", at=other)).waits
    later = line.waitroom.beside(tmp_path / "later")
    later.set(cap=1)
    async with later.serving():
        await until_state("moved", phone, at=later)
        assert (await laptop.get("/", at=later)).waits


async def test_the_new_browser_stays_the_holder_though_redis_forgets_it_all(
    line: Line, redis: PrivateRedis, tmp_path: Path
) -> None:
    """A process that remembers tells Redis again; where nobody does, the ticket itself does so once it is seen."""
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    assert (await take(laptop, await code_of(phone))).status == 303
    redis.client.flushall()
    await eventually(lambda: redis.client.hgetall("wr:{site}:moved") == {str(phone.number()).encode(): b"1"})
    redis.client.delete("wr:{site}:moved", "wr:{site}:ended")
    forgetful = line.waitroom.beside(tmp_path / "forgetful")
    forgetful.set(cap=1)
    async with forgetful.serving():
        await until_state("waiting", phone, at=forgetful)
        assert (await laptop.place(at=forgetful))["state"] == "waiting"
        assert (await phone.place(at=forgetful))["state"] == "moved"
        await eventually(lambda: redis.client.hget("wr:{site}:moved", str(phone.number())) == b"1")


async def test_who_takes_a_place_is_told_that_the_own_one_is_given_up(line: Line) -> None:
    phone, behind, laptop = [await line.waiter() for _ in range(3)]
    path = await code_of(phone)
    own = laptop.number()
    asked = await laptop.get(path)
    assert "It is given up if you take the other one" in asked.text
    await until_position(laptop, 3)
    assert (await take(laptop, path)).status == 303
    assert laptop.number() == phone.number() != own
    await until_positions(laptop, behind)
    async with asyncio.timeout(PATIENCE_S):
        while (await behind.place())["waiting"] != 2:
            await asyncio.sleep(0.05)


async def test_who_takes_the_own_place_keeps_it(line: Line) -> None:
    """As happens to who follows the link in the same browser."""
    phone = await line.waiter()
    number = phone.number()
    assert (await take(phone, await code_of(phone))).status == 303
    assert phone.number() == number
    await until_position(phone, 1)
    assert (await take(phone, await code_of(phone))).status == 303
    assert phone.ticket()[4].endswith("*2")


async def test_a_moved_place_moves_back(line: Line) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    assert (await take(laptop, await code_of(phone))).status == 303
    assert (await make(phone)).json["code"] == "no_place_to_move"
    assert (await take(phone, await code_of(laptop))).status == 303
    assert (await laptop.place())["state"] == "moved"
    await until_position(phone, 1)


async def test_the_old_browser_may_join_anew_and_leaves_the_moved_place_alone(line: Line) -> None:
    phone, laptop = await line.waiter("/sale"), await line.come(line.waitroom)
    assert (await take(laptop, await code_of(phone))).status == 303
    told = await phone.get("/sale")
    assert "wr-site" in phone.cookies
    assert '/.waitroom/rooms/site/leave?here=%2Fsale"' in told.text
    left = await phone.ask("POST", "/.waitroom/rooms/site/leave?here=%2Fsale", PAGE)
    assert (left.status, left.fields["Location"]) == (303, "/sale")
    assert (await phone.get("/sale")).waits
    assert phone.number() > laptop.number()
    await phone.place()
    await until_position(phone, 2)
    await until_position(laptop, 1)


@pytest.mark.parametrize(
    "here", ["//evil.example", "\\\\evil.example", "/a\r\nSet-Cookie: b=1", "https://evil.example", "/é"]
)
async def test_a_place_leads_nowhere_but_to_this_site(line: Line, here: str) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    taken = await take(laptop, await code_of(phone, f"?here={quote(here)}"))
    assert taken.status == 303
    assert taken.fields["Location"].startswith("/")
    assert not taken.fields["Location"].startswith(("//", "/\\"))
    assert set(laptop.cookies) == {"wr-site"}


async def test_only_looking_moves_nothing(line: Line) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    path = await code_of(phone)
    for method in ("GET", "HEAD"):
        assert (await laptop.ask(method, path, PAGE)).status == 200
    assert (await laptop.ask("PUT", path, PAGE)).status == 405
    assert laptop.cookies == {}
    assert (await phone.place())["state"] == "waiting"


async def test_a_code_may_be_typed(line: Line) -> None:
    """By a form that needs no script, in small letters, with letters for digits."""
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    code = (await make(phone)).json["code"]
    form = await laptop.get(RECEIPT)
    assert 'name="code"' in form.text
    typed = code.lower().replace("0", "o").replace("1", "l")
    asked = await laptop.get(f"{RECEIPT}?code={typed}")
    assert f'action="{RECEIPT}/{code.replace("-", "")}"' in asked.text
    assert (await laptop.get(f"{RECEIPT}?code=short")).status == 404
    assert (await take(laptop, f"{RECEIPT}/{typed}")).status == 303


async def test_an_app_moves_a_place_too(line: Line) -> None:
    phone, app = await line.waiter(), await line.come(line.waitroom)
    made = (await make(phone, "?here=%2Fsale")).json
    path = made["url"].removeprefix(line.waitroom.url)
    assert (await app.get(path, APP)).json == {"code": made["code"], "has_place": False}
    assert (await take(app, path, APP)).json == {"here": "/sale"}
    await until_position(app, 1)
    refused = await take(app, path, APP)
    assert (refused.status, refused.json["code"]) == (404, "wrong_code")


async def test_the_page_shows_code_and_drawing(line: Line) -> None:
    phone = await line.waiter()
    page = await make(phone, fields=PAGE)
    assert page.status == 200
    assert 'class="qr"' in page.text
    assert "works once, within the next 10 minutes" in page.text
    assert "no-store" in page.fields["Cache-Control"]


CROSS_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
]


@pytest.mark.parametrize("fields", CROSS_SITE, ids=str)
async def test_another_site_can_neither_make_nor_redeem_codes(line: Line, fields: dict[str, str]) -> None:
    """It could give a visitor a place instead of the own one, which would be lost."""
    phone, victim = await line.waiter(), await line.waiter()
    own = victim.number()
    path = await code_of(phone)
    refused = await take(victim, path, PAGE | fields)
    assert refused.status == 403
    assert (await make(victim, fields=APP | fields)).json["code"] == "from_elsewhere"
    assert victim.number() == own
    assert (await phone.place())["state"] == "waiting"


async def test_the_site_itself_can(line: Line) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    path = await code_of(phone)
    assert (await laptop.ask("POST", RECEIPT, APP | {"Sec-Fetch-Site": "same-origin"})).json["code"] != "from_elsewhere"
    assert (await take(laptop, path, PAGE | {"Origin": line.waitroom.url})).status == 303


async def test_an_app_of_an_origin_that_the_room_names_can_too(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    app = {"Origin": "https://app.example", "Sec-Fetch-Site": "same-site"}
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, cors_origins=["https://app.example"])
    async with full(waitroom, come) as line:
        phone, laptop = await line.waiter(), await come(waitroom)
        made = await make(phone, fields=APP | app)
        assert made.fields["Access-Control-Allow-Origin"] == "https://app.example"
        assert (await take(laptop, made.json["url"].removeprefix(waitroom.url), APP | app)).status == 200
        assert (await make(laptop, fields=APP | app | {"Origin": "https://other.example"})).status == 403


class TestGuesses:
    async def test_ten_wrong_codes_lock_out_who_guesses_and_nobody_else(
        self, tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
    ) -> None:
        """In all processes, from all of a home's addresses, and with the right code, too."""
        waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"trusted_proxies": ["127.0.0.1"]})
        other = waitroom.beside(tmp_path / "other")
        other.server = waitroom.server
        for one in (waitroom, other):
            one.set(cap=1)
        async with full(waitroom, come) as line, other.serving():
            phone, laptop = await line.waiter(), await come(waitroom)
            path = await code_of(phone)
            for i, wrong in enumerate(WRONG):
                fields = PAGE | {"X-Forwarded-For": f"2001:db8::{i}"}
                assert (await take(laptop, wrong, fields, waitroom if i % 2 else other)).status == 404
            for at in (waitroom, other):
                locked = await take(laptop, path, PAGE | {"X-Forwarded-For": "2001:db8::1:9"}, at)
                assert locked.status == 429
                assert 0 < int(locked.fields["Retry-After"]) <= 601
            await until_position(phone, 1)
            assert (await take(laptop, path, PAGE | {"X-Forwarded-For": "2001:db8:0:1::1"})).status == 303

    async def test_what_is_no_code_is_no_guess(self, line: Line) -> None:
        phone, laptop = await line.waiter(), await line.come(line.waitroom)
        for i in range(12):
            assert (await take(laptop, f"{RECEIPT}/short{i}")).status == 404
            assert (await laptop.get(WRONG[0])).status == 200
        assert (await take(laptop, await code_of(phone))).status == 303

    async def test_ten_codes_in_ten_minutes_are_enough(self, line: Line) -> None:
        phone, laptop = await line.waiter(), await line.come(line.waitroom)
        paths = [await code_of(phone) for _ in range(10)]
        for fields in (APP, PAGE):
            refused = await make(phone, fields=fields)
            assert refused.status == 429
            assert int(refused.fields["Retry-After"]) > 0
        assert (await take(laptop, paths[-1])).status == 303

    async def test_redis_holds_neither_codes_nor_addresses_nor_tickets(self, line: Line, redis: PrivateRedis) -> None:
        phone, laptop = await line.waiter(), await line.come(line.waitroom)
        code = (await code_of(phone)).rpartition("/")[2]
        await take(laptop, WRONG[0])
        stored = [redis.client.hgetall(f"wr:{{site}}:{part}") for part in ("receipts", "tries")]
        assert all(stored)
        for secret in (code, "AAAA0000", "127.0.0.1", phone.cookies["wr-site"]):
            assert secret not in str(stored)

    async def test_the_access_log_holds_no_codes(
        self, tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
    ) -> None:
        log = tmp_path / "access.log"
        waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"access_log": str(log)})
        waitroom.set(cap=1)
        async with full(waitroom, come) as line:
            phone, laptop = await line.waiter(), await come(waitroom)
            path = await code_of(phone)
            code = path.rpartition("/")[2]
            await laptop.get(path)
            await laptop.get(f"{RECEIPT}?code={code.lower()}")
            await take(laptop, path)
        entries = [json.loads(entry) for entry in log.read_text().splitlines()]
        told = [(entry["method"], entry["target"], entry["outcome"]) for entry in entries if RECEIPT in entry["target"]]
        assert told == [
            ("POST", RECEIPT, "receipt"),
            ("GET", f"{RECEIPT}/-", "answer"),
            ("GET", f"{RECEIPT}/-", "answer"),
            ("POST", f"{RECEIPT}/-", "move"),
        ]
        assert code.lower() not in log.read_text().lower()


async def test_a_code_is_good_for_its_own_line_only(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold", paths=["/flights/{key}"])
    async with waitroom.serving():
        phone, laptop = await come(waitroom), await come(waitroom)
        assert (await phone.get("/flights/7")).waits
        path = await code_of(phone, "?key=7&here=%2Fflights%2F7")
        assert path.endswith("?key=7")
        assert (await take(laptop, path.replace("key=7", "key=8"))).status == 404
        taken = await take(laptop, path)
        assert (taken.status, taken.fields["Location"]) == (303, "/flights/7")
        assert (await phone.place(key="7"))["state"] == "moved"
        assert (await laptop.get("/flights/7")).waits


async def test_a_place_in_a_draw_moves_before_it_is_drawn(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(opens_at=datetime.now(UTC) + timedelta(hours=1), draw="event", draw_size=100)
    async with waitroom.serving():
        phone, laptop = await come(waitroom), await come(waitroom)
        await phone.get()
        async with asyncio.timeout(PATIENCE_S):
            while "wr-site" not in phone.cookies:
                await phone.get()
        assert (await take(laptop, await code_of(phone))).status == 303
        assert laptop.ticket()[2] == phone.ticket()[2] == "0@event"
        assert (await laptop.place())["state"] == "early"
        assert (await laptop.place())["draw"]["arrival"] == 0
        assert (await phone.place())["state"] == "moved"


async def test_a_reset_makes_codes_worthless(line: Line, redis: PrivateRedis) -> None:
    phone, laptop = await line.waiter(), await line.come(line.waitroom)
    path = await code_of(phone)
    await reset(redis)
    assert (await take(laptop, path)).status == 404


async def test_persons_have_their_place_on_every_device_and_need_no_code(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold", identity={"header": "X-User"})
    async with waitroom.serving():
        phone = await come(waitroom)
        page = await phone.get("/", PAGE | {"X-User": "anna"})
        assert page.waits
        assert RECEIPT not in page.text
        for method in ("GET", "POST"):
            refused = await phone.ask(method, RECEIPT, PAGE | {"X-User": "anna"})
            assert (refused.status, "Sign in on the other device" in refused.text) == (409, True)


async def test_nothing_moves_while_the_store_is_lost(
    tmp_path: Path, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, own_redis.url, origin.port)
    waitroom.set(cap=1)
    async with full(waitroom, come) as line:
        phone, laptop = await line.waiter(), await come(waitroom)
        path = await code_of(phone)
        own_redis.kill()
        for answer in (await make(phone), await take(laptop, path, APP)):
            assert (answer.status, answer.json["code"]) == (503, "store_lost")
        assert (await phone.place())["state"] == "waiting"
