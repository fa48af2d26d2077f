"""One process that serves: the public listener and the admin one, until it is told to stop. Who is being served then is
served to the end.
"""

import asyncio
import logging
import signal

from aiohttp import web

from booking.admin import Admin
from booking.app import build
from booking.figures import Unfinished
from booking.schema import require_current
from booking.settings import Settings
from booking.site import SITE, Site

# After the signal to stop, requests under way have this long to end.
GRACE_S = 20.0

log = logging.getLogger(__name__)


class CannotListenError(Exception):
    """An address is not to be had; the setting that names it is told."""

    def __init__(self, setting: str, address: str, exc: OSError) -> None:
        super().__init__(f"cannot listen on {address}: {exc.strerror}. Choose another {setting}.")


async def serve(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT. Raises CannotListenError, SchemaBehindError and DatabaseUnavailable."""
    stop = _stop_signal()
    app = build(settings)
    public = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
    try:
        await public.setup()
        admin = _admin(app[SITE])
        operators = web.AppRunner(admin.app(), access_log=None)
        try:
            await operators.setup()
            await _listen(operators, settings.admin_listen, "BOOKING_ADMIN_LISTEN")
            await _listen(public, settings.listen, "BOOKING_LISTEN")
            log.info("Serving on http://%s, operators on http://%s", settings.listen, settings.admin_listen)
            await stop.wait()
            admin.is_stopping = True
            await public.cleanup()
        finally:
            await operators.cleanup()
    finally:
        await public.cleanup()


def _admin(site: Site) -> Admin:
    return Admin(
        metrics=site.metrics,
        unfinished=Unfinished(site.db, site.now_s),
        needed={"database": lambda: require_current(site.db)},
        helpful={"redis": site.store.ping},
    )


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _listen(runner: web.AppRunner, address: str, setting: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as exc:
        raise CannotListenError(setting, address, exc) from exc
