"""The pages say what is true, let nothing of what they are given become markup, and fit into the first round trips."""

import gzip
import re
import shlex
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from typing import get_args

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from waitroom import words
from waitroom.cli import main
from waitroom.draw import Draw, commitment
from waitroom.languages import Languages
from waitroom.local_path import local
from waitroom.pages import Face, Notice, Pages, Ways, content_security_policy
from waitroom.place import DrawTold, Place
from waitroom.prepared import Filled
from waitroom.receipt import NotMoved, qr_code

NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
LANGUAGES = Languages()
ENGLISH = LANGUAGES.of("en")
PAGES = Pages(LANGUAGES)
FACE = Face("Summer sale", ENGLISH)
PLACE = Place("waiting", poll_after_ms=5000, position=1204, waiting=5310, wait_s=(130, 230))
SEED = bytes(range(32))
SIZE = 10_000
ARRIVAL = 1234
SEALED = DrawTold(commitment(SEED), SIZE, ARRIVAL)
DRAWN = replace(SEALED, seed=SEED.hex(), place=Draw(SEED, SIZE).place(ARRIVAL))
AFTER_DRAW = replace(PLACE, draw=DRAWN)
EARLY = Place("early", poll_after_ms=5000, waiting=5310, opens_in_ms=754_000, opens_ms=1_791_792_000_000, draw=SEALED)
HOSTILE = """</title></script><script>alert("1")</script><b onload='x'>&amp;{{ 7 * 7 }}"""


SHOWN = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FACES = st.builds(Face, SHOWN, st.sampled_from([LANGUAGES.of(code) for code in LANGUAGES.codes]))
COUNTS = st.none() | st.integers(0, 10**7)
DRAWS = st.builds(DrawTold, SHOWN, st.integers(1, 10**7), COUNTS, st.none() | SHOWN, COUNTS)
PLACES = st.builds(
    Place,
    state=st.sampled_from(["early", "waiting", "called", "inside", "none", "closed", "revoked", "moved"]),
    poll_after_ms=st.integers(0, 10**6),
    position=COUNTS,
    waiting=COUNTS,
    wait_s=st.none() | st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda ends: (min(ends), max(ends))),
    paused=st.sampled_from([None, "hold", "origin", "store_lost"]),
    message=SHOWN,
    opens_in_ms=st.integers(-(10**6), 10**9),
    opens_ms=st.integers(0, 2 * 10**12),
    draw=st.none() | DRAWS,
    is_late=st.booleans(),
    kept_until_ms=st.none() | st.integers(0, 2 * 10**12),
)


class Unprepared(Pages):
    """Renders each page by itself, with its values in their places, and notes the text."""

    text = ""

    def _filled(self, template: str, face: Face, fixed: Mapping[str, Hashable], values: Mapping[str, object]) -> Filled:
        self.text = self._rendered(template, face, {**fixed, **values})
        return super()._filled(template, face, fixed, values)


class Document(HTMLParser):
    """What a browser makes of a page: its elements, and the text that is neither style, script nor hidden."""

    VOID = frozenset({"meta", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self._open: list[bool] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag in ("style", "script") or "hidden" in dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.shown).split())

    def attributes(self, name: str, tag: str | None = None) -> list[str | None]:
        return [attrs[name] for at, attrs in self.elements if name in attrs and tag in (None, at)]


def waiting(place: Place = PLACE, face: Face = FACE, *, here: str = "/flights?day=1") -> str:
    return (
        PAGES.waiting(
            place,
            face,
            Ways(
                "/.waitroom/rooms/site/place?key=a&b",
                "/.waitroom/rooms/site/extend",
                "/.waitroom/rooms/site/leave",
                "/.waitroom/rooms/site/receipt?here=%2Fflights",
            ),
            here=here,
            refresh_s=20,
            nonce=NONCE,
        )
        .plain()
        .decode()
    )


def early(place: Place = EARLY, face: Face = FACE, *, here: str = "/flights?day=1") -> str:
    return waiting(place, face, here=here)


def drawn(place: Place = AFTER_DRAW, face: Face = FACE, *, here: str = "/a") -> str:
    return waiting(place, face, here=here)


def closed(face: Face = FACE, *, message: str = "") -> str:
    return PAGES.closed(face, message=message, here="/flights", nonce=NONCE).plain().decode()


