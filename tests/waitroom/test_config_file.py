"""The configuration changes under a running waitroom: a good one is applied without a restart, a bad one never."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom, visitor
from waitroom import settings
from waitroom.config_file import ConfigFile


@pytest.fixture
async def slow(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """A waitroom that calls once a minute, with forty who wait."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(rate_per_minute=1, mode="queue")
    async with waitroom.serving(), AsyncExitStack() as stack:
        for _ in range(40):
            session = await stack.enter_async_context(visitor())
            async with session.get(waitroom.url, headers=PAGE), session.get(waitroom.place_url):
                pass
        yield waitroom


async def called(waitroom: Waitroom) -> int:
    count: int = (await waitroom.status())["rooms"][0]["called"]
    return count


async def test_a_raised_rate_is_followed_without_a_restart(slow: Waitroom) -> None:
    """At the old rate, forty calls would take longer than this test may run."""
    slow.set(rate_per_minute=6_000, mode="queue")
    async with asyncio.timeout(60):
        while await called(slow) < 40:
            await asyncio.sleep(0.05)
    room = (await slow.status())["rooms"][0]
    assert (room["version"], room["rate_per_minute"]) == (2, 6_000)


async def test_a_bad_file_is_refused_with_all_faults_and_service_goes_on(
    slow: Waitroom, caplog: pytest.LogCaptureFixture
) -> None:
    slow.set(cap=0, mode="fast", rate_per_minute="many")
    async with asyncio.timeout(60):
        while not (faults := (await slow.status())["config_faults"]):
            await asyncio.sleep(0.05)
    assert {fault.split(":")[0] for fault in faults} == {"rooms[1].cap", "rooms[1].mode", "rooms[1].rate_per_minute"}
    assert "the old one stays in force" in caplog.text
    assert (await slow.status())["rooms"][0]["rate_per_minute"] == 1
    async with visitor() as session, session.get(slow.url, headers=PAGE) as response:
        assert response.status == 200
    slow.set(rate_per_minute=60, mode="queue")
    async with asyncio.timeout(60):
        while (await slow.status())["rooms"][0]["rate_per_minute"] != 60:
            await asyncio.sleep(0.05)
    assert not (await slow.status())["config_faults"]


class Mounted:
    """A ConfigMap as the kubelet mounts it: the file is a link to one in a hidden folder, which another link names."""

    def __init__(self, waitroom: Waitroom, folder: Path) -> None:
        self._waitroom = waitroom
        self._folder = folder
        folder.mkdir()

    def publish(self, **room: object) -> None:
        """As AtomicWriter does: a folder for the new content, one rename of the link, and the old folder is removed."""
        self._waitroom.set(**room)
        link = self._folder / "..data"
        old = link.resolve() if link.is_symlink() else None
        new = self._folder / f"..2027_03_01_09_00_{self._waitroom.version:02}"
        new.mkdir()
        shutil.copy(self._waitroom.config, new / "waitroom.toml")
        (self._folder / "..data_tmp").symlink_to(new.name)
        (self._folder / "..data_tmp").rename(link)
        if old:
            shutil.rmtree(old)
        else:
            (self._folder / "waitroom.toml").symlink_to("..data/waitroom.toml")


async def rate_is(waitroom: Waitroom, rate: int) -> None:
    async with asyncio.timeout(60):
        while (await waitroom.status())["rooms"][0]["rate_per_minute"] != rate:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("linked", [False, True], ids=["as it is mounted", "by a link from another folder"])
