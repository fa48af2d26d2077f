"""The settings: read from the environment, all faults at once, secrets never shown."""

import pytest

from booking.settings import SettingsError, read


def test_nothing_set_is_a_working_site() -> None:
    settings = read({"PATH": "/bin"})
    assert (settings.host, settings.port) == ("127.0.0.1", 8081)
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
    assert (settings.host, settings.port) == ("::1", 80)


def test_the_password_of_the_database_is_shown_nowhere() -> None:
    shown = repr(read({"BOOKING_DATABASE_URL": "mysql+aiomysql://booking:geheim@db/booking"}))
    assert "geheim" not in shown
    assert "***" in shown

    with pytest.raises(SettingsError) as error:
        read({"BOOKING_DATABASE_URL": "mysql://booking:geheim@db/booking"})
    assert "geheim" not in str(error.value)
