"""A look in a running waitroom: its files are followed, a bad change of them never replaces a good one, and each
visitor is told the operator's word in the own language."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.servers import PATIENCE_S, PrivateRedis
from tests.waitroom.running import APP, PAGE, Origin, Waitroom, visitor
from tests.waitroom.serving import serve

CLOSED = '{{% extends "waitroom/closed.html" %}}\n{{% block content %}}\n<h1>{}</h1>\n{{% endblock %}}\n'
# On so many new connections, no worker of two is left out.
CONNECTIONS = 20


@pytest.fixture
def site(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A closed room, whose page is an operator's."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    tmp_path.joinpath("pages").mkdir()
    page_of(waitroom).write_text(CLOSED.format("Back in May"))
    waitroom.set(mode="closed", page={"templates": "pages"})
    return waitroom


def page_of(waitroom: Waitroom) -> Path:
    return waitroom.folder / "pages" / "closed.html"


async def seen(waitroom: Waitroom) -> str:
    """The page, on a new connection."""
    async with aiohttp.ClientSession() as session, session.get(waitroom.url, headers=PAGE) as response:
        return await response.text()


async def shows(waitroom: Waitroom, text: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not all([text in await seen(waitroom) for _ in range(CONNECTIONS)]):
            await asyncio.sleep(0.05)


async def faults(waitroom: Waitroom) -> list[str]:
    """Once there are some."""
    async with asyncio.timeout(PATIENCE_S):
        while not (told := (await waitroom.status())["config_faults"]):
            await asyncio.sleep(0.05)
        return list(told)


async def test_all_workers_show_a_template_as_it_changes(site: Waitroom) -> None:
    site.server = {"workers": 2}
    site.set(mode="closed", page={"templates": "pages"})
    async with serve(site) as served:
        await shows(site, "Back in May")
        page_of(site).write_text(CLOSED.format("Back in June"))
        await shows(site, "Back in June")
        assert not served.told("not higher than version")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda folder: (folder / "pages" / "closed.html").unlink(), "Closed for now"),
        (lambda folder: (folder / "pages" / "light.css").write_text("--ground: #abcdef;"), "--ground: #abcdef;"),
        (lambda folder: (folder / "pages" / "closed.html").write_text(CLOSED.format("Again")), "Again"),
    ],
    ids=["gone", "new", "changed"],
)
async def test_whatever_changes_in_the_folder_is_followed(
    site: Waitroom, change: Callable[[Path], object], shown: str
) -> None:
    (site.folder / "pages" / "left.html").write_text('{% extends "waitroom/left.html" %}')
    async with site.serving():
        await shows(site, "Back in May")
        change(site.folder)
        await shows(site, shown)


async def test_a_broken_template_is_told_and_the_old_one_stays_until_it_is_mended(site: Waitroom) -> None:
    async with site.serving():
        page_of(site).write_text(CLOSED.format("{{ ''.__class__ }}"))
        told = "closed.html, line 3: .__class__ can't be asked of this"
        assert await faults(site) == [f"rooms[1].page: templates = 'pages' should be mended: {told}"]
        await shows(site, "Back in May")
        page_of(site).write_text(CLOSED.format("Back in June"))
        await shows(site, "Back in June")
        assert not (await site.status())["config_faults"]


async def test_a_folder_that_was_refused_is_followed_too(site: Waitroom) -> None:
    """Nothing of the configuration itself changes as its templates are mended."""
    winter = site.folder / "winter" / "closed.html"
    winter.parent.mkdir()
    winter.write_text("{{ nothing }}")
    async with site.serving():
        site.set(mode="closed", page={"templates": "winter"})
        assert "closed.html, line 1: there is no 'nothing'" in (await faults(site))[0]
        await shows(site, "Back in May")
        winter.write_text(CLOSED.format("Back in winter"))
        await shows(site, "Back in winter")


async def test_a_logo_is_shown_as_it_changes(site: Waitroom) -> None:
    logo = site.folder / "logo.svg"
    logo.write_text("<svg></svg>")
    site.set(mode="closed", page={"logo": "logo.svg"})
    async with site.serving():
        await shows(site, "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=")
        logo.write_bytes(b"\x89PNG\r\n\x1a\n")
        await shows(site, "data:image/png;base64,")


async def test_a_waitroom_does_not_start_with_a_broken_template(site: Waitroom) -> None:
    page_of(site).write_text("{{ nothing }}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waitroom", "check", "--offline", "--config", str(site.config), stderr=PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 2
    assert b"closed.html, line 1: there is no 'nothing'" in told


# The message


async def test_each_is_told_the_word_of_the_operator_in_the_own_language(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold", message={"en": "Hello", "ko": "안녕"})
    async with waitroom.serving(), visitor() as korean, visitor() as app:
        async with korean.get(waitroom.url, headers=PAGE | {"Accept-Language": "ko"}) as response:
            page = await response.text()
        assert "안녕" in page
        assert 'data-place-url="/.waitroom/rooms/site/place?language=ko"' in page
        assert await message(korean, f"{waitroom.place_url}?language=ko") == "안녕"
        assert await message(korean, f"{waitroom.place_url}?language=fr") == "Hello"
        assert await message(korean, waitroom.place_url) == "Hello"
        async with app.get(waitroom.url, headers=APP | {"Accept-Language": "ko"}) as response:
            assert (await response.json())["message"] == "안녕"


async def test_a_word_from_the_desk_is_told_to_all(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold", message={"en": "Hello", "ko": "안녕"})
    async with waitroom.serving(), visitor() as korean:
        await korean.get(waitroom.url, headers=PAGE | {"Accept-Language": "ko"})
        await waitroom.ask("rooms/site/knobs", {"set": {"message": "Now"}, "why": "test"})
        async with asyncio.timeout(PATIENCE_S):
            while await message(korean, f"{waitroom.place_url}?language=ko") != "Now":
                await asyncio.sleep(0.05)


async def message(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        told: str = (await response.json())["message"]
        return told
