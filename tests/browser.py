"""A real Chromium, as the tests start it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A machine that runs other tests beside is slow: what is expected may take this long to be seen.
expect.set_options(timeout=60_000)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium on PATH (Debian's package: chromium)"
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser of its own, with a new profile."""
    assert CHROMIUM, "with CI=true nothing may skip: install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()
