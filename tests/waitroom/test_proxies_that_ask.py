"""Sites behind a proxy of their own that asks waitroom: real proxies, by the example configurations."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from booking.admission import Judge, public_keys
from tests.browser import chromium, needs_chromium
from tests.proxies import needs, proxy
from tests.servers import PrivateRedis, free_port
from tests.waitroom.running import PAGE, Origin, Waitroom
from tests.waitroom.visitors import Come, Got, Visitor, until_state
from waitroom.admission import HEADER

BROWSER = PAGE | {"Sec-Fetch-Dest": "document"}
# What a visitor might say of itself, to be taken for one who asks for something else.
FORGED = {
    "X-Original-URI": "/free/x",
    "X-Original-Method": "GET",
    "X-Original-Host": "free.example",
    "X-Forwarded-Uri": "/free/x",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Host": "free.example",
    "Forwarded": "host=free.example",
}


@dataclass
class Site:
    """A site with room for two. `front` is where visitors come: the proxy."""

    front: Waitroom
    origin: Origin
    come: Come

    async def visitors_inside(self, count: int = 2) -> list[Visitor]:
        """Lets visitors in until the room is full."""
        visitors = [await self.come(self.front) for _ in range(count)]
        for one in visitors:
            assert (await see(one)).json["path"] == "/"
        return visitors


async def see(one: Visitor, target: str = "/", fields: dict[str, str] = BROWSER) -> Got:
    """What a browser shows in the end: it goes where it is sent."""
    got = await one.get(target, fields)
    for _ in range(3):
        if got.status != 303:
            break
        got = await one.get(got.fields["Location"], fields)
    return got


def nginx(ports: tuple[int, int, int]) -> dict[str, object]:
    front, waitroom, site = ports
    return {
        "listen 80;": f"listen 127.0.0.1:{front};",
        "127.0.0.1:8080": f"127.0.0.1:{waitroom}",
        "127.0.0.1:8081": f"127.0.0.1:{site}",
    }


def caddy(ports: tuple[int, int, int]) -> dict[str, object]:
    front, waitroom, site = ports
    return {
        "www.example.com": f"http://127.0.0.1:{front}",
        "127.0.0.1:8080": f"127.0.0.1:{waitroom}",
        "127.0.0.1:8081": f"127.0.0.1:{site}",
    }


def asking_proxy(program: str, folder: Path, ports: tuple[int, int, int]) -> AbstractAsyncContextManager[None]:
    """nginx or Caddy by the example; the ports are its own, waitroom's and the site's."""
    if program == "nginx":
        return proxy("nginx", folder / "nginx", "forward-auth/nginx.conf", ports[0], nginx(ports))
    return proxy("caddy", folder / "caddy", "forward-auth/Caddyfile", ports[0], caddy(ports))


@pytest.fixture(
    params=[
        pytest.param("nginx, with origins", marks=needs("nginx")),
        pytest.param("nginx, without origins", marks=needs("nginx")),
        pytest.param("caddy, without origins", marks=needs("caddy")),
    ]
)
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> AsyncIterator[Site]:
    waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"trusted_proxies": ["127.0.0.1"]})
    program, _, origins = request.param.partition(", ")
    none: dict[str, Any] = {"origins": []}
    free = {"name": "free", "hosts": ["free.example"], "mode": "open"} | none
    waitroom.set_rooms(free, {"cap": 2, "bypass": ["/free/*"]} | (none if origins == "without origins" else {}))
    ports = free_port(), waitroom.port, origin.port
    async with waitroom.serving(), asking_proxy(program, tmp_path, ports):
        yield Site(replace(waitroom, port=ports[0]), origin, come)


async def test_the_site_gets_an_admission_that_it_can_verify(site: Site) -> None:
    one = await site.come(site.front)
    assert (await see(one, "/a?b=1")).json["path"] == "/a?b=1"
    assert set(one.cookies) == {"wr-site", "wr-site.admission", "origin"}
    keys = public_keys((await one.get("/.waitroom/jwks.json")).json)
    (token,) = site.origin.requests[-1].headers.getall(HEADER)
    admission = Judge("site", "waitroom").verify(token, keys, time.time())
    assert (admission.room, admission.number) == ("site", one.number())


async def test_who_is_inside_stays_the_same_visitor_and_keeps_each_new_admission(site: Site) -> None:
    (one,) = await site.visitors_inside(1)
    ticket = one.cookies["wr-site"]
    for _ in range(3):
        assert (await one.ask("POST", "/form", {"Accept": "*/*"})).json["path"] == "/form"
        assert site.origin.requests[-1].headers.getall(HEADER) == [one.cookies["wr-site.admission"]]
    assert one.cookies["wr-site"] == ticket


async def test_who_comes_to_a_full_room_waits_on_a_page_until_a_place_falls_free(site: Site) -> None:
    leaver, _ = await site.visitors_inside()
    one = await site.come(site.front)
    assert (await see(one)).waits
    (place,) = await until_state("waiting", one)
    assert (place["position"], place["waiting"]) == (1, 1)
    assert "You have left the line" in (await leaver.leave()).text
    await until_state("called", one)
    assert (await see(one, "/in")).json["path"] == "/in"
    assert (await one.place())["state"] == "inside"
    assert (await see(leaver)).waits


async def test_an_app_gets_its_place_as_json(site: Site) -> None:
    await site.visitors_inside()
    got = await (await site.come(site.front)).get("/", {"Accept": "application/json"})
    assert (got.status, got.json["position"]) == (429, 1)
    assert got.fields["Retry-After"]


async def test_what_is_no_page_view_is_refused(site: Site) -> None:
    one = await site.come(site.front)
    for method, accept in (("POST", PAGE["Accept"]), ("GET", "image/webp,*/*")):
        got = await one.ask(method, "/form", {"Accept": accept})
        assert (got.status, got.json["code"]) == (429, "no_place")
    assert not site.origin.requests
    assert not one.cookies


async def test_a_forged_admission_does_not_reach_the_site(site: Site) -> None:
    (one,) = await site.visitors_inside(1)
    assert (await one.get("/", BROWSER | {HEADER: "forged"})).status == 200
    assert site.origin.requests[-1].headers.getall(HEADER) == [one.cookies["wr-site.admission"]]
    stranger = await site.come(site.front)
    assert (await stranger.get("/free/x", {HEADER: "forged"})).json["path"] == "/free/x"
    assert not "".join(site.origin.requests[-1].headers.getall(HEADER, []))


async def test_nobody_gets_in_by_claiming_to_ask_for_something_else(site: Site) -> None:
    await site.visitors_inside()
    stranger = await site.come(site.front)
    for told in (FORGED, *({name: value} for name, value in FORGED.items())):
        assert (await see(stranger, "/secret", BROWSER | told)).waits
    assert len(site.origin.requests) == 2


async def test_visitors_can_not_ask_the_question_themselves(site: Site) -> None:
    one = await site.come(site.front)
    for target in ("/.waitroom/authz", "/.waitroom/authz/free/x", "/.waitroom/%61uthz"):
        assert (await one.get(target, BROWSER | FORGED)).status == 404


@needs_chromium
@pytest.mark.parametrize("site", [pytest.param("nginx, without origins", marks=needs("nginx"))], indirect=True)
async def test_a_browser_waits_on_the_page_and_goes_in_by_itself(site: Site) -> None:
    leaver, _ = await site.visitors_inside()
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{site.front.url}/in?b=1")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("in line")
        await leaver.leave()
        await expect(page.locator("body")).to_contain_text('"path": "/in?b=1"', timeout=20_000)


@pytest.mark.parametrize("program", [pytest.param(name, marks=needs(name)) for name in ("nginx", "caddy")])
async def test_nobody_gets_in_while_waitroom_does_not_answer(
    tmp_path: Path, origin: Origin, come: Come, program: str
) -> None:
    front = Waitroom(tmp_path, "", origin.port)
    async with asking_proxy(program, tmp_path, (front.port, free_port(), origin.port)):
        assert (await (await come(front)).get("/", BROWSER)).status >= 500
    assert not origin.requests
