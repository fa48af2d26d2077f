"""One visitor of the benchmark's crowd, before a waitroom that answers as the test has it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from scripts.benches.selling import crowd
from scripts.benches.selling.books import VISITORS, Visitor
from scripts.benches.selling.browser import Browser
from scripts.benches.selling.crowd import ADMISSION, LEAVE, PAGE, PLACE, TICKET, Plan
from tests.benches.test_open_loop import answering
from waitroom.ticket import Ticket, TicketSigner

NUMBER = 1_795_400_000_000_001
TICKET_TEXT = TicketSigner([b"s" * 32]).sign(Ticket("site", 1, NUMBER, 1_795_400_000, "visitor"))
PLAN = Plan(1, seconds=0.1, rush=1, rush_s=0.1, connections=2, seed=1, think_s=0, search="")

Answer = Callable[[web.BaseRequest], web.Response]


def place(state: str) -> web.Response:
    return web.json_response({"state": state, "poll_after_ms": 50})


def page(status: int = 200, **cookies: str) -> web.Response:
    response = web.Response(text="<!doctype html>", status=status, content_type="text/html")
    for name, value in cookies.items():
        response.set_cookie({"ticket": TICKET, "admission": ADMISSION}[name], value)
    return response


async def lived(folder: Path, *answers: tuple[str, Answer]) -> tuple[Visitor, list[tuple[str, bool]]]:
    """What the visitor saw of these answers, which come in their turn, by path: the last of a path for ever. And what
    it asked for, each with whether it sent its ticket along."""
    asked: list[tuple[str, bool]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        its = [answer for path, answer in answers if path == request.path]
        before = sum(path == request.path for path, _ in asked)
        asked.append((request.path, TICKET in request.cookies))
        return its[min(before, len(its) - 1)](request) if its else web.Response(status=404)

    async with answering(handler) as port:
        await crowd.live(PLAN, port, port, folder)
    (line,) = (folder / VISITORS).read_text().splitlines()
    return Visitor(**json.loads(line)), asked


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "AGAIN_S", 0.05)
    monkeypatch.setattr(crowd, "LAST_LOOK_S", 1.0)


async def test_a_place_comes_with_a_page_that_failed_too(tmp_path: Path) -> None:
    """The origin was slow, and the visitor has its number: it must not take another."""
    visitor, asked = await lived(
        tmp_path,
        (PAGE, lambda _: page(502, ticket=TICKET_TEXT)),
        (PAGE, lambda _: page()),
        (PLACE, lambda _: place("waiting")),
    )
    assert asked[:3] == [(PAGE, False), (PAGE, True), (PLACE, True)]
    assert (visitor.fate, visitor.numbers) == ("waiting", [NUMBER])
    assert visitor.polls >= 2


async def test_a_called_visitor_who_meets_the_waiting_page_polls_again(tmp_path: Path) -> None:
    visitor, asked = await lived(
        tmp_path,
        (PAGE, lambda _: page(ticket=TICKET_TEXT)),
        (PAGE, lambda _: page()),
        (PAGE, lambda _: page(admission="proof")),
        (PLACE, lambda _: place("called")),
        (LEAVE, lambda _: web.Response()),
    )
    assert [path for path, _ in asked[:5]] == [PAGE, PLACE, PAGE, PLACE, PAGE]
    assert visitor.sent_back == 1
    assert visitor.admitted_ms


async def test_a_visitor_who_is_told_nonsense_is_astray(tmp_path: Path) -> None:
    visitor, _ = await lived(tmp_path, (PAGE, lambda _: page(ticket=TICKET_TEXT)), (PLACE, lambda _: place("none")))
    assert (visitor.fate, visitor.told) == ("astray", "place: none")


async def test_a_visitor_who_gets_no_answer_says_so(tmp_path: Path) -> None:
    visitor, asked = await lived(tmp_path, (PAGE, lambda _: page(503)))
    assert visitor.fate == "unanswered"
    assert len(asked) > 2


def test_each_visitor_has_an_address_of_its_own() -> None:
    requests = {Browser(who, "127.0.0.1").get("/", "text/html") for who in (0, 255, 256, 65_536, 99_999)}
    assert len(requests) == 5
