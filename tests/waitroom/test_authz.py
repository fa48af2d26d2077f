"""Forward-auth: what proxies ask about, who may ask, and what they are told. Traefik and Envoy are played here, by
their example configurations and as their documentation says what they send; nginx and Caddy are real in
test_proxies_that_ask.py."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from multidict import CIMultiDict
from yarl import URL

from tests.proxies import CONFIG
from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Waitroom, visitor
from tests.waitroom.visitors import Come, Got
from waitroom.admission import HEADER
from waitroom.headers import Fields
from waitroom.original import Original, is_about_another, original

AUTHZ = "/.waitroom/authz"
BY_TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
BROWSER = PAGE | {"Sec-Fetch-Dest": "document"}
NGINX: Fields = [("X-Original-Method", "POST"), ("X-Original-URI", "/a?b=1")]
FORWARDED: Fields = [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/a?b=1")]


@pytest.mark.parametrize(
    ("target", "fields", "expected"),
    [
        (AUTHZ, NGINX, Original("POST", "/a?b=1", "", shows_refusals=False)),
        (AUTHZ, [*NGINX, ("X-Original-Host", "a:1")], Original("POST", "/a?b=1", "a:1", shows_refusals=False)),
        (AUTHZ, [*NGINX, ("X-Original-Host", "a/b")], Original("POST", "/a?b=1", "", shows_refusals=False)),
        (AUTHZ, FORWARDED, Original("POST", "/a?b=1", "", shows_refusals=True)),
        (f"{AUTHZ}?x", FORWARDED, Original("POST", "/a?b=1", "", shows_refusals=True)),
        (AUTHZ, [*FORWARDED, ("X-Original-Host", "a")], Original("POST", "/a?b=1", "", shows_refusals=True)),
        (f"{AUTHZ}/a?b=1", [], Original("PUT", "/a?b=1", "host", shows_refusals=True)),
        (f"{AUTHZ}//a/../b", [], Original("PUT", "//a/../b", "host", shows_refusals=True)),
        # Behind the path form, no field has a word in it.
        (f"{AUTHZ}/", [*NGINX, *FORWARDED], Original("PUT", "/", "host", shows_refusals=True)),
        # Nobody has told, or a visitor has told what its proxy does not.
        (AUTHZ, [], None),
        (AUTHZ, NGINX[:1], None),
        (AUTHZ, NGINX[1:], None),
        (AUTHZ, FORWARDED[1:], None),
        (AUTHZ, [*NGINX, *FORWARDED], None),
        (AUTHZ, [*NGINX, *FORWARDED[1:]], None),
        (AUTHZ, [*FORWARDED, *NGINX[:1]], None),
        (AUTHZ, [*FORWARDED, *FORWARDED], None),
        (AUTHZ, [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "http://a/b")], None),
    ],
)
def test_the_request_behind_a_question_is_told_in_one_way_only(
    target: str, fields: Fields, expected: Original | None
) -> None:
    assert original("PUT", target.encode(), "host", fields) == expected


@pytest.mark.parametrize(
    ("target", "asks"),
    [
        ("/.waitroom/authz", True),
        ("/.waitroom/authz?a", True),
        ("/.waitroom/authz/../../a", True),
        ("/.waitroom/authzed", False),
        ("/.waitroom/live", False),
        ("//.waitroom/authz", False),
    ],
)
def test_what_asks_about_another_request_is_known_by_its_raw_target(target: str, *, asks: bool) -> None:
    assert is_about_another(target.encode()) == asks


@dataclass
class Player:
    """A proxy before a site that asks waitroom, by its example configuration; `sites` are the fields of each request
    that it passed on."""

    waitroom: Waitroom
    cookies: dict[str, str] = field(default_factory=dict)
    sites: list[CIMultiDict[str]] = field(default_factory=list)

    async def get(self, target: str, fields: Mapping[str, str] = BROWSER, method: str = "GET") -> Got | None:
        """What a visitor gets that keeps its cookies; None where the site was asked."""
        own = CIMultiDict({**fields, "Host": "www.example.com"})
        if self.cookies:
            own["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return await self.handle(method, target, own)

    async def handle(self, method: str, target: str, fields: CIMultiDict[str]) -> Got | None:
        raise NotImplementedError  # one that has no example of its own only asks

    async def ask(self, method: str, url: str, fields: CIMultiDict[str]) -> tuple[Got, list[str]]:
        """The answer, and its cookies."""
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
        async with (
            visitor(connector=connector) as session,
            session.request(method, URL(url, encoded=True), headers=fields, allow_redirects=False) as response,
        ):
            got = Got(response.status, response.headers, await response.text())
            return got, response.headers.getall("Set-Cookie", [])

    def keep(self, cookies: list[str]) -> None:
        for cookie in cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value


class Traefik(Player):
    """doc.traefik.io: forwardAuth."""

    options = yaml.safe_load((CONFIG / "forward-auth/traefik.yml").read_text())["http"]["middlewares"]["ask-waitroom"][
        "forwardAuth"
    ]

    async def handle(self, method: str, target: str, fields: CIMultiDict[str]) -> Got | None:
        told = fields.copy()
        told.update({"X-Forwarded-Method": method, "X-Forwarded-Uri": target, "X-Forwarded-Host": told.pop("Host")})
        told.update(BY_TLS)
        got, cookies = await self.ask("GET", self.options["address"].replace(":8080", f":{self.waitroom.port}"), told)
        if not 200 <= got.status < 300:
            self.keep(cookies)
            return got
        self.keep([text for text in cookies if text.partition("=")[0] in self.options["addAuthCookiesToResponse"]])
        for name in self.options["authResponseHeaders"]:
            fields.popall(name, None)
            fields.extend((name, value) for value in got.fields.getall(name, []))
        self.sites.append(fields)
        return None


class Envoy(Player):
    """envoyproxy.io: the HTTP filters header_mutation and ext_authz with an http_service."""

    listener = yaml.safe_load((CONFIG / "forward-auth/envoy.yaml").read_text())["static_resources"]["listeners"][0]
    connection_manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    mutations, authz, _ = (one["typed_config"] for one in connection_manager["http_filters"])

    async def handle(self, method: str, target: str, fields: CIMultiDict[str]) -> Got | None:
        for mutation in self.mutations["mutations"]["request_mutations"]:
            fields.popall(mutation["remove"], None)
        fields.update(BY_TLS)
        service = self.authz["http_service"]
        told = CIMultiDict({"Host": fields["Host"], "Content-Length": "0"})
        told.update({name: fields[name] for name in _names(self.authz["allowed_headers"]) if name in fields})
        got, cookies = await self.ask(method, f"{self.waitroom.url}{service['path_prefix']}{target}", told)
        response = service["authorization_response"]
        if got.status != 200:
            self.keep(cookies)
            return got
        if "set-cookie" in _names(response["allowed_client_headers_on_success"]):
            self.keep(cookies)
        for name in _names(response["allowed_upstream_headers"]):
            if name in got.fields:
                fields[name] = got.fields[name]
        self.sites.append(fields)
        return None


def _names(matcher: Any) -> list[str]:
    return [pattern["exact"] for pattern in matcher["patterns"]]


@pytest.fixture
async def asked(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """A waitroom with room for one, which has no origin."""
    waitroom = Waitroom(tmp_path, redis.url, 0)
    waitroom.set(cap=1, origins=[], hosts=["www.example.com", "127.0.0.1"], bypass=["/free/*"])
    async with waitroom.serving():
        yield waitroom


@pytest.fixture(params=[Traefik, Envoy])
def player(request: pytest.FixtureRequest, asked: Waitroom) -> Player:
    made: Player = request.param(asked)
    return made


async def test_who_is_let_in_goes_on_with_an_admission_and_keeps_both_cookies(player: Player) -> None:
    assert await player.get("/a", BROWSER | {HEADER: "forged"}) is None
    assert set(player.cookies) == {"__Host-wr-site", "__Host-wr-site.admission"}
    ticket = player.cookies["__Host-wr-site"]
    for method in ("POST", "GET", "HEAD"):
        assert await player.get("/b?c", {HEADER: "forged"}, method) is None
        assert player.sites[-1].getall(HEADER) == [player.cookies["__Host-wr-site.admission"]]
    assert player.cookies["__Host-wr-site"] == ticket


async def test_who_waits_sees_the_page_with_a_status_of_no_success(player: Player) -> None:
    assert await player.get("/") is None
    stranger = type(player)(player.waitroom)
    got = await stranger.get("/a")
    assert got
    assert got.status == 503
    assert got.waits
    assert 'href="/a"' in got.text
    assert set(stranger.cookies) == {"__Host-wr-site"}
    assert not stranger.sites


@pytest.mark.parametrize(("method", "accept", "status"), [("POST", PAGE["Accept"], 429), ("GET", "image/*", 429)])
async def test_what_is_no_page_view_is_refused(player: Player, method: str, accept: str, status: int) -> None:
    got = await player.get("/a", {"Accept": accept}, method)
    assert got
    assert (got.status, got.json["code"]) == (status, "no_place")
    assert not player.cookies


async def test_by_a_bypass_rule_a_request_goes_on_without_an_admission(player: Player) -> None:
    assert await player.get("/free/x", {HEADER: "forged"}) is None
    assert HEADER not in player.sites[-1]


@pytest.mark.parametrize("target", ["/../free/x/../../secret", "/.waitroom/live", "//.waitroom/live", "/../../.."])
async def test_no_spelling_of_a_path_leads_past_the_question(player: Player, target: str) -> None:
    assert await player.get("/") is None
    stranger = type(player)(player.waitroom)
    got = await stranger.get(target)
    assert got
    assert got.status >= 300


async def test_what_is_for_waitroom_itself_does_not_go_on_to_the_site(player: Player) -> None:
    """Not even for who is known to be inside, and let by without any further question."""
    for _ in range(3):
        assert await player.get("/") is None
    got = await player.get("//.waitroom/live")
    assert got
    assert (got.status, len(player.sites)) == (404, 3)


async def test_the_example_configurations_ask_at_the_same_place() -> None:
    assert Traefik.options["address"].endswith(AUTHZ)
    assert Envoy.authz["http_service"]["path_prefix"] == AUTHZ


async def test_only_trusted_proxies_may_ask(asked: Waitroom, come: Come) -> None:
    one = await come(asked)
    for target, fields in ((AUTHZ, dict(NGINX)), (AUTHZ, dict(FORWARDED)), (f"{AUTHZ}/free/x", {})):
        got = await one.get(target, fields)
        assert (got.status, got.json["code"]) == (403, "not_trusted")
        assert "trusted_proxies" in got.text


async def test_a_question_about_nothing_names_what_it_lacks(asked: Waitroom) -> None:
    got, _ = await Player(asked).ask("GET", f"{asked.url}{AUTHZ}", CIMultiDict())
    assert (got.status, got.json["code"]) == (400, "no_original")
    assert "X-Original-URI" in got.text


async def test_nginx_is_told_yes_or_elsewhere_and_takes_no_number(asked: Waitroom, redis: PrivateRedis) -> None:
    told = CIMultiDict(BROWSER | {"Host": "www.example.com", "X-Original-Method": "GET", "X-Original-URI": "/"})
    got, cookies = await Player(asked).ask("GET", f"{asked.url}{AUTHZ}", told)
    assert (got.status, got.text, cookies) == (401, "", [])
    assert redis.client.hget("wr:{site}:state", "joined") in (None, b"0")
    told["X-Original-URI"] = "/free/x"
    got, _ = await Player(asked).ask("GET", f"{asked.url}{AUTHZ}", told)
    assert got.status == 200


# A room without origins, where visitors come to waitroom itself.


@pytest.mark.parametrize("target", ["/a?b=1", "//evil.example/a"])
async def test_without_an_origin_a_browser_is_sent_back_to_the_same_page(
    asked: Waitroom, come: Come, target: str
) -> None:
    got = await (await come(asked)).get(target, BROWSER)
    assert got.status == 303
    assert URL(asked.url).join(URL(got.fields["Location"], encoded=True)).host == "127.0.0.1"
    assert got.fields["Location"].endswith(target)
    assert len(got.fields.getall("Set-Cookie")) == 2
    assert got.fields["Cache-Control"] == "private, no-store"


async def test_who_may_keep_no_cookies_is_not_sent_in_circles(asked: Waitroom, come: Come) -> None:
    got = await (await come(asked)).get("/a", PAGE)
    assert got.status == 200
    assert "Refresh" in got.fields or 'http-equiv="refresh"' in got.text.lower()
    assert len(got.fields.getall("Set-Cookie")) == 2


async def test_without_an_origin_nothing_else_goes_on(asked: Waitroom, come: Come) -> None:
    one = await come(asked)
    await one.get("/", BROWSER)
    for method in ("POST", "GET"):
        got = await one.ask(method, "/free/x", BROWSER)
        assert (got.status, got.json["code"]) == (503, "no_origin")
