"""The access log: what its lines hold, and that it neither loses, mixes up nor waits for anything that it need not."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers import eventually
from waitroom.access_log import MOST_WAITING, AccessLog, line

NOW_S = 1_800_000_000.25


def note(log: AccessLog, target: bytes = b"/", user_agent: bytes = b"") -> None:
    log.note(
        "0123456789abcdef", "site", "7", "192.0.2.1", b"GET", "https", "example.com", target, 1, 200, "forward",
        300, 1300, 0.0125, "http://origin:81", 0.01, False, user_agent,
    )  # fmt: skip


@asynccontextmanager
async def logging_to(target: str) -> AsyncIterator[AccessLog]:
    """A log that is written meanwhile, and closed as a process that ends does it."""
    log = AccessLog(target, lambda: NOW_S)
    running = asyncio.create_task(log.run())
    try:
        yield log
    finally:
        running.cancel()
        await asyncio.wait([running])
        await log.close()


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text("ascii").split("\n")[:-1]]


def targets(path: Path) -> list[str]:
    return [entry["target"] for entry in entries(path)]


async def test_an_entry_tells_all_of_a_request(tmp_path: Path) -> None:
    async with logging_to(str(tmp_path / "log")) as log:
        note(log, b"/flights/7?day=1", b"curl/8")
    assert entries(tmp_path / "log") == [
        {
            "time": "2027-01-15T08:00:00.250Z",
            "request_id": "0123456789abcdef",
            "room": "site",
            "key": "7",
            "client": "192.0.2.1",
            "method": "GET",
            "scheme": "https",
            "host": "example.com",
            "target": "/flights/7?day=1",
            "protocol": "HTTP/1.1",
            "status": 200,
            "outcome": "forward",
            "bytes_in": 300,
            "bytes_out": 1300,
            "duration_ms": 12.5,
            "origin": "http://origin:81",
            "origin_ms": 10.0,
            "aborted": False,
            "user_agent": "curl/8",
        }
    ]


async def test_a_request_that_no_origin_saw_has_none(tmp_path: Path) -> None:
    async with logging_to(str(tmp_path / "log")) as log:
        log.note("id", "", "", "::1", b"GET", "http", "", b"*", 0, 400, "bad_request", 9, 99, 0, "", None, True, b"")
    (entry,) = entries(tmp_path / "log")
    assert entry["origin"] is None
    assert entry["origin_ms"] is None
    assert entry["aborted"] is True
    assert entry["protocol"] == "HTTP/1.0"


@given(st.binary(), st.binary(), st.binary(), st.text(), st.text())
def test_whatever_a_visitor_sends_stays_within_its_line_and_field(
    method: bytes, target: bytes, user_agent: bytes, host: str, client: str
) -> None:
    text = line(
        NOW_S, "id", "site", "", client, method, "http", host, target, 1, 200, "wait", 0, 0, 0.0, "", None, False,
        user_agent,
    )  # fmt: skip
    assert text.isascii()
    assert text.splitlines(keepends=True) == [text]
    entry = json.loads(text)
    assert len(entry) == 19
    assert entry["room"] == "site"
    assert entry["host"].encode("utf-8", "surrogatepass") == host.encode("utf-8", "surrogatepass")
    assert entry["target"] == target.decode("utf-8", "backslashreplace")


async def test_bytes_that_are_no_utf_8_are_escaped(tmp_path: Path) -> None:
    async with logging_to(str(tmp_path / "log")) as log:
        note(log, "/größe/".encode() + b"\xff", b'"},\r\n{"status":200')
    (entry,) = entries(tmp_path / "log")
    assert entry["target"] == "/größe/\\xff"
    assert entry["user_agent"] == '"},\r\n{"status":200'


async def test_entries_are_written_in_their_order_while_more_come(tmp_path: Path) -> None:
    sent = [f"/{i}" for i in range(5_000)]
    async with logging_to(str(tmp_path / "log")) as log:
        for i, target in enumerate(sent):
            note(log, target.encode())
            if i % 700 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: len(targets(tmp_path / "log")) == len(sent))
        assert log.dropped == 0
    assert targets(tmp_path / "log") == sent


async def test_a_rotated_log_goes_on_in_a_new_file_and_loses_nothing(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    async with logging_to(str(path)) as log:
        note(log, b"/1")
        await eventually(path.read_text)
        path.rename(old)
        note(log, b"/2")
        log.reopen()
        note(log, b"/3")
        await eventually(path.exists)
    assert targets(old) == ["/1", "/2"]
    assert targets(path) == ["/3"]


async def test_a_log_that_cannot_be_opened_anew_goes_on_in_the_old_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with logging_to(str(folder / "log")) as log:
        folder.rename(tmp_path / "gone")
        log.reopen()
        note(log, b"/1")
    assert targets(tmp_path / "gone/log") == ["/1"]
    assert "can't be opened anew" in caplog.text


def has_dropped(log: AccessLog, lines: int) -> bool:
    return log.dropped == lines


async def test_a_full_disk_is_told_of_once_and_what_it_did_not_take_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with logging_to("/dev/full") as log:
        for dropped in (1, 2, 3):
            note(log)
            await eventually(partial(has_dropped, log, dropped))
    told = [record.getMessage() for record in caplog.records]
    assert told == ["/dev/full can't be written, lines are dropped until it can: No space left on device"]


async def test_a_disk_that_has_room_again_is_written_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    async with logging_to(str(path)) as log:
        note(log, b"/1")
        await eventually(lambda: log.dropped == 1)
        path.unlink()
        log.reopen()
        note(log, b"/2")
    assert targets(path) == ["/2"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "1 lines were dropped" in caplog.text


def test_a_line_that_a_full_disk_tore_spoils_no_other(tmp_path: Path) -> None:
    """In a process of its own, which may write 200 bytes of a file, and later more."""
    script = f"""
