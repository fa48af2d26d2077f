"""A real site behind a waitroom: a person at a browser can do all that can be done without it."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.async_api import Browser, Page, WebSocket, expect

from tests.browser import chromium, needs_chromium
from tests.journey.jupyter import TOKEN, Jupyter, jupyter
from tests.servers import PrivateRedis, eventually
from tests.waitroom.proxy.process import serving
from tests.waitroom.running import Waitroom

LOADS_MS = 60_000
UPLOAD = random.Random(5).randbytes(3_000_000)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit came to: `complaints` are the browser's, of the console and of pages, without ports and times."""

    uploaded: bytes
    downloaded: bytes
    output: str
    terminal: str
    after: str
    sockets: frozenset[str]
    complaints: frozenset[str]


async def visit(browser: Browser, url: str, site: Jupyter, folder: Path) -> Visit:
    """Signs in, uploads, downloads, runs a notebook and a command in a terminal, and signs out."""
    context = await browser.new_context(accept_downloads=True, viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    sockets: set[str] = set()
    complaints: set[str] = set()
    page.on("console", lambda message: complaints.add(_plain(message.text)) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.add(_plain(str(error))))
    page.on("websocket", lambda socket: sockets.add(_plain(socket.url)))
    await sign_in(page, f"{url}/lab/tree/sum.ipynb")
    output = await run_the_notebook(page)
    uploaded = await upload(page, site, folder)
    downloaded = await download(page, folder)
    terminal = await use_a_terminal(page, site)
    await page.goto(f"{url}/logout")
    after = await page.locator("body").inner_text()
    await context.close()
    return Visit(uploaded, downloaded, output, terminal, after, frozenset(sockets), frozenset(complaints))


def _plain(text: str) -> str:
    return re.sub(r"(?<=127\.0\.0\.1:)\d+|[0-9a-f]{8}-[0-9a-f-]{27}|(?<==)\d{10,}", "…", text)


async def sign_in(page: Page, url: str) -> None:
    await page.goto(url)
    await page.locator("#password_input").fill(TOKEN)
    await page.locator("#login_submit").click()


async def run_the_notebook(page: Page) -> str:
    """Gives what its cell prints: told by the kernel, over a WebSocket."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    await expect(cell).to_be_visible(timeout=LOADS_MS)
    await expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible(timeout=LOADS_MS)
    await cell.locator(".cm-content").click()
    await page.keyboard.press("Shift+Enter")
    output = cell.locator(".jp-OutputArea-output").first
    await expect(output).to_contain_text("told 44", timeout=LOADS_MS)
    return await output.inner_text()


async def upload(page: Page, site: Jupyter, folder: Path) -> bytes:
    """Gives what the site then has."""
    (folder / "upload.bin").write_bytes(UPLOAD)
    async with page.expect_file_chooser() as choosing:
        await page.locator("[data-command='filebrowser:upload'], [title='Upload Files']").first.click()
    chooser = await choosing.value
    await chooser.set_files(folder / "upload.bin")
    there = site.files / "upload.bin"
    await eventually(lambda: there.exists() and there.stat().st_size == len(UPLOAD))
    return there.read_bytes()


async def download(page: Page, folder: Path) -> bytes:
    """Gives what the browser then has."""
    file = page.locator(".jp-DirListing-item", has_text="upload.bin")
    await expect(file).to_be_visible(timeout=LOADS_MS)
    await file.click(button="right")
    async with page.expect_download() as downloading:
        await page.locator(".lm-Menu-item[data-command='filebrowser:download']").click()
    await (await downloading.value).save_as(folder / "download.bin")
    return (folder / "download.bin").read_bytes()


async def use_a_terminal(page: Page, site: Jupyter) -> str:
    """Gives what a command wrote, which went to the shell over a WebSocket once its prompt had come."""
    prompted = asyncio.Event()

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: prompted.set() if "stdout" in str(frame) else None)

    page.on("websocket", watch)
    await page.keyboard.press("Control+Shift+L")
    await page.locator(".jp-LauncherCard", has_text="Terminal").click()
    async with asyncio.timeout(LOADS_MS / 1000):
        await prompted.wait()
    await page.locator(".jp-Terminal .xterm-helper-textarea").focus()
    there = site.files / "told.txt"
    await page.keyboard.type(f"echo $((6*7)) > {there}\n")
    await eventually(lambda: there.exists() and there.stat().st_size)
    return there.read_text()


@asynccontextmanager
async def before(site: Jupyter, folder: Path) -> AsyncIterator[str]:
    """A waitroom before the site, in a process of its own; gives its URL."""
    redis = PrivateRedis(folder / "redis")
    redis.start()
    waitroom = Waitroom(folder / "waitroom", redis.url, site.port)
    waitroom.set()
    try:
        async with serving(waitroom):
            yield waitroom.url
    finally:
        redis.close()


@needs_chromium
async def test_a_site_with_sockets_and_files_works_as_it_does_without_a_waitroom(tmp_path: Path) -> None:
    """JupyterLab also compares Origin with Host, and its cookies and forms are guarded against other sites."""
    folders = tmp_path / "direct", tmp_path / "through"
    async with chromium() as browser:
        async with jupyter(folders[0]) as site:
            direct = await visit(browser, f"http://127.0.0.1:{site.port}", site, folders[0])
        async with jupyter(folders[1]) as site, before(site, folders[1]) as url:
            through = await visit(browser, url, site, folders[1])
    assert direct.uploaded == direct.downloaded == UPLOAD
    assert through.complaints <= direct.complaints
    assert replace(through, complaints=direct.complaints) == direct
