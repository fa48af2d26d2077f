"""The command `booking sandbox`: reads the bank's terms out of the site's own settings, so that the two agree."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import click
from aiohttp import web

from booking.sandbox.app import build
from booking.sandbox.bank import Terms
from booking.sandbox.errors import NoLedger
from booking.sandbox_secret import shared_secret
from booking.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdecimal() or not 0 <= int(port) < 65_536:
            self.fail("must be HOST:PORT, such as 127.0.0.1:8082", param, ctx)
        return host.strip("[]"), int(port)


@click.command()
@click.option("--listen", type=Address(), help="Where to serve; else the address of BOOKING_SANDBOX_URL.")
@click.option("--webhook-url", help="Where events go; else /webhooks/sandbox at BOOKING_LISTEN.")
@click.option("--ledger", type=click.Path(path_type=Path), help="The ledger; else bank.db in BOOKING_STATE_FOLDER.")
@click.pass_obj
def sandbox(settings: Settings, listen: tuple[str, int] | None, webhook_url: str | None, ledger: Path | None) -> None:
    """Serve the sandbox bank, where test cards pay, until SIGTERM or SIGINT.

    It reads the settings of `booking serve`, so that the two agree: BOOKING_SANDBOX_URL, BOOKING_SANDBOX_SECRET,
    BOOKING_PUBLIC_URL, BOOKING_LISTEN and BOOKING_STATE_FOLDER.
    """
    try:
        secret = shared_secret(settings)
    except SettingsError as exc:
        raise click.ClickException(str(exc)) from exc
    terms = Terms(
        url=settings.sandbox_url,
        site_url=settings.public_url,
        webhook_url=webhook_url or f"http://{settings.listen}/webhooks/sandbox",
        secret=secret,
    )
    host, port = listen or _address_of(settings.sandbox_url)
    try:
        web.run_app(
            build(terms, ledger or settings.state_folder / "bank.db"),
            host=host,
            port=port,
            access_log=None,
            print=lambda _banner: log.info("The sandbox bank serves on http://%s:%s", host, port),
        )
    except NoLedger as exc:
        raise click.ClickException(f"{exc}. Choose another --ledger.") from exc
    except OSError as exc:
        raise click.ClickException(f"cannot listen on {host}:{port}: {exc.strerror}. Choose another --listen.") from exc


def _address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