import asyncio, resource
from waitroom.log_file import LogFile

async def main():
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, unlimited))
    file = LogFile({str(tmp_path / "log")!r})
    file.append(b"first\\n" * 50)
    while not file.dropped:
        await asyncio.sleep(0.01)
    resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
    file.append(b"second\\n" * 2)
    await file.close()
    print(file.dropped)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    *whole, torn, second, third = (tmp_path / "log").read_text().splitlines()
    assert whole == ["first"] * 33
    assert torn == "fi"
    assert [second, third] == ["second"] * 2
    assert int(done.stdout) == 17


async def test_a_pipe_that_nobody_reads_holds_up_nobody_and_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    async with logging_to(str(path)) as log:
        for _ in range(1_000):  # each turn of the loop ends, though nothing is written any more
            for _ in range(100):
                note(log)
            await asyncio.sleep(0)
        assert log.dropped > 0
        assert len(log._waiting) <= MOST_WAITING
        os.close(reader)  # the thread's write ends


async def test_many_processes_share_a_pipe_and_no_line_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def write(name: str) -> None:
        async with logging_to(str(path)) as log:
            for i in range(1_000):
                note(log, f"/{name}/{i}".encode())

    taken = b""

    async def read() -> None:
        nonlocal taken
        while taken.count(b"\n") < 4_000:
            try:
                taken += os.read(reader, 1 << 16)
            except BlockingIOError:
                await asyncio.sleep(0.001)

    await asyncio.gather(*(write(name) for name in "abcd"), read())
    os.close(reader)
    told = [json.loads(text)["target"] for text in taken.splitlines()]
    for name in "abcd":
        assert [target for target in told if target.startswith(f"/{name}/")] == [f"/{name}/{i}" for i in range(1_000)]


async def test_standard_output_is_written_and_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    async with logging_to("-") as log:
        note(log, b"/1")
        log.reopen()
        note(log, b"/2")
    os.write(1, b"still open\n")
    *told, last = capfd.readouterr().out.splitlines()
    assert [json.loads(text)["target"] for text in told] == ["/1", "/2"]
    assert last == "still open"


async def test_without_a_target_nothing_is_kept() -> None:
    async with logging_to("") as log:
        note(log)
        log.reopen()
        assert not log.is_on
        assert log._waiting == []
        assert log.dropped == 0


def test_a_file_that_cannot_be_opened_is_told_of_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AccessLog(str(tmp_path / "no folder" / "log"))