def refused(face: Face = FACE, *, here: str = "/flights") -> str:
    return PAGES.refused(face, retry_after_s=7, here=here, nonce=NONCE).plain().decode()


def full(face: Face = FACE, *, here: str = "/flights") -> str:
    return PAGES.refused(face, retry_after_s=30, here=here, nonce=NONCE, is_full=True).plain().decode()


def notice(name: Notice, face: Face = FACE, *, message: str = "", here: str = "/flights") -> str:
    return PAGES.notice(name, face, message=message, here=here, nonce=NONCE).plain().decode()


no_identity = partial(notice, "no_identity")
revoked = partial(notice, "revoked")
void = partial(notice, "void")
moved = partial(notice, "moved")


def receipt(face: Face = FACE) -> str:
    svg = qr_code("https://shop.example/.waitroom/rooms/site/receipt/4T7K9XQ2")
    return PAGES.receipt(face, code="4T7K-9XQ2", qr_code=svg, minutes=10, nonce=NONCE).plain().decode()


def take(face: Face = FACE, *, code: str = "4T7K-9XQ2", has_place: bool = True, here: str = "") -> str:
    url = "/.waitroom/rooms/site/receipt"
    page = PAGES.take(face, code=code, take_url=url, key="7", has_place=has_place, here=here, nonce=NONCE)
    return page.plain().decode()


def not_moved(name: NotMoved = "wrong_code", face: Face = FACE) -> str:
    return PAGES.not_moved(name, face, take_url="/.waitroom/rooms/site/receipt", nonce=NONCE).plain().decode()


def failure(status: int = 502, face: Face = FACE, *, here: str = "/flights") -> str:
    return PAGES.failure(status, face, request_id="7f3a-91c2", here=here, nonce=NONCE).plain().decode()


def left(face: Face = FACE) -> str:
    return PAGES.left(face, nonce=NONCE).plain().decode()


UNPREPARED = Unprepared(LANGUAGES)
EVERY_PAGE = pytest.mark.parametrize(
    "page",
    [
        waiting,
        early,
        drawn,
        closed,
        refused,
        full,
        no_identity,
        revoked,
        void,
        moved,
        failure,
        left,
        receipt,
        take,
        not_moved,
    ],
)
PAGES_WITH_A_WAY_BACK = pytest.mark.parametrize("page", [waiting, early, refused, full, no_identity, void, failure])


# How they are prepared


@given(PLACES, FACES, SHOWN, SHOWN, st.integers(0, 100))
def test_prepared_page_is_what_its_template_renders(
    place: Place, face: Face, here: str, url: str, refresh_s: int
) -> None:
    ways = Ways(url, url, url, here)
    filled = UNPREPARED.waiting(place, face, ways, here=here, refresh_s=refresh_s, nonce=NONCE)
    assert filled.plain().decode() == UNPREPARED.text
    assert gzip.decompress(filled.gzipped()).decode() == UNPREPARED.text


@given(FACES, SHOWN, SHOWN, SHOWN)
def test_prepared_refusal_is_what_its_template_renders(face: Face, message: str, here: str, id_: str) -> None:
    told = partial(partial, face=face, here=here, nonce=NONCE)
    pages: list[Callable[[], Filled]] = [
        told(UNPREPARED.closed, message=message),
        *(told(UNPREPARED.refused, retry_after_s=7, is_full=full) for full in (False, True)),
        *(told(UNPREPARED.failure, status, request_id=id_) for status in (502, 503, 504)),
        *(told(UNPREPARED.notice, name, message=message) for name in get_args(Notice)),
        partial(UNPREPARED.left, face, nonce=NONCE),
        partial(UNPREPARED.receipt, face, code=id_, qr_code="<svg></svg>", minutes=10, nonce=NONCE),
        *(told(UNPREPARED.take, code=id_, take_url=here, key=id_, has_place=is_new) for is_new in (False, True)),
        *(partial(UNPREPARED.not_moved, name, face, take_url=here, nonce=NONCE) for name in get_args(NotMoved)),
    ]
    for page in pages:
        filled = page()
        assert filled.plain().decode() == UNPREPARED.text
        assert gzip.decompress(filled.gzipped()).decode() == UNPREPARED.text


