"""A place moves between two real browsers: the drawing leads there, and the page that was left tells so by itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from playwright.async_api import Browser, Page, expect

from tests.axe import violations
from tests.browser import needs_chromium
from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Waitroom, origin, visitor

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

# What stands on the paper of a drawing, as a camera sees it: a byte for each pixel.
PIXELS = """async (side) => {
  const drawing = document.querySelector("svg.qr").cloneNode(true);
  drawing.setAttribute("width", side);
  drawing.setAttribute("height", side);
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  await image.decode();
  const canvas = new OffscreenCanvas(side, side).getContext("2d");
  canvas.drawImage(image, 0, 0);
  return [...canvas.getImageData(0, 0, side, side).data].filter((_, i) => i % 4 === 0);
}"""
SIDE = 400
ELSEWHERE = "Your place is in another browser now"


@pytest_asyncio.fixture(loop_scope="module")
async def waitroom(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """One is inside, and the others wait."""
    async with origin() as site, visitor() as inside:
        waitroom = Waitroom(tmp_path, redis.url, site.port)
        waitroom.set(cap=1)
        async with waitroom.serving():
            for _ in range(2):
                async with inside.get(waitroom.url, headers=PAGE) as response:
                    assert "Via" in response.headers
            yield waitroom


async def asked_for_a_code(page: Page) -> Page:
    """The page with the code, in a tab of its own."""
    await page.get_by_text("Use another device").click()
    async with page.expect_popup() as opened:
        await page.get_by_role("button", name="Show me a code").click()
    receipt = await opened.value
    await expect(receipt.get_by_role("heading", name="Move your place to another device")).to_be_visible()
    return receipt


async def scanned(page: Page) -> str:
    """What a camera reads on the page."""
    pixels = bytes(await page.evaluate(PIXELS, SIDE))
    found = zxingcpp.read_barcode(memoryview(pixels).cast("B", (SIDE, SIDE)))
    assert found
    return str(found.text)


async def test_a_place_moves_to_who_scans_the_drawing_and_the_old_page_says_so(
    browser: Browser, waitroom: Waitroom
) -> None:
    async with await browser.new_context() as phone, await browser.new_context() as laptop:
        page = await phone.new_page()
        await page.goto(f"{waitroom.url}/sale?day=1")
        await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
        receipt = await asked_for_a_code(page)
        assert await violations(receipt) == []
        there = await laptop.new_page()
        await there.goto(f"{waitroom.url}/.waitroom/rooms/site/receipt")
        assert await violations(there) == []
        await there.goto(await scanned(receipt))
        assert await violations(there) == []
        await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
        await there.get_by_role("button", name="Take the place").click()
        await expect(there.get_by_role("heading", name="You are in line")).to_be_visible()
        assert there.url == f"{waitroom.url}/sale?day=1"
        await expect(page.get_by_role("heading", name=ELSEWHERE)).to_be_visible()
        assert await violations(page) == []
        await page.get_by_role("button", name="Join the line anew").click()
        await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
        assert page.url == f"{waitroom.url}/sale?day=1"
        await expect(page.locator("#position")).to_have_text("2")


async def test_it_all_goes_without_javascript(browser: Browser, waitroom: Waitroom) -> None:
    """By typing the code, and by pages that refresh themselves."""
    async with (
        await browser.new_context(java_script_enabled=False) as phone,
        await browser.new_context(java_script_enabled=False) as laptop,
    ):
        page, there = await phone.new_page(), await laptop.new_page()
        for one in (page, there):
            await one.goto(f"{waitroom.url}/sale")
            await expect(one.get_by_role("heading", name="You are in line")).to_be_visible()
        receipt = await asked_for_a_code(page)
        code = await receipt.locator(".code").inner_text()
        await there.goto(f"{waitroom.url}/.waitroom/rooms/site/receipt")
        field = there.get_by_label("Code")
        await field.fill(code.lower().replace("-", " "))
        assert await field.evaluate("(field) => field.scrollWidth <= field.clientWidth"), "the code is not seen whole"
        await there.get_by_role("button", name="Go on").click()
        await expect(there.get_by_text("This browser has a place in this line already")).to_be_visible()
        await there.get_by_role("button", name="Take the place").click()
        await expect(there.get_by_role("heading", name="You are in line")).to_be_visible()
        await expect(page.get_by_role("heading", name=ELSEWHERE)).to_be_visible()
