"""The systemd units: systemd itself finds no fault in them, and what they run is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from booking.cli import main as booking_command
from booking.serving import GRACE_S as BOOKING_S
from tests.deploy.files import CONFIG, booking_config
from waitroom.cli import main as waitroom_command
from waitroom.settings_server import ServerSettings
from waitroom.supervisor import GRACE_S as WORKER_S

UNITS = sorted((CONFIG / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
# What `systemd-analyze security` may say at most, from 0 (locked in) to 100 (free).
MOST_EXPOSED = 20

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and os.environ.get("CI") != "true",
    reason="no systemd-analyze on PATH (Debian's package: systemd)",
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as for the instance `blue`, with a program that is on this machine."""
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name.replace("@", "@blue")
        copy.write_text(re.sub(r"/opt/\S+/bin/(waitroom|booking)", "/bin/true", unit.read_text()))
        copies.append(copy)
    return copies


@needs_systemd
def test_systemd_finds_no_fault(units: list[Path]) -> None:
    told = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    own = [line for line in told.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert (told.returncode, own) == (0, []), told.stderr


@needs_systemd
def test_they_are_locked_in(units: list[Path]) -> None:
    services = [unit for unit in units if unit.suffix == ".service"]
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", *map(str, services)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, [line for line in told.stdout.splitlines() if "Overall" in line]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_what_it_runs_is_a_command(unit: Path) -> None:
    programs: dict[str, click.Group] = {"waitroom": waitroom_command, "booking": booking_command}
    runs = re.findall(r"^ExecStart(?:Pre)?=/opt/\S+/bin/(waitroom|booking) (\S+)", unit.read_text(), re.MULTILINE)
    assert runs
    for name, command in runs:
        assert programs[name].get_command(click.Context(programs[name]), command), command


def test_they_have_the_time_that_their_last_requests_may_take() -> None:
    assert _seconds("waitroom@.service") > ServerSettings().drain_s + WORKER_S
    assert _seconds("booking.service") > BOOKING_S


@pytest.mark.parametrize("name", ["booking.service", "booking-seed.service"])
def test_bookings_settings_can_be_read(name: str, tmp_path: Path) -> None:
    text = (CONFIG / "systemd" / name).read_text()
    variables = dict(re.findall(r"(BOOKING_\w+)=(\S+)", text))
    assert booking_config(variables, tmp_path).secrets
    credentials = set(re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE))
    assert {value for variable, value in variables.items() if variable.endswith("_FILE")} == {
        f"%d/{name}" for name in credentials
    }


def _seconds(name: str) -> int:
    found = re.search(r"^TimeoutStopSec=(\d+)$", (CONFIG / "systemd" / name).read_text(), re.MULTILINE)
    assert found
    return int(found[1])