def test_visitors_share_what_is_prepared_and_rooms_do_not() -> None:
    """However many come, and wherever they stand and whatever they ask for, a room's page is rendered once."""
    pages = Pages(LANGUAGES)

    def rendered(room_title: str, position: int, here: str) -> int:
        place = replace(PLACE, position=position, waiting=position, poll_after_ms=1000 + position)
        url = f"/.waitroom/rooms/site/place?key={position}"
        pages.waiting(
            place,
            Face(room_title, ENGLISH),
            Ways(url, url, url, url),
            here=here,
            refresh_s=position,
            nonce=here,
        )
        return pages._prepared.cache_info().misses

    assert {rendered("Summer sale", position, f"/{position}") for position in range(1, 100)} == {1}
    assert rendered("Winter sale", 1, "/") == 2


# What they say


def test_waiting_page_tells_position_people_and_time() -> None:
    document = Document(waiting())
    assert document.text.startswith("#1,204 · Waiting · Summer sale")
    assert "Your position 1,204" in document.text
    assert "People waiting 5,310" in document.text
    assert "Estimated wait between 2 and 4 minutes" in document.text
    assert "You may close this page: your place is kept." in document.text
    assert "paused" not in document.text
    assert "We are taking you in" not in document.text


def test_waiting_page_without_javascript_is_complete_and_refreshes_itself() -> None:
    document = Document(waiting())
    tags = [tag for tag, _ in document.elements]
    assert tags[tags.index("noscript") + 1] == "meta"
    assert ("meta", {"http-equiv": "refresh", "content": "20"}) in document.elements
    assert "This page refreshes by itself. Refresh now" in document.text
    assert "Last updated" not in document.text


def test_waiting_page_tells_no_time_until_it_is_known() -> None:
    page = waiting(Place("waiting", 5000, position=3, waiting=9))
    assert "Estimated wait We will tell you the time as soon as people are being let in" in Document(page).text


@pytest.mark.parametrize(
    ("place", "note"),
    [
        (
            Place("waiting", 5000, position=12, waiting=40, wait_s=(60, 90), paused="hold"),
            "The organiser has paused the line. Your place is kept.",
        ),
        (Place("waiting", 5000, paused="origin"), "The site does not answer just now. Your place is kept"),
        (Place("waiting", 5000, paused="store_lost"), "We are reconnecting to the line. Your place is kept"),
    ],
)
def test_paused_line_says_why_and_promises_no_time(place: Place, note: str) -> None:
    text = Document(waiting(place)).text
    assert note in text
    assert "Estimated wait" not in text


def test_unknown_position_is_not_shown_as_a_number() -> None:
    text = Document(waiting(Place("waiting", 5000, paused="store_lost"))).text
    assert text.startswith("Waiting · Summer sale")
    assert "Your position" not in text
    assert "People waiting" not in text


def test_message_of_the_operator_is_shown_where_there_is_one() -> None:
    with_message = Place("waiting", 5000, position=1, waiting=1, message="Doors open at ten")
    assert "From the organiser Doors open at ten" in Document(waiting(with_message)).text
    assert "From the organiser" not in Document(waiting()).text


@pytest.mark.parametrize("page", [waiting, early])
def test_page_says_until_when_the_place_is_kept(page: Callable[..., str]) -> None:
    place = replace(PLACE if page is waiting else replace(EARLY, draw=None), kept_until_ms=EARLY.opens_ms)
    text = Document(page(place)).text
    assert "You may close this page. Your place is kept until Monday, October 12, 2026, 8:00 AM UTC." in text


def test_late_visitor_is_told_why_and_what_follows() -> None:
    told = "You were away when your number was called. You are served before the rest."
    assert told in Document(waiting(replace(PLACE, is_late=True))).text
    assert told not in Document(waiting()).text


def test_page_without_javascript_tells_what_blocked_cookies_do() -> None:
    """The script finds out by itself."""
    document = Document(waiting())
    assert "your browser blocks cookies: please allow them for this site" in document.text
    assert "Your browser blocks cookies" not in document.text


def test_leaving_is_a_question_and_a_form() -> None:
    document = Document(waiting())
    assert "Leave the line Do you want to leave?" in document.text
    assert ("form", {"id": "leave", "method": "post", "action": "/.waitroom/rooms/site/leave"}) in document.elements


