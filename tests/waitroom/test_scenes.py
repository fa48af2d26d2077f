"""Every state of every page in a real Chromium, in languages of both directions, light and dark: readable to all, whole
at twice the size, and all of it within reach of the keyboard. And every state is among them."""

import html
import re
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, get_args

import pytest
from playwright.async_api import Browser, Page

from tests.axe import violations
from tests.browser import needs_chromium
from waitroom import settings, words
from waitroom.languages import Languages
from waitroom.look import Scheme
from waitroom.page_environment import ours
from waitroom.pages import Face, Notice, Pages
from waitroom.place import Pause
from waitroom.prepared import Filled
from waitroom.preview.gallery import Gallery
from waitroom.receipt import NotMoved
from waitroom.scenes import SCENES
from waitroom.sentences import PLACEHOLDER, sentences

NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
TONGUES = ("en", "ko", "ar")
# At twice the size, a window of 1280 pixels has 640; the narrowest phones have 320.
ZOOMED = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}
NARROW = {"viewport": {"width": 320, "height": 640}}
ROOM = 'version = 1\n[[rooms]]\nname = "site"\ntitle = "Summer sale"\norigins = []\n'
GALLERY = Gallery(next(iter(settings.parse(ROOM, "waitroom.toml").to_rooms(0))), Languages())
# All that can be reached, and is there to be seen.
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input, summary")]
    .filter((each) => each.checkVisibility() && each.type !== "hidden").length"""
TOLD = "document.getElementById('in-line').hidden || !document.getElementById('lost').hidden"
# Who has the focus, by number, and whether that is seen.
FOCUSED = """() => {
    const one = document.activeElement;
    const at = [...document.querySelectorAll("*")].indexOf(one);
    return one === document.body ? null : [at, getComputedStyle(one).outlineStyle !== "none"];
}"""


class Noted(Pages):
    """Notes what it has rendered: templates, with what their shapes hang on."""

    def __init__(self) -> None:
        super().__init__(Languages())
        self.rendered: list[tuple[str, dict[str, Any]]] = []

    def _filled(self, template: str, face: Face, fixed: Mapping[str, Hashable], values: Mapping[str, object]) -> Filled:
        self.rendered.append((template, dict(fixed)))
        return super()._filled(template, face, fixed, values)


@pytest.fixture(scope="module")
def noted() -> tuple[Noted, str]:
    """All scenes in English, and all that they say."""
    pages = Noted()
    face = Face("Summer sale", Languages().of("en"))
    said = "".join(scene.make(pages, face, NONCE).plain().decode() for scene in SCENES.values())
    return pages, " ".join(html.unescape(said).split())


def test_every_page_is_among_the_scenes(noted: tuple[Noted, str]) -> None:
    pages, _ = noted
    assert {template for template, _ in pages.rendered} == {
        name for name in ours() if name.endswith(".html") and name != "base.html"
    }


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("waiting.html", "state", {"early", "waiting", "called"}),
        ("waiting.html", "paused", {None, *get_args(Pause)}),
        ("notice.html", "name", set(get_args(Notice))),
        ("not_moved.html", "name", set(get_args(NotMoved))),
        ("failure.html", "status", {502, 503, 504}),
    ],
)
def test_every_state_is_among_the_scenes(
    noted: tuple[Noted, str], template: str, name: str, values: set[object]
) -> None:
    pages, _ = noted
    assert {fixed[name] for rendered, fixed in pages.rendered if rendered == template} == values


def test_every_sentence_is_said_in_a_scene(noted: tuple[Noted, str]) -> None:
    """And so every branch of a template that says something is taken."""
    _, said = noted
    patterns = {text: re.escape(PLACEHOLDER.sub("\0", text)).replace("\0", ".+?") for text in sentences()}
    unsaid = [text for text, pattern in patterns.items() if not re.search(pattern.replace("\\\0", ".+?"), said)]
    assert [text for text in unsaid if text not in words.SENTENCES.values()] == []


# In a browser


async def show(page: Page, scheme: Scheme, language: str, name: str) -> None:
    """A scene, once it has been told what it is told, with all that can be unfolded."""
    await page.set_content(GALLERY.page(scheme, language, name))
    if SCENES[name].told:
        await page.wait_for_function(TOLD)
    await page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")


@asynccontextmanager
async def tab(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(**options)
    yield await context.new_page()
    await context.close()


@needs_chromium
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("language", "scheme"), [*product(TONGUES, SCHEMES)])
async def test_no_state_has_a_barrier_that_a_machine_finds(browser: Browser, language: str, scheme: Scheme) -> None:
    """By the rules of WCAG, at levels A and AA, with all that can be unfolded."""
    found = {}
    async with tab(browser, color_scheme=scheme) as page:
        for name in SCENES:
            await show(page, scheme, language, name)
            if broken := await violations(page):
                found[name] = broken
    assert found == {}


@needs_chromium
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("size", [ZOOMED, NARROW], ids=["zoomed", "narrow"])
async def test_nothing_runs_out_at_the_side(browser: Browser, size: dict[str, Any]) -> None:
    """WCAG 2.2, 1.4.4 and 1.4.10."""
    wide = []
    async with tab(browser, **size) as page:
        for language, name in product(TONGUES, SCENES):
            await show(page, "light", language, name)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append((language, name))
    assert wide == []


@needs_chromium
@pytest.mark.asyncio(loop_scope="module")
async def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser) -> None:
    lost = []
    async with tab(browser) as page:
        for name in SCENES:
            await show(page, "light", "en", name)
            reachable = await page.evaluate(REACHABLE)
            reached = []
            # Once around, from wherever the page has put the focus.
            for _ in range(reachable + 1):
                await page.keyboard.press("Tab")
                reached.append(await page.evaluate(FOCUSED))
            if len({at for at, is_seen in filter(None, reached) if is_seen}) != reachable:
                lost.append((name, reachable, reached))
    assert lost == []
