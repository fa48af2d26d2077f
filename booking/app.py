"""The composition root: builds the site out of settings, and ties its life to the application's."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, web

from booking import (
    answers,
    api,
    embedded,
    gateways,
    guards,
    language,
    logins,
    pages,
    repeats,
    schema,
    secret_key,
    slow_queries,
    sweeper,
    telemetry,
)
from booking.access import AccessTokens
from booking.admission import Judge
from booking.background import running
from booking.cache import Cache
from booking.courier import Courier
from booking.db import Database
from booking.doorkeeper import Doorkeeper
from booking.gateway import Gateway
from booking.inbox import Inbox
from booking.key_set import KeySet
from booking.letters import Letters
from booking.metrics import Metrics
from booking.passwords import Passwords
from booking.refresh import RefreshTokens
from booking.sessions import Sessions
from booking.settings import Settings
from booking.site import SITE, Site
from booking.smtp import Server
from booking.store import Store
from booking.templates import STATIC, environment
from booking.throttle import Throttle
from booking.touches import Touches
from booking.webhooks import Receiver

if TYPE_CHECKING:
    from booking.traces import Traces

LARGEST_BODY = 64 * 1024
# From the outermost inwards. The innermost makes answers of problems, so that they are kept by their key as all others.
MIDDLEWARES = (
    logins.bring_cookies,
    answers.answer_problems,
    guards.require_admission,
    guards.know_account,
    guards.require_own_forms,
    guards.require_line,
    repeats.carry_out_once,
    answers.answer_problems,
)


def build(settings: Settings, clock_s: Callable[[], float] = time.time) -> web.Application:
    """The application, not started. Its start migrates SQLite, and elsewhere raises SchemaBehindError if need be."""
    metrics = Metrics()
    traces = telemetry.traces()
    outermost = (traces.trace_request, metrics.count_requests) if traces else (metrics.count_requests,)
    app = web.Application(middlewares=(*outermost, *MIDDLEWARES), client_max_size=LARGEST_BODY)
    if traces:
        app.cleanup_ctx.append(lambda _: _closed_at_last(traces))
    app.cleanup_ctx.append(lambda app: _live(app, settings, metrics, traces, clock_s))
    app.on_response_prepare.append(answers.add_headers)
    gateway_events = web.post("/webhooks/{gateway}", receive)
    app.add_routes([*pages.routes, *api.routes, gateway_events, web.get("/healthz", health)])
    app.router.add_static("/static", STATIC)
    return app


async def health(request: web.Request) -> web.Response:
    """Whether this process and its database serve."""
    await request.app[SITE].db.ping()
    return web.json_response({"status": "ok"})


async def receive(request: web.Request) -> web.Response:
    """What a gateway tells us. It has no admission: it is known by its signature."""
    return await request.app[SITE].inbox.receive(request)


async def _live(
    app: web.Application, settings: Settings, metrics: Metrics, traces: "Traces | None", clock_s: Callable[[], float]
) -> AsyncIterator[None]:
    trace_configs = [traces.of_client()] if traces else []
    async with (
        Database(settings.database_url.get_secret_value()) as db,
        _store(settings) as store,
        gateways.connected(settings, trace_configs) as gateway,
        ClientSession(cookie_jar=DummyCookieJar(), trace_configs=trace_configs) as session,
    ):
        await (schema.migrate(db) if db.is_sqlite else schema.require_current(db))
        site = app[SITE] = _site(settings, metrics, clock_s, db, store, gateway, session)
        courier, touches = _courier(settings, site, session), Touches(db, site.cache)
        mailing = courier.worker(site.now_s)
        db.when_touched += [touches.note, mailing.poke]
        metrics.watch(db, site.cache)
        if traces:
            traces.watch(db, site.cache, store, courier)
        slow_queries.watch(db.engine, settings.slow_query_ms)
        sweeping = sweeper.sweep_for_ever(db, gateway, site.now_s, settings.sweep_s, metrics.note_sweep)
        async with (
            mailing.working(),
            site.inbox.worker.working(),
            running(sweeping),
            running(touches.tell_for_ever()),
        ):
            yield


def _site(
    settings: Settings,
    metrics: Metrics,
    clock_s: Callable[[], float],
    db: Database,
    store: Store,
    gateway: Gateway,
    session: ClientSession,
) -> Site:
    master_secrets = secret_key.load([secret.get_secret_value() for secret in settings.secrets], settings.state_folder)
    return Site(
        db=db,
        gateway=gateway,
        store=store,
        cache=Cache(store),
        metrics=metrics,
        inbox=Inbox(db, gateway, lambda: int(clock_s())),
        passwords=Passwords(),
        sessions=Sessions(store),
        access_tokens=AccessTokens(secret_key.keys_for("access", master_secrets)),
        refresh_tokens=RefreshTokens(secret_key.keys_for("refresh", master_secrets)),
        throttle=Throttle(store),
        doorkeeper=Doorkeeper(
            Judge(settings.admission_audience, settings.admission_issuer),
            KeySet(settings.admission_keys, session, time.monotonic),
        ),
        languages=language.load(),
        templates=environment(),
        public_url=settings.public_url,
        content_policy=answers.content_policy(gateway),
        # Of the secret that was there longest: new ones come and go in front of it.
        fingerprint_key=secret_key.keys_for("requests", master_secrets)[-1],
        hold_s=settings.hold_s,
        clock_s=clock_s,
    )


def _courier(settings: Settings, site: Site, session: ClientSession) -> Courier:
    smtp_url, webhook_secret = settings.smtp_url.get_secret_value(), settings.webhook_secret.get_secret_value()
    letters = Letters(settings.mail_from, settings.public_url, site.languages)
    server = Server.at(smtp_url) if smtp_url else None
    receiver = Receiver(session, settings.webhook_url, webhook_secret, site.now_s) if settings.webhook_url else None
    return Courier(site.db, letters, server, receiver)


async def _closed_at_last(traces: "Traces") -> AsyncIterator[None]:
    yield
    await traces.close()


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    """The Redis of the settings, or one of our own."""
    if url := settings.redis_url.get_secret_value():
        async with Store(url) as store:
            yield store
    else:
        async with embedded.redis_in(settings.state_folder) as own_url, Store(own_url) as store:
            yield store
