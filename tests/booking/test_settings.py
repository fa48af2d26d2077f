"""The settings: read from the environment, all faults at once, secrets never shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

import booking
from booking.settings import SECRET, Settings, SettingsError, read


def test_nothing_set_is_a_working_site() -> None:
    settings = read({"PATH": "/bin"})
    assert settings.listen == "127.0.0.1:8081"
    assert (settings.admission_audience, settings.admission_issuer) == ("site", "waitroom")
    assert settings.hold_s == 15 * 60


def test_every_fault_is_named_at_once_with_its_variable() -> None:
    environment = {
        "BOOKING_LISTEN": "8081",
        "BOOKING_DATABASE_URL": "postgres://x",
        "BOOKING_ADMISSION_KEYS": "http://",
        "BOOKING_ADMISSION_AUDIENCE": "",
        "BOOKING_HOLD_S": "soon",
        "BOOKING_LOG_LEVEL": "LOUD",
        "BOOKING_HOLDS_S": "60",
    }
    with pytest.raises(SettingsError) as error:
        read(environment)

    assert {fault.partition(":")[0] for fault in error.value.faults} == set(environment)


@pytest.mark.parametrize("listen", ["8081", ":8081", "a:b", "a:70000", "a:-1", "a:²"])
def test_an_address_without_host_or_port_is_refused(listen: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        read({"BOOKING_LISTEN": listen})


def test_an_address_may_be_of_the_sixth_version() -> None:
    settings = read({"BOOKING_LISTEN": "[::1]:80"})
    assert settings.listen == "[::1]:80"


def test_the_password_of_the_database_is_shown_nowhere() -> None:
    shown = repr(read({"BOOKING_DATABASE_URL": "mysql+aiomysql://booking:geheim@db/booking"}))
    assert "geheim" not in shown
    assert "***" in shown

    with pytest.raises(SettingsError) as error:
        read({"BOOKING_DATABASE_URL": "mysql://booking:geheim@db/booking"})
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("BOOKING_SMTP_URL", "mail.example.org", "must start with one of smtp://"),
        ("BOOKING_SMTP_URL", "smtp://air:gehe/im@mail.example.org", "percent-encoded"),
        ("BOOKING_SMTP_URL", "smtp://mail.example.org:smtp", "port number"),
        ("BOOKING_MAIL_FROM", "", "is not one address"),
        ("BOOKING_MAIL_FROM", "Halcyon Air", "is not one address"),
        ("BOOKING_MAIL_FROM", "tickets@", "is not one address"),
        ("BOOKING_MAIL_FROM", "a@halcyon.example, b@halcyon.example", "is not one address"),
        ("BOOKING_WEBHOOK_URL", "crm.example.org", "must be a URL that takes POST"),
        ("BOOKING_WEBHOOK_SECRET", "geheim", "must be whsec_"),
    ],
)
def test_what_could_not_be_posted_is_refused_at_the_start(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(SettingsError, match=wanted) as error:
        read({variable: value})

    assert variable in str(error.value)
    assert "gehe" not in str(error.value)


def test_stripe_without_its_library_is_named_with_what_to_install(tmp_path: Path) -> None:
    """In a Python that has all packages but this one."""
    for package in Path(stripe.__file__).parents[1].iterdir():
        if not package.name.startswith("stripe"):
            (tmp_path / package.name).symlink_to(package)
    paths = os.pathsep.join([str(tmp_path), str(Path(booking.__file__).parents[1])])
    keys = {f"BOOKING_STRIPE_{name}": "x" for name in ("SECRET_KEY", "PUBLIC_KEY", "WEBHOOK_SECRET")}
    command = [sys.executable, "-S", "-c", "from booking.cli import main; main()", "sweep"]
    env = {**os.environ, **keys, "PYTHONPATH": paths, "BOOKING_GATEWAY": "stripe"}

    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2, done.stderr
    assert "pip install waitroom[booking,stripe]" in done.stderr


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_text("mysql+aiomysql://booking:geheim@db/booking\n")
    settings = read({"BOOKING_DATABASE_URL_FILE": str(file)})
    assert settings.database_url.get_secret_value() == "mysql+aiomysql://booking:geheim@db/booking"


def test_every_secret_may_and_nothing_else() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret == set(SECRET)
    with pytest.raises(SettingsError, match="BOOKING_LISTEN_FILE: there is no such setting"):
        read({"BOOKING_LISTEN_FILE": "/dev/null"})


def test_a_file_that_is_not_there_or_not_needed_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    environment = {
        "BOOKING_SECRETS_FILE": "/nowhere",
        "BOOKING_REDIS_URL_FILE": str(tmp_path / "binary"),
        "BOOKING_SMTP_URL_FILE": "/dev/null",
        "BOOKING_SMTP_URL": "smtp://localhost",
    }
    with pytest.raises(SettingsError) as error:
        read(environment)
    assert sorted(error.value.faults) == [
        f"BOOKING_REDIS_URL_FILE: {tmp_path}/binary can't be read: it is not text",
        "BOOKING_SECRETS_FILE: /nowhere can't be read: No such file or directory",
        "BOOKING_SMTP_URL_FILE: BOOKING_SMTP_URL is set, too; keep one of them",
    ]
