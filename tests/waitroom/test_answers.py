"""What waitroom itself says: whole, in the coding that was asked for, and never to be stored."""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.fields import block
from tests.waitroom.line_bench import LIMITS
from waitroom.answers import Answers, problem
from waitroom.asking import Asking, read
from waitroom.headers import Client
from waitroom.languages import Languages
from waitroom.pages import Pages, content_security_policy
from waitroom.place import DrawTold, Place
from waitroom.receipt import Made, NotNow
from waitroom.response import Response
from waitroom.rooms import Room

ROOM = Room(
    name="site",
    title="Sale & more",
    audience="site",
    hosts=("*",),
    paths=("/*",),
    bypass=(),
    origins=("http://127.0.0.1:1",),
    limits=LIMITS,
    page_status=200,
    polls_per_second=1000,
    message="Doors <open> at ten",
)
PLACE = Place("waiting", 5000, position=12, waiting=40, wait_s=(60, 90))
SEALED = DrawTold("5e" * 32, 10_000, 1234)
EARLY = Place("early", 5000, waiting=5310, opens_in_ms=754_000, opens_ms=1_791_792_000_000, draw=SEALED)
DRAWN = replace(PLACE, draw=replace(SEALED, seed="1f" * 32, place=77))
LARGEST_BYTES = 14 * 1024
LANGUAGES = Languages()
ANSWERS = Answers(Pages(LANGUAGES), LANGUAGES)
Saying = Callable[[Asking], Response]
SAYINGS: dict[str, Saying] = {
    "waiting": lambda asking: ANSWERS.waiting(ROOM, "", PLACE, asking, is_new=False),
    "early": lambda asking: ANSWERS.waiting(ROOM, "", EARLY, asking, is_new=True),
    "drawn": lambda asking: ANSWERS.waiting(ROOM, "", DRAWN, asking, is_new=False),
    "closed": lambda asking: ANSWERS.closed(ROOM, asking),
    "store_lost": lambda asking: ANSWERS.store_lost(ROOM, asking),
    "full": lambda asking: ANSWERS.full(ROOM, asking),
    "no_identity": lambda asking: ANSWERS.no_identity(ROOM, asking),
    "revoked": lambda asking: ANSWERS.revoked(ROOM, asking),
    "void": lambda asking: ANSWERS.void(ROOM, asking),
    "moved": lambda asking: ANSWERS.moved(ROOM, "7", asking),
    "receipt": lambda asking: ANSWERS.receipt(ROOM, "7", Made("4T7K9XQ2", 1_800_000_600_000), asking),
    "take": lambda asking: ANSWERS.take(ROOM, "7", "4T7K9XQ2", asking, has_place=True),
    "to type": lambda asking: ANSWERS.take(ROOM, "7", "", asking, has_place=False),
    "wrong_code": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("wrong_code"), asking),
    "locked": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("locked", 540), asking),
    "used_up": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("used_up"), asking),
    "too_often": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("too_often", 540), asking),
    "too_many_receipts": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("too_many_receipts", 600), asking),
    "no_place_to_move": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("no_place_to_move"), asking),
    "one_per_person": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("one_per_person"), asking),
    "from_elsewhere": lambda asking: ANSWERS.not_moved(ROOM, "7", NotNow("from_elsewhere"), asking),
    "failure": lambda asking: ANSWERS.failure(ROOM, 502, asking),
    "left": lambda asking: ANSWERS.left(ROOM, asking),
}
EVERY_ANSWER = pytest.mark.parametrize("say", SAYINGS.values(), ids=SAYINGS)
REFUSALS = {
    "closed": (503, "room_closed", None),
    "store_lost": (503, "store_lost", "5"),
    "full": (503, "too_many_lines", "30"),
    "no_identity": (403, "no_identity", None),
    "revoked": (403, "revoked", None),
    "void": (409, "void", None),
    "moved": (409, "moved", None),
    "wrong_code": (404, "wrong_code", None),
    "locked": (429, "locked", "540"),
    "used_up": (410, "used_up", None),
    "too_often": (429, "too_often", "540"),
    "too_many_receipts": (503, "too_many_receipts", "600"),
    "no_place_to_move": (409, "no_place_to_move", None),
    "one_per_person": (409, "one_per_person", None),
    "from_elsewhere": (403, "from_elsewhere", None),
    "failure": (502, "origin_failed", None),
}
COUNTS = st.none() | st.integers(0)
DRAWS = st.builds(DrawTold, st.text(), st.integers(1), COUNTS, st.none() | st.text(), COUNTS)
PLACES = st.builds(
    Place,
    state=st.sampled_from(["early", "waiting", "called", "inside", "none", "closed", "revoked", "moved"]),
    poll_after_ms=st.integers(),
    position=COUNTS,
    waiting=COUNTS,
    wait_s=st.none() | st.tuples(st.integers(0), st.integers(0)),
    paused=st.sampled_from([None, "hold", "store_lost"]),
    message=st.text(),
    opens_in_ms=st.integers(),
    opens_ms=st.integers(),
    draw=st.none() | DRAWS,
    claim_in_ms=COUNTS,
    can_extend=st.booleans(),
    is_late=st.booleans(),
    kept_until_ms=COUNTS,
)


