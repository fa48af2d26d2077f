"""The command line, as an operator uses it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, PAGE, Waitroom, number_of, visitor
from waitroom import settings
from waitroom.admin_tokens import Token, digest
from waitroom.cli import main

CONFIG = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_check_says_in_words_what_a_file_means(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG)
    code, output = run("check", "--config", str(path))
    assert code == 0
    assert "Room 'site' guards /* on *, before http://origin:80." in output


def test_check_names_every_fault_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + "cap = 0\nwat = 1\n")
    code, output = run("check", "--config", str(path))
    assert code == 2
    assert "rooms[1].cap" in output
    assert "rooms[1].wat: there is no such setting" in output


def test_keys_makes_a_pair_that_serve_accepts_and_never_replaces_one(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    code, output = run("keys", "--out", str(folder))
    assert code == 0
    assert f'admission = ["{folder}/admission.pem"]' in output
    assert (folder / "admission.pem").stat().st_mode & 0o077 == 0
    code, output = run("keys", "--out", str(folder))
    assert code == 2
    assert "choose another --out" in output


def test_serve_with_a_bad_key_names_the_file(tmp_path: Path) -> None:
    path, key = tmp_path / "w.toml", tmp_path / "bad.pem"
    key.write_text("no key")
    path.write_text(f'version = 1\n[keys]\nadmission = ["{key}"]\nticket = ["{tmp_path}/none"]\n' + CONFIG[12:])
    code, output = run("serve", "--config", str(path))
    assert code == 2
    assert f"keys.admission: {key}" in output
    assert f"keys.ticket: {tmp_path}/none" in output


def test_serve_on_a_taken_port_names_the_address(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    address = "192.0.2.1:80"  # reserved for documentation: no machine has it
    path.write_text(f'version = 1\n[server]\nlisten = ["{address}"]\nstate = "{tmp_path}/state"\n' + CONFIG[12:])
    code, output = run("serve", "--config", str(path))
    assert code == 2
    assert f"can't listen on {address}" in output


def test_status_without_a_waitroom_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.toml"
    path.write_text('version = 1\n[admin]\nlisten = "127.0.0.1:1"\n' + CONFIG[12:])
    monkeypatch.setenv("WAITROOM_TOKEN", "any")
    code, output = run("status", "--config", str(path))
    assert code == 2
    assert "no waitroom answers at http://127.0.0.1:1/api/status" in output


@pytest.mark.parametrize("command", ["status", "top", "dashboard"])
def test_who_has_no_token_is_told_where_one_is(tmp_path: Path, command: str) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + f'[server]\nstate = "{tmp_path}"\n')
    code, output = run(command, *(["--once"] if command == "top" else []), "--config", str(path))
    assert code == 2
    assert f"there is no token: {tmp_path}/admin.token can't be read" in output
    assert "or set WAITROOM_TOKEN" in output


async def test_a_wrong_token_in_the_environment_is_told(waitroom: Waitroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAITROOM_TOKEN", "wrong")
    code, output = await desk(waitroom, "status")
    assert code == 2
    assert "This token is not known" in output


async def test_the_dashboards_link_has_the_token_where_no_log_sees_it(waitroom: Waitroom) -> None:
    code, output = await desk(waitroom, "dashboard")
    assert (code, output) == (0, f"{waitroom.desk_url}/#token={waitroom.token}\n")


async def test_top_shows_rooms_and_what_is_overridden(waitroom: Waitroom) -> None:
    await line_of(waitroom, 2)
    await waitroom.ask("rooms/site/knobs", {"set": {"rate_per_minute": 1200}, "why": "the sale is on"})
    async with asyncio.timeout(60):
        while (await waitroom.ask("rooms/site"))["limits"]["rate_per_minute"] != 1200:
            await asyncio.sleep(0.05)
        while (await waitroom.ask("rooms"))["rooms"][0]["inside"] != 2:
            await asyncio.sleep(0.05)
    code, output = await desk(waitroom, "top", "--once")
    assert code == 0
    assert "2 / 2" in output
    assert "/ 1,200" in output
    told = " ".join(output.replace("│", " ").split())
    assert "rate_per_minute = 1200 until it is cleared, by local@127.0.0.1 (the sale is on)" in told


def test_token_prints_one_that_the_configuration_then_knows(tmp_path: Path) -> None:
    code, output = run("token", "anna", "--role", "operator")
    assert code == 0
    made = next(line for line in output.splitlines() if line.startswith("wr_"))
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + output[output.index("[[admin.tokens]]") :])
    (row,) = settings.load(path)[0].admin.tokens
    assert row.to_token() == Token("anna", "operator", digest(made))
    assert made not in path.read_text()
    assert row.sha256 not in repr(row)


@pytest.mark.parametrize("name", ["local", "an na", "", "-anna", 'a"b', "a" * 41])
def test_token_refuses_a_name_that_the_configuration_would_refuse(name: str) -> None:
    code, output = run("token", "--", name)
    assert code == 2
    assert "a name has up to 40 letters, digits, dots, - and _" in output


async def test_status_shows_the_rooms_of_a_running_waitroom(waitroom: Waitroom) -> None:
    code, output = await asyncio.to_thread(run, "status", "--config", str(waitroom.config))
    assert code == 0
    assert "site" in output


async def test_serve_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The real process, with the embedded Redis: SIGTERM ends it, and leaves no child behind."""
    waitroom = Waitroom(tmp_path, "", 1)
    waitroom.set()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waitroom", "serve", "--config", str(waitroom.config), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    async with asyncio.timeout(60):
        while b"waitroom listens" not in (line := await process.stderr.readline()):
            assert line
        redis_pid = int((tmp_path / "state" / "redis.pid").read_text())
        process.terminate()
        assert await process.wait() == 0
    try:
        os.kill(redis_pid, 0)
    except ProcessLookupError:
        return
    os.kill(redis_pid, signal.SIGKILL)
    raise AssertionError("the embedded Redis was left behind")