def test_early_page_counts_down_and_tells_who_is_here() -> None:
    document = Document(early())
    assert document.text.startswith("You\N{RIGHT SINGLE QUOTATION MARK}re early · Summer sale")
    assert "This opens in 12:34" in document.text
    assert "Opens Monday, October 12, 2026, 8:00 AM UTC" in document.text
    assert "People here already 5,310" in document.text


def test_early_page_tells_no_position_and_no_wait() -> None:
    text = Document(early()).text
    assert "osition" not in text
    assert "#" not in text
    assert "wait" not in text.lower().replace("waitroom", "")


def test_who_comes_early_to_a_draw_is_told_that_being_quick_does_not_help() -> None:
    text = Document(early()).text
    assert "drawn at random among all who come before the opening: being quicker does not help." in text
    assert "You may close this page: you stay in the draw." in text


def test_who_comes_early_where_nothing_is_drawn_is_served_in_order() -> None:
    text = Document(early(replace(EARLY, draw=None))).text
    assert "From the opening on, people are served in the order in which they came." in text
    assert "You may close this page: your place is kept." in text
    assert "draw" not in text


def test_who_comes_to_a_full_draw_is_told_so() -> None:
    text = Document(early(replace(EARLY, draw=replace(SEALED, arrival=None)))).text
    assert "All places of the draw are taken. You will be served after them in the order" in text
    assert "at random" not in text
    assert "No place was drawn for you" in text


def test_the_first_to_come_are_not_told_that_nobody_is_here() -> None:
    assert "People here" not in Document(early(replace(EARLY, waiting=0))).text


def test_lost_store_is_told_before_an_opening_too() -> None:
    assert "We are reconnecting to the line." in Document(early(replace(EARLY, paused="store_lost"))).text


def test_before_the_opening_the_draw_is_sealed() -> None:
    text = Document(early()).text
    assert f"Commitment {SEALED.commitment}" in text
    assert "Your arrival, counted from 0 1,234" in text
    assert "Places in the draw 10,000" in text
    assert "Note what stands here." in text
    assert "Seed" not in text
    assert "Your place in the draw" not in text
    assert "verify-draw" not in text


def test_after_the_opening_the_draw_can_be_checked_with_what_the_page_says() -> None:
    text = Document(drawn()).text
    assert f"Seed {DRAWN.seed}" in text
    command = re.search(r"waitroom verify-draw [-\w ]+? \d+ (?=Your)", text)
    assert command
    checked = CliRunner().invoke(main, shlex.split(command[0])[1:])
    assert (checked.exit_code, checked.output.splitlines()[-1]) == (
        0,
        f"Arrival 1,234 of the draw of 10,000 has place {DRAWN.place:,}",
    )
    assert f"Your place in the draw, counted from 1 {DRAWN.place:,}" in text


def test_who_came_after_the_opening_is_told_that_nothing_was_drawn() -> None:
    text = Document(drawn(replace(PLACE, draw=replace(DRAWN, arrival=None, place=None)))).text
    assert "No place was drawn for you" in text
    assert f"Seed {DRAWN.seed}" in text
    assert "verify-draw" not in text
    assert "Your arrival" not in text


def test_page_without_a_draw_says_nothing_of_one() -> None:
    assert "draw" not in Document(waiting()).text


@pytest.mark.parametrize(
    ("page", "texts", "ways"),
    [
        (no_identity, ["Please sign in first", "Sign in to this site, then come back here."], ["/flights"]),
        (revoked, ["Your place was taken away", "please get in touch with the organiser"], []),
        (void, ["The line was started anew", "You did nothing wrong.", "Join the new line"], ["/flights"]),
        (full, ["as many lines are in use as this site can keep", "tries again by itself"], ["/flights"]),
    ],
)
def test_who_has_no_place_is_told_why_and_what_to_do(
    page: Callable[..., str], texts: list[str], ways: list[str]
) -> None:
    document = Document(page())
    assert [text for text in texts if text not in document.text] == []
    assert document.attributes("href", "a") == ways


