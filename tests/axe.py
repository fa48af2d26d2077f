"""What axe-core, which knows the rules of WCAG, finds wrong with a page."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def violations(page: Page) -> list[str]:
    """Each broken rule with the elements that break it; empty where a machine finds none."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]
