"""How pages in other languages look in a real Chromium: the numbers of each, and what runs from right to left."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page

import waitroom
from tests.browser import needs_chromium
from waitroom.draw import commitment
from waitroom.languages import Languages
from waitroom.pages import Face, Pages, Ways
from waitroom.place import DrawTold, Place

NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
LANGUAGES = Languages()
PAGES = Pages(LANGUAGES)
SEED = bytes(32)
DRAW = DrawTold(commitment(SEED), 1_000_000, 17, SEED.hex(), 420_827)
PLACE = Place("waiting", poll_after_ms=5000, position=1204, waiting=5310, wait_s=(130, 230), draw=DRAW)
COMMAND = f"waitroom verify-draw --seed {DRAW.seed} --commitment {DRAW.commitment} --size 1000000 17"
DARK = 100
WORDS = Path(waitroom.__file__).parent / "templates" / "words.js"

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A tab without JavaScript: what it shows stays as it came."""
    page = await browser.new_page(java_script_enabled=False)
    yield page
    await page.close()


async def show(page: Page, code: str, place: Place = PLACE) -> None:
    """The waiting page in a language, with all there is to unfold."""
    face, ways = Face("Sale!", LANGUAGES.of(code)), Ways("/", "/", "/", "")
    filled = PAGES.waiting(place, face, ways, here="/", refresh_s=60, nonce=NONCE)
    await page.set_content(filled.plain().decode())
    await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")


async def read_in_order(element: Locator) -> str:
    """The text of an element as eyes find it: line after line, from left to right."""
    text: str = await element.evaluate(
        """(element) => {
          const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
          const range = document.createRange();
          const places = [];
          while (nodes.nextNode()) {
            for (let at = 0; at < nodes.currentNode.length; at++) {
              range.setStart(nodes.currentNode, at);
              range.setEnd(nodes.currentNode, at + 1);
              const { top, left } = range.getBoundingClientRect();
              places.push({ top, left, character: nodes.currentNode.data[at] });
            }
          }
          places.sort((one, other) => one.top - other.top || one.left - other.left);
          return places.map(({ character }) => character).join("");
        }"""
    )
    return " ".join(text.split())


async def brightness(page: Page, element: Locator, share: float) -> int:
    """Of the element where such a share of its width lies left of it: from 0 to 255."""
    picture = list(await element.screenshot())
    bright: int = await page.evaluate(
        """async ([picture, share]) => {
          const bitmap = await createImageBitmap(new Blob([new Uint8Array(picture)]));
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
          canvas.drawImage(bitmap, 0, 0);
          return canvas.getImageData(bitmap.width * share, bitmap.height / 2, 1, 1).data[0];
        }""",
        [picture, share],
    )
    return bright


@pytest.mark.parametrize("code", LANGUAGES.codes)
async def test_browser_and_server_write_the_same_numbers(page: Page, code: str) -> None:
    """Those of four digits too, which some languages leave together."""
    language = LANGUAGES.of(code)
    numbers = [0, 7, 999, 1204, 12_345, 1_234_567]
    await show(page, code)
    script = WORDS.read_text()
    written = await page.evaluate(f"(numbers) => {{ {script}; return numbers.map(number.format); }}", numbers)
    assert written == [language.number(number) for number in numbers]


@pytest.mark.parametrize(("code", "filled", "empty"), [("en", 0.1, 0.9), ("ar", 0.9, 0.1)])
async def test_progress_goes_the_way_that_one_reads(page: Page, code: str, filled: float, empty: float) -> None:
    await show(page, code)
    bar = page.locator("#progress")
    await bar.evaluate("(bar) => { bar.hidden = false; bar.value = 0.5; }")
    assert await brightness(page, bar, filled) < DARK < await brightness(page, bar, empty)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("#position", "1,204"),
        ("#message", "Doors open at 10:00."),
        ("dd[data-draw=commitment]", DRAW.commitment),
        ("code.command", COMMAND),
        ("header", "Sale!"),
    ],
)
async def test_what_is_written_from_left_to_right_stays_so_in_arabic(page: Page, name: str, text: str) -> None:
    await show(page, "ar", replace(PLACE, message="Doors open at 10:00."))
    assert await read_in_order(page.locator(name)) == text


@pytest.mark.parametrize("name", ["#position", "#claim", "dd[data-draw=size]", "dd[data-draw=commitment]"])
@pytest.mark.parametrize(("code", "side"), [("en", "left"), ("ar", "right")])
async def test_figures_stand_where_the_lines_of_the_page_begin(page: Page, name: str, code: str, side: str) -> None:
    await show(page, code)
    await page.evaluate("for (const element of document.querySelectorAll('[hidden]')) element.hidden = false")
    away_px = await page.locator(name).evaluate(
        """(element, side) => {
          const text = document.createRange();
          if (!element.textContent) element.textContent = "0:59";
          text.selectNodeContents(element);
          return Math.abs(text.getBoundingClientRect()[side] - element.getBoundingClientRect()[side]);
        }""",
        side,
    )
    assert away_px < 1


async def test_reference_keeps_its_order_in_arabic(page: Page) -> None:
    filled = PAGES.failure(502, Face("Sale", LANGUAGES.of("ar")), request_id="1234-5678", here="/", nonce=NONCE)
    await page.set_content(filled.plain().decode())
    assert await read_in_order(page.locator("code")) == "1234-5678 · 502"


async def test_message_in_arabic_reads_from_right_to_left_in_english(page: Page) -> None:
    """It ends at the left."""
    await show(page, "en", replace(PLACE, message="مرحبًا."))
    assert (await read_in_order(page.locator("#message"))).startswith(".")


@pytest.mark.parametrize("code", LANGUAGES.codes)
async def test_no_language_is_wider_than_a_small_phone(page: Page, code: str) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await show(page, code, replace(PLACE, position=1_234_567))
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
