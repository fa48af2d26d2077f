"""`waitroom preview`: every state of a room's pages side by side, as files or served, by its configuration."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from tests.servers import PATIENCE_S, free_port
from waitroom.cli import main
from waitroom.languages import Languages
from waitroom.scenes import SCENES

WAYS = [f"{scheme}/{code}" for scheme in ("light", "dark") for code in Languages().codes]
LEFT = '{{% extends "waitroom/left.html" %}}\n{{% block content %}}\n<h1>{}</h1>\n{{% endblock %}}\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two rooms; the second has a template of its own."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "left.html").write_text(LEFT.format("Goodbye"))
    path = tmp_path / "waitroom.toml"
    path.write_text(
        'version = 1\n[[rooms]]\nname = "site"\ntitle = "Summer sale"\norigins = []\n'
        '[[rooms]]\nname = "vip"\ntitle = "Friends"\norigins = []\npage = { templates = "pages" }\n'
    )
    return path


def run(*arguments: object) -> tuple[int, str]:
    told = CliRunner().invoke(main, ["preview", *map(str, arguments)])
    return told.exit_code, told.output


def test_every_state_is_written_in_each_language_and_scheme(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--config", config, "--out", out) == (0, f"{out}/index.html\n")
    assert {str(path.relative_to(out)) for path in out.rglob("*.html")} == {
        "index.html",
        *(
            f"{scheme}/{code}/{name}.html"
            for scheme in ("light", "dark")
            for code in Languages().codes
            for name in SCENES
        ),
    }
    index = (out / "index.html").read_text()
    assert "<title>Pages of Summer sale</title>" in index
    assert re.findall(r'data-scene="([^"]+)"', index) == [*SCENES]
    assert '<html lang="ko" dir="ltr">' in (out / "dark/ko/waiting.html").read_text()


def test_the_room_is_named_and_has_its_own_look(config: Path, tmp_path: Path) -> None:
    assert run("--config", config, "--room", "vip", "--out", tmp_path / "out")[0] == 0
    assert "<h1>Goodbye</h1>" in (tmp_path / "out/light/en/left.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--room", "nowhere"), "there is no room 'nowhere': there are site, vip"),
        (("--out", "/proc/nowhere"), "/proc/nowhere"),
        (("--listen", "256.0.0.1:80"), "256.0.0.1:80"),
    ],
)
def test_what_can_not_be_shown_is_told(config: Path, arguments: tuple[str, ...], told: str) -> None:
    code, output = run("--config", config, *arguments)
    assert code == 2
    assert told in output


def test_a_broken_template_is_told_with_its_line(config: Path) -> None:
    (config.parent / "pages" / "left.html").write_text("{{ nothing }}")
    code, output = run("--config", config)
    assert code == 2
    assert "left.html, line 1: there is no 'nothing'" in output


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """The preview of the second room, in a process of its own."""
    address = f"127.0.0.1:{free_port()}"
    arguments = ("preview", "--config", str(config), "--room", "vip", "--listen", address)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "waitroom", *arguments, stdout=PIPE)
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE_S):
            assert (await process.stdout.readline()).decode() == f"http://{address}/\n"
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session
    finally:
        process.terminate()
        await process.wait()


async def test_it_is_served_and_shows_changes_and_what_is_refused(config: Path) -> None:
    async with serving(config) as session:
        revision = await text(session, "/revision")
        assert "<h1>Goodbye</h1>" in await text(session, "/light/en/left.html")
        (config.parent / "pages" / "left.html").write_text(LEFT.format("So long"))
        await until(session, "/light/en/left.html", "<h1>So long</h1>")
        assert await text(session, "/revision") != revision
        (config.parent / "pages" / "left.html").write_text(LEFT.format("{{ nothing }}"))
        await until(session, "/", "left.html, line 3: there is no &#39;nothing&#39;")
        assert "<h1>So long</h1>" in await text(session, "/light/en/left.html")
        (config.parent / "pages" / "left.html").write_text(LEFT.format("Goodbye again"))
        await until(session, "/light/en/left.html", "<h1>Goodbye again</h1>")
        assert "nothing" not in await text(session, "/")


@pytest.mark.parametrize("path", ["/light/xx/left.html", "/grey/en/left.html", "/light/en/nowhere.html"])
async def test_what_there_is_not_is_not_found(config: Path, path: str) -> None:
    async with serving(config) as session, session.get(path) as response:
        assert response.status == 404


async def text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as response:
        assert response.ok
        return await response.text()


async def until(session: aiohttp.ClientSession, path: str, told: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while told not in await text(session, path):
            await asyncio.sleep(0.05)
