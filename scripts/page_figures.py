"""Weighs the waiting page: the bytes and requests of its first view in each language, and what Lighthouse says of it.

A waitroom of its own holds everybody in line; a real Chromium looks, on a phone and on a desktop. Lighthouse is fetched
by npm, and left out where there is none.
"""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from playwright.async_api import Browser
from rich.console import Console

from tests.browser import CHROMIUM, FLAGS, chromium
from tests.servers import PrivateRedis
from tests.waitroom.running import Waitroom
from waitroom.languages import Languages

# The newest that runs on the Node.js of Debian.
LIGHTHOUSE = "lighthouse@12"
CATEGORIES = ("performance", "accessibility", "best-practices")
SETTLED_S = 2.0
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class FirstView:
    """What a browser asked for until the page had learned its place; bytes are those of the body, as sent."""

    requests: int
    page_bytes: int
    head_bytes: int


@click.command()
@click.option("--runs", default=3, show_default=True, help="Of Lighthouse, for each form; the median is told.")
def main(runs: int) -> None:
    """Prints both tables."""
    with tempfile.TemporaryDirectory() as folder:
        redis = PrivateRedis(Path(folder))
        redis.start()
        try:
            asyncio.run(_weigh(Path(folder), redis, runs))
        finally:
            redis.client.close()
            redis.kill()


async def _weigh(folder: Path, redis: PrivateRedis, runs: int) -> None:
    waitroom = Waitroom(folder / "waitroom", redis.url, 9)
    waitroom.set(mode="hold", title="Summer sale", message="Doors open at ten.")
    async with waitroom.serving(), chromium() as browser:
        console.print("| language | requests | page, bytes as sent | header fields, bytes |\n|---|---|---|---|")
        for code, _ in Languages().names():
            view = await _first_view(browser, waitroom.url, code)
            console.print(f"| {code} | {view.requests} | {view.page_bytes:,} | {view.head_bytes:,} |")
        if not shutil.which("npx"):
            console.print("\nThere is no npx: Lighthouse is left out.")
            return
        console.print(f"\n| form | {' | '.join(CATEGORIES)} | by run |\n|---|{'---|' * len(CATEGORIES)}---|")
        for form in ("mobile", "desktop"):
            scores = [await _lighthouse(waitroom.url, form, folder) for _ in range(runs)]
            medians = [sorted(of_one)[runs // 2] for of_one in zip(*scores, strict=True)]
            by_run = "; ".join("/".join(map(str, score)) for score in scores)
            console.print(f"| {form} | {' | '.join(map(str, medians))} | {by_run} |")


async def _first_view(browser: Browser, url: str, code: str) -> FirstView:
    context = await browser.new_context(locale=code)
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: None if request.url.startswith("blob:") else asked.append(request.url))
    response = await page.goto(url)
    assert response
    await page.wait_for_selector("#updated-part:not([hidden])")
    await asyncio.sleep(SETTLED_S)
    sizes = await response.request.sizes()
    view = FirstView(len(asked), sizes["responseBodySize"], sizes["responseHeadersSize"])
    await context.close()
    return view


async def _lighthouse(url: str, form: str, folder: Path) -> list[int]:
    """Its scores, of 100."""
    report = folder / "report.json"
    options = ["--quiet", "--output=json", f"--output-path={report}", f"--only-categories={','.join(CATEGORIES)}"]
    flags = " ".join(["--headless=new", *FLAGS])
    command = ["npx", "--yes", LIGHTHOUSE, url, *options, *_of(form), f"--chrome-flags={flags}"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | {"CHROME_PATH": CHROMIUM or ""},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    if process.returncode:
        raise click.ClickException(f"Lighthouse failed: {complaints.decode()[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    for fault in _faults(found):
        console.print(f"<!-- {form}: {fault} -->")
    return [round(100 * found["categories"][name]["score"]) for name in CATEGORIES]


def _of(form: str) -> Iterator[str]:
    """Lighthouse looks from a phone, unless it is told otherwise."""
    if form == "desktop":
        yield "--preset=desktop"


def _faults(found: dict[str, Any]) -> Iterator[str]:
    """What took points."""
    for name in CATEGORIES:
        for part in found["categories"][name]["auditRefs"]:
            audit = found["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 1:
                yield f"{name}: {audit['title']} ({audit.get('displayValue', audit['score'])})"


if __name__ == "__main__":
    main()
