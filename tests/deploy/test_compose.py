"""The Compose file: it fits the specification, itself, the images and what the programs read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from booking import settings as booking_settings
from booking.cli import main as booking_command
from booking.serving import GRACE_S as BOOKING_S
from tests.deploy.files import CONFIG, ROOT, Image, compose, lies_in, port_of, waitroom_config
from waitroom import keys
from waitroom.supervisor import GRACE_S as WORKER_S

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
TOML = CONFIG / "compose/waitroom/waitroom.toml"


@pytest.fixture
def waitroom() -> Any:
    return waitroom_config(TOML.read_text())


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What the script writes, in a folder of the test's own."""
    shutil.copy(CONFIG / "compose/make-secrets", tmp_path)
    subprocess.run([tmp_path / "make-secrets"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_it_fits_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run([*command, CONFIG / "compose.yaml"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_and_take_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}
    # What is published is so on this machine alone.
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_what_it_names_is_declared() -> None:
    whole = compose()
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= whole["secrets"].keys()
        assert set(service.get("networks", [])) <= whole["networks"].keys()
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        named = [one.partition(":")[0] for one in service.get("volumes", []) if isinstance(one, str)]
        assert set(named) <= whole["volumes"].keys()
        assert service.get("network_mode", "service:booking").removeprefix("service:") in SERVICES


def test_what_is_mounted_or_built_from_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                assert (CONFIG / volume["source"]).exists(), volume
        if build := service.get("build"):
            assert (CONFIG / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]).is_file()


def test_waitroom_finds_its_files_and_listens_where_ports_are_published(waitroom: Any) -> None:
    service = SERVICES["waitroom"]
    image = Image.of("waitroom")
    (bound,) = (volume for volume in service["volumes"] if isinstance(volume, dict))
    assert f"{bound['target']}/{TOML.name}" == image.config
    assert (CONFIG / bound["source"]).resolve() == TOML.parent
    addresses = [*waitroom.public_addresses, waitroom.admin.listen]
    assert {port_of(address) for address in addresses} == image.ports
    assert {int(port.rpartition(":")[2]) for port in service["ports"]} == image.ports
    assert f"waitroom:{waitroom.server.state}" in service["volumes"]
    files = {f"/run/secrets/{name}" for name in service["secrets"]}
    assert {*waitroom.keys.admission, *waitroom.keys.ticket} == files


def test_the_rooms_lead_to_the_site(waitroom: Any) -> None:
    environment = SERVICES["booking"]["environment"]
    (room,) = waitroom.rooms
    assert room.origins == [f"http://booking:{port_of(environment['BOOKING_LISTEN'])}"]
    port = port_of(waitroom.public_addresses[0])
    assert environment["BOOKING_ADMISSION_KEYS"] == f"http://waitroom:{port}/.waitroom/jwks.json"
    assert environment["BOOKING_PUBLIC_URL"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["booking", "bank", "migrate", "seed"])
def test_bookings_settings_can_be_read(name: str, secrets: Path) -> None:
    environment = {
        variable: value.replace("/run/secrets", str(secrets))
        for variable, value in SERVICES[name]["environment"].items()
    }
    settings = booking_settings.read(environment)
    mounted = [one.partition(":")[2] for one in SERVICES[name]["volumes"]]
    assert lies_in(str(settings.state_folder), mounted)
    assert settings.secrets
    files = {value for variable, value in SERVICES[name]["environment"].items() if variable.endswith("_FILE")}
    assert files == {f"/run/secrets/{secret}" for secret in SERVICES[name]["secrets"]}


@pytest.mark.parametrize("name", ["bank", "migrate", "seed"])
def test_commands_are_such_that_there_are(name: str) -> None:
    assert SERVICES[name]["command"][0] in booking_command.commands


def test_the_secrets_that_the_script_writes_are_those_that_are_named_and_can_be_used(secrets: Path) -> None:
    named = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert named == {path.name for path in secrets.iterdir()}
    made = keys.load([str(secrets / "admission.pem")], [str(secrets / "ticket.secret")], secrets)
    assert not made.are_new
    assert secrets.stat().st_mode & 0o077 == 0
    assert (secrets / "database_password").read_text().strip() in (secrets / "database_url").read_text()


def test_the_script_replaces_no_secret(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    again = subprocess.run([secrets.parent / "make-secrets"], capture_output=True, check=False)
    assert again.returncode != 0
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


def test_who_stops_has_the_time_that_its_last_requests_may_take(waitroom: Any) -> None:
    assert seconds(SERVICES["waitroom"]["stop_grace_period"]) > waitroom.server.drain_s + WORKER_S
    assert seconds(SERVICES["booking"]["stop_grace_period"]) > BOOKING_S


def test_redis_refuses_rather_than_forgets() -> None:
    command = SERVICES["redis"]["command"]
    assert dict(zip(command[1::2], command[2::2], strict=True)) == {
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--maxmemory": "512mb",
        "--maxmemory-policy": "noeviction",
    }


def test_secrets_are_not_for_the_repository() -> None:
    assert "config/compose/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert os.access(CONFIG / "compose/make-secrets", os.X_OK)


def seconds(period: str) -> int:
    assert period.endswith("s")
    return int(period[:-1])