@pytest.mark.parametrize("page", [no_identity, revoked, void])
def test_a_notice_does_nothing_by_itself(page: Callable[..., str]) -> None:
    """Loading it again would show it for ever (revoked), or take a place that was not asked for (void)."""
    document = Document(page())
    assert "refresh" not in document.attributes("http-equiv")
    assert not [tag for tag, _ in document.elements if tag == "script"]


def test_closed_page_says_so_and_what_the_operator_says() -> None:
    assert "Closed for now" in Document(closed()).text
    assert "Please come back later." in Document(closed()).text
    assert "From the organiser Back at nine" in Document(closed(message="Back at nine")).text


def test_refused_visitor_is_told_that_the_page_tries_again() -> None:
    document = Document(refused())
    assert "give you a place in line just now" in document.text
    assert ("meta", {"http-equiv": "refresh", "content": "7"}) in document.elements
    assert "/flights" in document.attributes("href", "a")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(502, "answering"), (503, "take your request just now"), (504, "took too long to answer")],
)
def test_failure_names_the_reason_the_reference_and_a_way_back(status: int, reason: str) -> None:
    document = Document(failure(status))
    assert f"{reason}. Your place inside is kept." in document.text
    assert f"7f3a-91c2 · {status}" in document.text
    assert document.attributes("href", "a") == ["/flights"]


def test_visitor_who_left_is_told_so() -> None:
    assert "You have left the line" in Document(left()).text


# What they let through


@EVERY_PAGE
def test_title_of_the_room_is_text_whatever_it_holds(page: Callable[..., str]) -> None:
    document = Document(page(face=Face(HOSTILE, ENGLISH)))
    assert [tag for tag, _ in document.elements] == [tag for tag, _ in Document(page()).elements]
    assert HOSTILE in document.text


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_message_is_text_whatever_it_holds(message: str) -> None:
    place = Place("waiting", 5000, position=1, waiting=1, message=message)
    assert f"From the organiser {message} You may" in Document(waiting(place)).text
    assert f"From the organiser {message} Places are" in Document(early(replace(EARLY, message=message))).text
    for page in (closed, no_identity, revoked, void):
        assert f"From the organiser {message}" in Document(page(message=message)).text


@PAGES_WITH_A_WAY_BACK
def test_address_asked_for_stays_inside_its_link(page: Callable[..., str]) -> None:
    assert "/" + HOSTILE in Document(page(here="/" + HOSTILE)).attributes("href", "a")


@pytest.mark.parametrize(
    ("here", "link"),
    [
        ("/", "/"),
        ("/flights?day=1", "/flights?day=1"),
        ("/?next=//other.example", "/?next=//other.example"),
        ("//other.example/a", "/.//other.example/a"),
        ("/\\other.example", "/./\\other.example"),
        ("/\t/other.example", "/./\t/other.example"),
        ("https://other.example", "/.https://other.example"),
        ("javascript:alert(1)", "/.javascript:alert(1)"),
    ],
)
def test_link_back_never_leads_to_another_site(here: str, link: str) -> None:
    assert local(here) == link


