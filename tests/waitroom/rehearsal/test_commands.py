"""`waitroom rehearse` and `waitroom plan` as operators use them: what they refuse, what they print, what they write."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import Origin, Waitroom
from waitroom.cli import main
from waitroom.rehearsal.site import NotOursError, reach

END_S = 90
CROWD = ("--stay", "2s", "--think", "1s", "--come-back", "0")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
async def stage(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """A waitroom with a rate that makes a crowd wait for seconds."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(rate_per_minute=600, cap=100, session_s=20, claim_s=6, presence_s=6)
    async with waitroom.serving():
        yield waitroom


async def rehearse(waitroom: Waitroom, *options: str, interrupt_after: str = "") -> tuple[int, str]:
    """Runs the command in a process of its own, so that its crowd and this waitroom do not share a loop. It is
    interrupted once so many (in words of the report's folder) have come."""
    command = ("-m", "waitroom", "rehearse", "--config", str(waitroom.config), *options)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(END_S):
            if interrupt_after:
                await _until_joined(waitroom, int(interrupt_after))
                process.send_signal(signal.SIGINT)
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, " ".join(output.decode().split())


async def _until_joined(waitroom: Waitroom, count: int) -> None:
    while ((await waitroom.status())["rooms"][0]["joined"] or 0) < count:
        await asyncio.sleep(0.05)


