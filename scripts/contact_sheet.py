"""Every state of every page in Chromium, on one picture a language: python -m scripts.contact_sheet [--out FOLDER]

Each is shown on a phone and on a desktop, light and dark. A small picture of some, in all these languages, is the one
of docs/images.
"""

import asyncio
import base64
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import click
from playwright.async_api import Browser, ViewportSize

from tests.browser import chromium
from waitroom import settings
from waitroom.languages import Languages
from waitroom.preview.gallery import Gallery
from waitroom.scenes import SCENES

LANGUAGES = ("en", "ko", "ar")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {"phone": ViewportSize(width=390, height=780), "desktop": ViewportSize(width=1280, height=860)}
ROOM = 'version = 1\n[[rooms]]\nname = "site"\ntitle = "Summer sale"\norigins = []\n'
# Of a picture on the sheet, in pixels.
SHOWN = {"phone": 195, "desktop": 400}
# What the small sheet has, on a phone.
SOME = ("waiting", "early-draw", "called", "receipt")
SETTLED_MS = 200
SHEET = """<style>
body {{ margin: 0; padding: 24px; width: max-content; background: #d9d9d4; font: 13px system-ui; color: #222 }}
main {{ display: grid; grid-template-columns: repeat({columns}, max-content); gap: 24px }}
figure {{ margin: 0 }} figcaption {{ padding-bottom: 4px; font-weight: 600 }}
div {{ display: flex; gap: 8px; align-items: start }} img {{ border-radius: 6px }}
</style><main>{figures}</main>"""

Pictures = dict[tuple[str, str, str, str], bytes]


async def pictures(browser: Browser, gallery: Gallery) -> Pictures:
    """Each by language, scene, scheme and width."""
    taken: Pictures = {}
    for scheme, width in product(SCHEMES, WIDTHS):
        context = await browser.new_context(viewport=WIDTHS[width], color_scheme=scheme)
        page = await context.new_page()
        for language, scene in product(LANGUAGES, SCENES):
            await page.set_content(gallery.page(scheme, language, scene))
            await page.wait_for_timeout(SETTLED_MS)
            taken[language, scene, scheme, width] = await page.screenshot(full_page=width == "phone")
        await context.close()
    return taken


async def sheet(browser: Browser, figures: Iterable[str], columns: int, path: Path) -> None:
    page = await browser.new_page()
    await page.set_content(SHEET.format(columns=columns, figures="".join(figures)))
    path.parent.mkdir(parents=True, exist_ok=True)
    await page.locator("body").screenshot(path=path)
    await page.close()
    click.echo(path)


def figures_of(taken: Pictures, language: str) -> Iterator[str]:
    for name, scene in SCENES.items():
        yield figure(
            scene.caption,
            ((taken[language, name, scheme, width], SHOWN[width]) for width, scheme in product(WIDTHS, SCHEMES)),
        )


def some(taken: Pictures) -> Iterator[str]:
    for at, language in enumerate(LANGUAGES):
        scheme = SCHEMES[at % 2]
        for name in SOME:
            yield figure("", [(taken[language, name, scheme, "phone"], SHOWN["phone"])])


def figure(caption: str, images: Iterable[tuple[bytes, int]]) -> str:
    shown = "".join(
        f'<img width="{width}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'
        for image, width in images
    )
    return f"<figure><figcaption>{caption}</figcaption><div>{shown}</div></figure>"


async def run(out: Path) -> None:
    (room,) = settings.parse(ROOM, "waitroom.toml").to_rooms(0)
    async with chromium() as browser:
        taken = await pictures(browser, Gallery(room, Languages()))
        for language in LANGUAGES:
            await sheet(browser, figures_of(taken, language), 2, out / f"pages-{language}.png")
        await sheet(browser, some(taken), len(SOME), out / "pages.png")


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("contact-sheet"), show_default=True
)
def main(out: Path) -> None:
    """Take the pictures, and write them to a folder."""
    asyncio.run(run(out))


if __name__ == "__main__":
    main()