@EVERY_PAGE
def test_page_is_one_answer_that_its_policy_allows(page: Callable[..., str]) -> None:
    """Every style and script carries the nonce; nothing is fetched; nothing is styled or handled inline."""
    document = Document(page())
    inlined = [attrs for tag, attrs in document.elements if tag in ("style", "script")]
    assert inlined
    assert all(attrs["nonce"] == NONCE and "src" not in attrs for attrs in inlined)
    assert all(link is not None and link.startswith("data:") for link in document.attributes("href", "link"))
    assert not [name for _, attrs in document.elements for name in attrs if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import|\bimport\b|https?://(?!www\.w3\.org/2000/svg)", page())


@pytest.mark.parametrize("code", LANGUAGES.codes)
@pytest.mark.parametrize("place", [PLACE, EARLY, AFTER_DRAW], ids=["waiting", "early", "after the draw"])
def test_waiting_page_fits_into_the_first_round_trips(place: Place, code: str) -> None:
    """Ten segments are sent before the first is acknowledged (RFC 6928): 14 KB, and nothing else is asked for."""
    place = replace(place, message="Doors open at ten. " * 10, kept_until_ms=EARLY.opens_ms, is_late=True)
    own = "/.waitroom/rooms/summer-sale/"
    ways = Ways(f"{own}place", f"{own}extend", f"{own}leave", f"{own}receipt?here=%2Fflights%3Fday%3D1")
    face = Face("Summer sale", LANGUAGES.of(code))
    page = PAGES.waiting(place, face, ways, here="/flights?day=1", refresh_s=20, nonce=NONCE, is_new=True)
    assert len(page.gzipped()) <= 14 * 1024


def test_scripts_go_without_their_comments() -> None:
    script = waiting().partition("<script")[2].partition("\n")[2]
    assert script.startswith("const ")
    assert not re.search(r"^\s*//|^\s+\w", script, re.MULTILINE)


def test_policy_allows_only_what_carries_the_nonce() -> None:
    policy = dict(part.split(" ", 1) for part in content_security_policy(NONCE).split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'nonce-{NONCE}'",
        "script-src": f"'nonce-{NONCE}'",
        "worker-src": "blob:",
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@EVERY_PAGE
def test_page_is_in_a_language_and_kept_out_of_search_engines(page: Callable[..., str]) -> None:
    document = Document(page())
    assert document.elements[0] == ("html", {"lang": "en", "dir": "ltr"})
    assert ("meta", {"name": "robots", "content": "noindex"}) in document.elements


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "ground"),
        ("ink", "card"),
        ("quiet", "card"),
        ("accent", "card"),
        ("on-accent", "accent"),
        ("note-ink", "note"),
    ],
)
def test_text_stands_out_from_its_ground(ink: str, ground: str, scheme: int) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3, level AA)."""
    css = waiting()
    colours = dict(re.findall(r"--([\w-]+): #(\w+);", css.split(":root {")[1 + scheme]))
    light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# How times read


@pytest.mark.parametrize(
    ("wait_s", "text"),
    [
        ((0, 0), "less than a minute"),
        ((10, 60), "less than a minute"),
        ((40, 75), "less than 2 minutes"),
        ((60, 61), "between 1 and 2 minutes"),
        ((120, 120), "about 2 minutes"),
        ((130, 230), "between 2 and 4 minutes"),
        ((3600, 7200), "between 60 and 120 minutes"),
        ((1700, 7201), "less than 2.5 hours"),
        ((3000, 7201), "between 0.5 and 2.5 hours"),
        ((9000, 9000), "about 2.5 hours"),
        ((13_000, 23_000), "between 3.5 and 6.5 hours"),
    ],
)
def test_time_reads_as_a_range(wait_s: tuple[int, int], text: str) -> None:
    assert words.wait(ENGLISH, wait_s) == text


@pytest.mark.parametrize(
    ("left_ms", "text"),
    [
        (-5, "0:00"),
        (0, "0:00"),
        (1, "0:01"),
        (9_001, "0:10"),
        (60_000, "1:00"),
        (754_000, "12:34"),
        (3_599_001, "1:00:00"),
        (7_384_000, "2:03:04"),
        (86_399_000, "23:59:59"),
        (86_400_000, "1 day 0 hours"),
        (200_000_000, "2 days 7 hours"),
    ],
)
def test_countdown_reads_as_a_clock_that_ends_at_the_opening(left_ms: int, text: str) -> None:
    assert words.countdown(ENGLISH, left_ms) == text


@pytest.mark.parametrize(
    ("since_1970_ms", "text"),
    [
        (1_791_792_000_000, "Monday, October 12, 2026, 8:00\u202fAM UTC"),
        (1_791_792_005_999, "Monday, October 12, 2026, 8:00:05\u202fAM UTC"),
    ],
)
def test_moment_is_told_with_its_time_zone(since_1970_ms: int, text: str) -> None:
    assert words.moment(ENGLISH, since_1970_ms) == text


@given(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(sorted))
def test_words_never_promise_more_than_was_measured(wait_s: list[int]) -> None:
    """The range in words contains the range in seconds."""
    shortest_s, longest_s = wait_s
    text = words.wait(ENGLISH, (shortest_s, longest_s))
    if text == "less than a minute":
        assert longest_s <= 60
        return
    unit_s = 60 if text.endswith("minutes") else 3600
    said_s = [unit_s * float(said) for said in re.findall(r"[\d.]+", text)]
    assert said_s[-1] >= longest_s
    assert (0 if text.startswith("less") else said_s[0]) <= shortest_s
