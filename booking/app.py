"""The composition root: builds the site out of settings, and ties its life to the application's."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientSession, web

from booking import answers, api, guards, pages, schema, sweeper
from booking.admission import Judge, Remembered
from booking.db import Database
from booking.key_set import KeySet
from booking.passwords import Passwords
from booking.sandbox import SandboxGateway
from booking.settings import Settings
from booking.site import SITE, Site
from booking.templates import STATIC, environment

LARGEST_BODY = 64 * 1024


def build(settings: Settings, clock_s: Callable[[], float] = time.time) -> web.Application:
    """The application, not started. Its start migrates SQLite, and elsewhere raises SchemaBehindError if need be."""
    app = web.Application(
        middlewares=[
            answers.answer_problems,
            guards.require_admission,
            guards.know_account,
            guards.require_own_forms,
            guards.require_line,
        ],
        client_max_size=LARGEST_BODY,
    )
    app.cleanup_ctx.append(lambda app: _site(app, settings, clock_s))
    app.on_response_prepare.append(answers.add_headers)
    app.add_routes([*pages.routes, *api.routes, web.get("/healthz", health)])
    app.router.add_static("/static", STATIC)
    return app


async def health(request: web.Request) -> web.Response:
    """Whether this process and its database serve."""
    await request.app[SITE].db.ping()
    return web.json_response({"status": "ok"})


async def _site(app: web.Application, settings: Settings, clock_s: Callable[[], float]) -> AsyncIterator[None]:
    async with Database(settings.database_url.get_secret_value()) as db, ClientSession() as session:
        await (schema.migrate(db) if db.is_sqlite else schema.require_current(db))
        gateway = SandboxGateway(db)
        site = Site(
            db=db,
            gateway=gateway,
            passwords=Passwords(),
            key_set=KeySet(settings.admission_keys, session, time.monotonic),
            judge=Judge(settings.admission_audience, settings.admission_issuer),
            remembered=Remembered(),
            templates=environment(),
            hold_s=settings.hold_s,
            clock_s=clock_s,
        )
        app[SITE] = site
        sweeping = asyncio.create_task(sweeper.sweep_for_ever(db, gateway, site.now_s, settings.sweep_s))
        yield
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