async def test_a_mounted_config_map_is_followed(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, *, linked: bool
) -> None:
    """Kubernetes swaps a link to the folder; the file's own path never changes. Three times, since the folder that was
    there at first is gone after the first."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    mounted = Mounted(waitroom, tmp_path / "mounted")
    mounted.publish(rate_per_minute=60)
    path = tmp_path / "mounted" / "waitroom.toml"
    if linked:
        path = tmp_path / "elsewhere.toml"
        path.symlink_to("mounted/waitroom.toml")
    async with waitroom.serving(config=path):
        for rate in (120, 180, 240):
            mounted.publish(rate_per_minute=rate)
            await rate_is(waitroom, rate)
        room = (await waitroom.status())["rooms"][0]
        assert room["version"] == waitroom.version


def test_the_time_of_an_edit_is_that_of_the_file_behind_the_links(tmp_path: Path) -> None:
    """Of two files of one version the later wins: links are as old as the first mount."""
    file, link = tmp_path / "file.toml", tmp_path / "link.toml"
    file.write_text('version = 1\n[[rooms]]\nname = "site"\norigins = []\n')
    link.symlink_to(file)
    os.utime(file, ns=(0, 5_000_000))
    assert settings.load(link)[1] == 5


def cut(path: Path) -> None:
    path.write_text("version = 2\n[[rooms")


def gone(path: Path) -> None:
    path.unlink()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    path.write_text("# " + "x" * 2**20)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "the file: is not TOML: Expected"),
        (lambda path: path.write_text(""), "version: is required"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "the file: can't be read: 'utf-8' codec can't decode"),
        (lambda path: path.write_text("a = " + "[" * 5_000), "the file: is nested too deeply"),
        (lambda path: path.write_text("a = " + "9" * 5_000), "the file: is not TOML: Exceeds the limit"),
        (gone, "the file: can't be read: [Errno 2] No such file or directory"),
        (dangling, "the file: can't be read: [Errno 2] No such file or directory"),
        (folder, "the file: can't be read: [Errno 21] Is a directory"),
        (huge, "the file: is too long: should have at most 1,048,576 bytes"),
        (endless, "the file: is too long: should have at most 1,048,576 bytes"),
    ],
    ids=["cut", "empty", "no text", "deep", "long number", "gone", "dangling", "folder", "huge", "endless"],
)
async def test_a_spoilt_file_is_told_and_the_old_one_stays_until_a_good_one_comes(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, spoil: Callable[[Path], object], told: str
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(rate_per_minute=60)
    async with waitroom.serving():
        spoil(waitroom.config)
        async with asyncio.timeout(60):
            # It may be read between two writes, and tell of another fault first.
            while not [fault for fault in (await waitroom.status())["config_faults"] if fault.startswith(told)]:
                await asyncio.sleep(0.05)
        assert (await waitroom.status())["rooms"][0]["rate_per_minute"] == 60
        if waitroom.config.is_dir():
            waitroom.config.rmdir()
        waitroom.config.unlink(missing_ok=True)
        waitroom.set(rate_per_minute=120)
        await rate_is(waitroom, 120)
        assert not (await waitroom.status())["config_faults"]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (3, "version 3 is not higher than version 3 in force: of two files of one version the one written later wins"),
        (2, "version 2 is lower than version 3 in force, whose limits stay: a roll-back is a new version too, set"),
    ],
)
def test_a_change_without_a_higher_version_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, version: int, told: str
) -> None:
    path = tmp_path / "waitroom.toml"
    room = '[[rooms]]\nname = "site"\norigins = []\n'
    path.write_text(f"version = 3\n{room}")
    config = ConfigFile(path)
    path.write_text(f"version = {version}\n{room}cap = 7\n")
    config.read_again()
    assert told in caplog.text
    assert "set version = 4" in caplog.text


async def test_a_change_before_anybody_watches_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "waitroom.toml"
    room = '[[rooms]]\nname = "site"\norigins = []\n'
    path.write_text(f"version = 1\n{room}")
    config = ConfigFile(path)
    path.write_text(f"version = 2\n{room}cap = 7\n")
    async with asyncio.timeout(60):
        rooms = await anext(config.changes())
    assert rooms
    assert [room.limits.cap for room in rooms] == [7]


async def test_a_change_while_the_first_is_taken_over_is_not_missed(tmp_path: Path) -> None:
    """Watching begins before the file is read, and not only when somebody asks for the next change."""
    path = tmp_path / "waitroom.toml"
    room = '[[rooms]]\nname = "site"\norigins = []\n'
    path.write_text(f"version = 1\n{room}")
    config = ConfigFile(path)
    path.write_text(f"version = 2\n{room}cap = 7\n")
    changes = config.changes()
    async with asyncio.timeout(60):
        assert await anext(changes)
        path.write_text(f"version = 3\n{room}cap = 8\n")
        rooms = await anext(changes)
    assert rooms
    assert [room.limits.cap for room in rooms] == [8]