async def line_of(waitroom: Waitroom, visitors: int) -> None:
    """Two inside, and the others wait."""
    for _ in range(visitors):
        async with visitor() as session:
            async with session.get(waitroom.url, headers=PAGE):
                pass
            async with session.get(waitroom.place_url):
                pass


async def desk(waitroom: Waitroom, *arguments: str) -> tuple[int, str]:
    """A command of the operator's, while the waitroom runs."""
    return await asyncio.to_thread(run, *arguments, "--config", str(waitroom.config))


async def test_release_gives_places_back(waitroom: Waitroom, redis: PrivateRedis) -> None:
    await line_of(waitroom, 2)
    first, second = sorted(map(int, cast("list[bytes]", redis.client.zrange("wr:{site}:inside", 0, -1))))
    code, output = await desk(waitroom, "release", "site", str(first), str(second + 7))
    assert (code, output) == (0, "1 of 2 held a place in the line of 'site', and gave it back.\n")
    assert redis.client.zrange("wr:{site}:inside", 0, -1) == [str(second).encode()]


async def test_revoke_takes_a_place_away_and_refuses_its_visitor(waitroom: Waitroom) -> None:
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        code, output = await desk(waitroom, "revoke", "site", str(number_of(session)))
        assert (code, "refused for 24 hours" in output) == (0, True)
        async with asyncio.timeout(60):
            while (await session.get(waitroom.url, headers=APP)).status != 403:
                await asyncio.sleep(0.05)


async def test_reset_takes_two_steps_and_then_tells_who_waited(waitroom: Waitroom) -> None:
    await line_of(waitroom, 2)
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        async with session.get(waitroom.place_url):
            pass
        async with asyncio.timeout(60):
            while (await waitroom.status())["rooms"][0]["waiting"] != 1:
                await asyncio.sleep(0.05)
        code, output = await desk(waitroom, "reset", "site")
        assert code == 0
        assert "The line of 'site' has epoch 1: 1 wait in it, 2 are inside." in output
        assert f"waitroom reset site --epoch 2 --config {waitroom.config}" in output
        assert (await desk(waitroom, "reset", "site", "--epoch", "3"))[1] == (
            "Error: the line 'site' has epoch 1: to begin it anew, name --epoch 2\n"
        )
        assert (await desk(waitroom, "reset", "site", "--epoch", "2"))[0] == 0
        async with asyncio.timeout(60):
            while (response := await session.get(waitroom.url, headers=PAGE)).status != 409:
                await asyncio.sleep(0.05)
            assert "started this line anew" in await response.text()
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert "You are in line" in await response.text()
    assert (await waitroom.status())["rooms"][0]["inside"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("release", "shop", "7"), "has no room 'shop': it has site"),
        (("release", "site", "7", "--key", "a"), "room 'site' has no line of key 'a': it has one line, and no keys"),
        (("release", "site", "seven"), "'seven' is not a valid integer range"),
        (("reset", "site"), "there is no line 'site' in Redis: nobody has joined it"),
    ],
)
def test_what_the_desk_can_not_do_it_explains(
    tmp_path: Path, redis: PrivateRedis, arguments: tuple[str, ...], told: str
) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + f'[store]\nurl = "{redis.url}"\n')
    code, output = run(*arguments, "--config", str(path))
    assert code == 2
    assert told in output


def test_the_desk_says_that_redis_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + f'[server]\nstate = "{tmp_path}"\n')
    code, output = run("release", "site", "7", "--config", str(path))
    assert code == 2
    assert "Redis can't be reached (the embedded Redis, which runs while `waitroom serve` does)" in output