def figures(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return told


def config(folder: Path, port: int, text: str = "") -> str:
    path = folder / "w.toml"
    path.write_text(
        f'version = 1\n[server]\nlisten = ["127.0.0.1:{port}"]\n[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
        f'[[rooms]]\nname = "site"\norigins = ["http://127.0.0.1:{free_port()}"]\n{text}'
    )
    return str(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--over", "soon"), "'soon' is no time: say for instance"),
        (("--leave", "3"), "'3' is no share: say for instance"),
        (("--visitors", "0"), "0 is not in the range"),
        (("--visitors", "100001"), "--visitors 100001 is more than 100,000: say --huge if you mean it"),
        (("--room", "wat"), "has no room 'wat': it has site"),
        (("--think", "5m"), "--think 300s is too long for leases of 600 s (session_s)"),
        (("--target", "127.0.0.1:80"), "should be a URL such as http://127.0.0.1:8080"),
        (("--target", "http://192.0.2.1"), "192.0.2.1 is 192.0.2.1, which is not this machine"),
        (("--target", "http://no-such-host.invalid"), "--target http://no-such-host.invalid: "),
    ],
)
def test_rehearse_refuses_what_makes_no_sense_and_says_what_would(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    code, output = run("rehearse", "--config", config(tmp_path, free_port()), *options)
    assert code == 2
    assert words in output
    assert not list(tmp_path.glob("**/report.*"))


def test_rehearse_says_where_nobody_answers_and_how_to_start_it(tmp_path: Path) -> None:
    port = free_port()
    code, output = run("rehearse", "--config", config(tmp_path, port))
    assert code == 2
    assert f"no waitroom answers at http://127.0.0.1:{port}: it refused the connection" in output
    assert "waitroom serve" in output


def test_rehearse_wants_to_know_which_of_several_rooms(tmp_path: Path) -> None:
    more = '[[rooms]]\nname = "other"\nhosts = ["other"]\norigins = []\n'
    code, output = run("rehearse", "--config", config(tmp_path, free_port(), more))
    assert code == 2
    assert "has several rooms: name one of site, other with --room" in output


async def test_another_machine_is_asked_only_by_who_says_to_own_it() -> None:
    with pytest.raises(NotOursError, match="--yes-this-is-my-site"):
        await reach("http://192.0.2.1:80")
    assert (await reach("http://192.0.2.1:80", anywhere=True)).url == "http://192.0.2.1:80"
    assert (await reach("http://localhost:80")).url == "http://localhost:80"


async def test_rehearse_tells_a_site_without_a_waitroom_and_a_waitroom_without_the_room(
    stage: Waitroom, origin: Origin, tmp_path: Path
) -> None:
    code, output = await rehearse(stage, "--target", f"http://127.0.0.1:{origin.port}")
    assert code == 2
    assert f"what answers at http://127.0.0.1:{origin.port} is no waitroom" in output
    other = Waitroom(tmp_path / "other", stage.redis_url, origin.port, port=stage.port)
    other.set(name="other")
    code, output = await rehearse(other)
    assert code == 2
    assert "has no such line to rehearse: There is no room 'other'." in output


async def test_rehearse_does_not_stand_in_for_an_origin_that_runs(stage: Waitroom, origin: Origin) -> None:
    code, output = await rehearse(stage, "--with-origin")
    assert code == 2
    assert f"--with-origin can't listen at http://127.0.0.1:{origin.port}" in output
    assert "If the site runs, leave it out" in output


async def test_a_crowd_is_let_in_by_turns_and_plan_foretells_its_waits(stage: Waitroom, tmp_path: Path) -> None:
    """The same 300 visitors come to a real waitroom, and to the model: as many go in, and they wait as long."""
    folder = tmp_path / "report"
    crowd = ("--visitors", "300", "--over", "10s", "--leave", "0.2", *CROWD)
    code, output = await rehearse(stage, *crowd, "--report", str(folder))
    assert code == 0, output
    assert "All promises kept." in output
    real = figures(folder)
    assert [promise["kept"] for promise in real["promises"]] == [True] * 5
    assert real["line"]["seen_by"] == "waitroom's admin listener"
    assert real["visitors"]["went_in"] + real["visitors"]["left"] == 300
    assert real["errors"] == {}
    assert sum(bar["visitors"] for bar in real["wait_histogram"]) == real["wait_s"]["count"]

    code, _ = run("plan", *crowd, "--config", str(stage.config), "--report", str(folder))
    assert code == 0
    model = figures(folder)
    assert model["visitors"]["went_in"] == pytest.approx(real["visitors"]["went_in"], rel=0.1)
    assert model["line"]["most_waiting"] == pytest.approx(real["line"]["most_waiting"], rel=0.2)
    assert model["wait_s"]["p50_s"] == pytest.approx(real["wait_s"]["p50_s"], rel=0.2)
    assert model["wait_s"]["p90_s"] == pytest.approx(real["wait_s"]["p90_s"], rel=0.2)


async def test_an_interrupted_rehearsal_reports_what_happened_so_far(stage: Waitroom, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    crowd = ("--visitors", "500", "--over", "60s", *CROWD)
    code, output = await rehearse(stage, *crowd, "--report", str(folder), interrupt_after="40")
    assert code == 0, output
    assert "Not finished; no promise broken so far. It was interrupted." in output
    told = figures(folder)
    assert 40 <= told["visitors"]["arrived"] < 500
    assert told["stopped"] == "It was interrupted."


async def test_a_broken_site_breaks_a_promise_and_the_command_says_so_by_its_code(
    tmp_path: Path, redis: PrivateRedis
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(rate_per_minute=600, session_s=20, claim_s=6)
    folder = tmp_path / "report"
    async with waitroom.serving():
        await eventually(lambda: redis.client.exists("wr:{site}:state"))
        crowd = ("--visitors", "5", "--over", "1s", *CROWD)
        code, output = await rehearse(waitroom, *crowd, "--within", "6s", "--report", str(folder))
    assert code == 1
    assert "1 of 3 promises broken." in output
    told = figures(folder)
    assert [promise["text"] for promise in told["promises"] if promise["kept"] is False] == [
        "Every request is answered"
    ]
    assert "site: answered 502" in told["errors"]


def test_plan_prints_times_and_what_other_limits_would_give() -> None:
    code, output = run(
        "plan", "--visitors", "1000", "--over", "1m", "--rate", "300", "--cap", "900", "--leave", "0", "--lapse", "0"
    )
    assert code == 0
    assert "median wait" in output
    assert "rate 600 (twice)" in output
    assert "All promises kept." in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "0"), "rate_per_minute Input should be greater than or equal to 1"),
        (("--rate", "6000", "--burst", "5"), "would lose calls at rate_per_minute = 6000"),
        (("--session", "10s", "--claim", "20s"), "session_s = 10 should not be shorter than claim_s = 20"),
        (("--room", "site"), "--room site: say with --config which file has it"),
        (("--config", "no-such-file.toml"), "no-such-file.toml"),
    ],
)
def test_plan_refuses_limits_as_a_configuration_would(options: tuple[str, ...], words: str) -> None:
    code, output = run("plan", "--visitors", "10", *options)
    assert code == 2
    assert words in output


def test_plan_begins_with_the_limits_of_a_room_and_takes_others_instead(tmp_path: Path) -> None:
    path = config(tmp_path, free_port(), "rate_per_minute = 120\ncap = 77\nburst = 9\n")
    crowd = ("--visitors", "50", "--over", "10s", "--report", str(tmp_path))
    assert run("plan", *crowd, "--config", path)[0] == 0
    assert {name: figures(tmp_path)["limits"][name] for name in ("rate_per_minute", "burst", "cap")} == {
        "rate_per_minute": 120,
        "burst": 9,
        "cap": 77,
    }
    assert run("plan", *crowd, "--config", path, "--rate", "6000")[0] == 0
    assert {name: figures(tmp_path)["limits"][name] for name in ("rate_per_minute", "burst", "cap")} == {
        "rate_per_minute": 6_000,
        "burst": 101,
        "cap": 77,
    }