def asking(accept: str, encoding: str = "") -> Asking:
    fields = [("Accept", accept), ("Accept-Encoding", encoding)]
    client = Client("127.0.0.1", "http", "shop")
    return read("GET", "/flights?day=1", block(fields), client=client, request_id="7f3a")


def browser(encoding: str = "") -> Asking:
    return asking("text/html", encoding)


APP = asking("application/json", "gzip")


def page_and_nonce(response: Response) -> tuple[bytes, bytes]:
    """A page with its nonce taken out, and the nonce, as its policy has it."""
    fields = dict(response.fields + response.own)
    body = gzip.decompress(response.body) if fields.get("Content-Encoding") == "gzip" else response.body
    nonces = set(re.findall(r"'nonce-([\w-]+)'", fields["Content-Security-Policy"]))
    assert len(nonces) == 1
    nonce = nonces.pop()
    assert fields["Content-Security-Policy"] == content_security_policy(nonce)
    assert f'<style nonce="{nonce}">'.encode() in body
    return body.replace(nonce.encode(), b""), nonce.encode()


@EVERY_ANSWER
def test_page_is_the_same_in_either_coding(say: Saying) -> None:
    plain, packed = say(browser()), say(browser("gzip, br"))
    assert page_and_nonce(plain)[0] == page_and_nonce(packed)[0]
    assert ("Content-Encoding", "gzip") in packed.fields
    assert plain.status == packed.status
    names = [name for name, _ in plain.fields]
    assert sorted(name for name, _ in packed.fields) == sorted([*names, "Content-Encoding"])


@EVERY_ANSWER
def test_page_fits_into_the_first_round_trips(say: Saying) -> None:
    assert len(say(browser("gzip")).body) <= LARGEST_BYTES


@EVERY_ANSWER
def test_page_is_never_stored_and_varies_by_coding_and_language(say: Saying) -> None:
    for encoding in ("", "gzip"):
        fields = dict(say(browser(encoding)).fields)
        assert fields["Cache-Control"] == "private, no-store"
        assert fields["Vary"] == "Accept-Encoding, Accept-Language, Cookie"
        assert fields["X-Robots-Tag"] == "noindex"
        assert fields["Content-Type"] == "text/html; charset=utf-8"
        assert fields["Referrer-Policy"] == "same-origin"
        assert fields["X-Content-Type-Options"] == "nosniff"


@EVERY_ANSWER
def test_nonce_is_new_for_each_answer(say: Saying) -> None:
    assert len({page_and_nonce(say(browser(encoding)))[1] for encoding in ("", "", "gzip", "gzip")}) == 4


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_has_one_status_for_browsers_and_apps(name: str) -> None:
    status, code, retry_after = REFUSALS[name]
    page, told = SAYINGS[name](browser()), SAYINGS[name](APP)
    assert (page.status, told.status) == (status, status)
    assert json.loads(told.body)["code"] == code
    assert dict(told.fields)["Content-Type"] == "application/problem+json; charset=utf-8"
    assert dict(told.fields)["X-Robots-Tag"] == "noindex"
    assert dict(told.fields).get("Retry-After") == dict(page.fields).get("Retry-After") == retry_after


def test_refusals_of_rooms_are_their_own() -> None:
    other = replace(ROOM, title="Other", message="No")
    for room in (ROOM, other, ROOM):
        told = json.loads(ANSWERS.closed(room, APP).body)
        assert (told["title"], told["detail"]) == (f"{room.title} is closed", room.message)


def test_app_is_told_its_place_and_when_to_ask_again() -> None:
    response = ANSWERS.waiting(ROOM, "", PLACE, APP, is_new=False)
    assert response.status == 429
    assert ("Retry-After", "5") in response.fields
    assert ("Content-Location", "/.waitroom/rooms/site/place") in response.fields
    assert response.body == ANSWERS.place(PLACE).body


def test_app_is_told_where_the_line_of_a_key_tells_the_place() -> None:
    response = ANSWERS.waiting(ROOM, "KE-123", PLACE, APP, is_new=False)
    assert ("Content-Location", "/.waitroom/rooms/site/place?key=KE-123") in response.fields


@given(PLACES)
def test_place_is_json_whatever_it_holds(place: Place) -> None:
    response = ANSWERS.place(place)
    assert response.status == 200
    assert response.fields == (
        ("Content-Type", "application/json; charset=utf-8"),
        ("Cache-Control", "private, no-store"),
        ("X-Robots-Tag", "noindex"),
    )
    assert json.loads(response.body) == json.loads(json.dumps(asdict(place)))
    names = (
        "state position waiting wait_s paused poll_after_ms message opens_in_ms opens_ms draw claim_in_ms can_extend "
        "is_late kept_until_ms"
    )
    assert list(json.loads(response.body)) == names.split()


def test_a_program_is_told_why() -> None:
    response = problem(431, "fields_too_large", "Too many fields", "100 fields are taken.")
    assert response.status == 431
    assert json.loads(response.body) == {
        "status": 431,
        "code": "fields_too_large",
        "title": "Too many fields",
        "detail": "100 fields are taken.",
    }


def test_fields_are_added_behind_those_of_the_response() -> None:
    response = Response(200, (("A", "1"),), b"body")
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert response.with_fields(cookies) == Response(200, (("A", "1"), *cookies), b"body")
    assert response.fields == (("A", "1"),)
